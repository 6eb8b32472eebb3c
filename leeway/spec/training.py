"""How a model is made and explained.

Belongs here: imputation, features, split, search and what a release carries to explain. Does not
belong here: doing any of it (`leeway.training`, `leeway.explainers`).
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from leeway.spec.base import Identifier, Strict

LARGEST_SEED = 2**32 - 1  # of numpy's generator, which scikit-learn seeds
CANDIDATES: dict[str, tuple[str, ...]] = {
    "classification": (
        "logistic_regression",
        "decision_tree",
        "random_forest",
        "gradient_boosting",
        "xgboost",
    ),
    "regression": (
        "ridge",
        "lasso",
        "decision_tree",
        "random_forest",
        "gradient_boosting",
        "xgboost",
    ),
    "experiment": (),
}


ImputationStrategy = Literal["median", "mean", "knn", "iterative"]


class Imputation(Strict):
    """How missing feature values are filled; fitted inside cross-validation."""

    number: ImputationStrategy | Literal["auto"] | None = Field(
        default=None,
        description="null: the median, and boosting reads gaps as they are; auto: for each column "
        "with missing values, what fills masked known ones best",
    )
    columns: dict[Identifier, ImputationStrategy] = Field(
        default={}, description="the strategy of single number columns; auto leaves these alone"
    )
    category: Literal["most_frequent", "constant"] = "most_frequent"


class RatioFeature(Strict):
    """`numerator / denominator`; a zero denominator gives a missing value, which is imputed."""

    kind: Literal["ratio"]
    name: Identifier
    numerator: Identifier
    denominator: Identifier


class PairFeature(Strict):
    """`left * right`, or `left + right`."""

    kind: Literal["product", "sum"]
    name: Identifier
    left: Identifier
    right: Identifier


class ClusterRange(Strict):
    """The numbers of clusters that are compared, both ends included."""

    low: int = Field(alias="from", ge=2, le=50)
    high: int = Field(alias="to", ge=2, le=50)

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"from {self.low} to {self.high} is no range: give the smaller first")
        return self


class ClusterFeature(Strict):
    """Distances to the centres of k-means clusters of some numeric columns."""

    kind: Literal["clusters"]
    name: Identifier
    of: tuple[Identifier, ...] = Field(min_length=1)
    k: Annotated[
        Annotated[int, Field(ge=2, le=50), Tag("number")] | Annotated[ClusterRange, Tag("range")],
        Discriminator(
            lambda value: "range" if isinstance(value, dict | ClusterRange) else "number"
        ),
    ]
    choose: Literal["silhouette", "error"] = Field(
        default="silhouette",
        description="how k is chosen from a range; error, of a model, takes about ten times longer",
    )

    @model_validator(mode="after")
    def _a_choice(self) -> Self:
        if self.choose == "error" and isinstance(self.k, int):
            raise ValueError(
                f"choose: error needs a range of k such as {{from: 5, to: 15}}, got {self.k}"
            )
        return self


DerivedFeature = Annotated[RatioFeature | PairFeature | ClusterFeature, Field(discriminator="kind")]


class Split(Strict):
    """How the test part is held out before anything is fitted."""

    test: float = Field(default=0.2, gt=0, lt=0.5, description="share of rows held out")
    by: Literal["random", "time"] = "random"
    seed: int = Field(default=42, ge=0, le=LARGEST_SEED)


class Search(Strict):
    """Candidates are compared by cross-validation, then the winner is tuned."""

    metric: str | None = Field(default=None, description="null: macro_f1, or mae for regression")
    candidates: tuple[str, ...] | None = Field(
        default=None, min_length=1, description="null: all of the task"
    )
    folds: int = Field(default=5, ge=2, le=20)
    trials: int = Field(default=20, ge=1, le=1000)
    seed: int = Field(default=42, ge=0, le=LARGEST_SEED)


class DecisionCosts(Strict):
    """What wrong decisions between two classes cost; right ones cost nothing.

    The threshold that decides is the one with the lowest mean cost in cross-validation.
    """

    positive: Annotated[
        str, BeforeValidator(lambda v: str(v).lower() if isinstance(v, bool) else v)
    ] = Field(description="the class that is looked for; true for a boolean target")
    false_positive: float = Field(gt=0, description="of a row that is wrongly taken for positive")
    false_negative: float = Field(gt=0, description="of a positive row that is not found")
    unit: str = Field(default="cost units", min_length=1)


class Explanation(Strict):
    """What a release carries to explain its predictions."""

    neighbours: int = Field(default=5, ge=1, le=50)
    coverage: float = Field(
        default=0.9, gt=0.5, lt=1, description="of the conformal prediction set"
    )
