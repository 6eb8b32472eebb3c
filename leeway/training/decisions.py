"""What a use case leaves open: decided on its training part, stored, and put into its place.

Belongs here: which decisions there are, and the use case in which none is open. Does not belong
here: how one is made (`leeway.training.imputation`, `leeway.training.clusters`), or the choice of
the algorithm (`leeway.training.search`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from leeway.training.clusters import ClusterComparison, compare_clusters, with_clusters
from leeway.training.imputation import ImputationComparison, compare_imputations

if TYPE_CHECKING:
    import pandas as pd

    from leeway.spec import UseCase


@dataclass(frozen=True)
class Decisions:
    """The comparisons that a use case asks for; empty where it leaves nothing open."""

    imputation: tuple[ImputationComparison, ...]
    clusters: tuple[ClusterComparison, ...]

    @property
    def choices(self) -> dict[str, dict[str, Any]]:
        """What `settle` needs, for JSON: strategy by column, number of clusters by feature."""
        return {
            "imputation": {each.column: each.winner for each in self.imputation},
            "clusters": {each.feature: each.k for each in self.clusters},
        }

    def as_dict(self) -> dict[str, Any]:
        """For JSON: the choices, and the numbers that each rests on."""
        return {
            "choices": self.choices,
            "imputation": [each.as_dict() for each in self.imputation],
            "clusters": [each.as_dict() for each in self.clusters],
        }


def decide(frame: pd.DataFrame, target: NDArray[Any], use_case: UseCase) -> Decisions:
    """Makes every decision that the use case leaves open, on its training part.

    Raises:
        TooFewRows: as `leeway.training.folds.cross_validation_folds`, when a number of clusters is
            open.
    """
    auto = use_case.imputation.number == "auto"
    imputation = compare_imputations(frame, use_case) if auto else []
    filled = settle(use_case, {"imputation": {each.column: each.winner for each in imputation}})
    clusters = compare_clusters(frame, target, filled)
    return Decisions(tuple(imputation), tuple(clusters))


def settle(use_case: UseCase, choices: Mapping[str, Mapping[str, Any]]) -> UseCase:
    """The use case with the choices of `Decisions.choices` in their places.

    A column that had no missing value when the choice was made is filled with its median.
    """
    imputation = use_case.imputation
    if imputation.number == "auto":
        columns = {**imputation.columns, **choices.get("imputation", {})}
        update = {"number": "median", "columns": columns}
        use_case = use_case.model_copy(update={"imputation": imputation.model_copy(update=update)})
    return with_clusters(use_case, dict(choices.get("clusters", {})))
