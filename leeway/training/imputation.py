"""Which imputation a number column gets: the one that fills masked known values best.

Belongs here: masking known values of the training part and comparing what each strategy puts there.
Does not belong here: the imputers (`leeway.training.preprocessing`), or which decisions a use case
leaves open (`leeway.training.decisions`).

What is masked was not missing by itself: where values are missing for a reason that lies in the
value, the errors here are those of other rows than the ones that will be filled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from leeway.metrics.evaluation import Metric, regression_metrics
from leeway.training.folds import one_thread
from leeway.training.preprocessing import imputer

if TYPE_CHECKING:
    import pandas as pd

    from leeway.spec import UseCase

Floats = NDArray[np.float64]

STRATEGIES = ("median", "mean", "knn", "iterative")  # of equal ones the simplest wins
SHARE_MASKED = 0.2
FEWEST_MASKED = 10  # rows; fewer give no interval
# Nearest neighbours compare every masked row with every other, and regressions every column.
MOST_ROWS = 20_000
MOST_MASKED = 3_000  # of all columns together, but at least 200 of each
MOST_COLUMNS = 50


@dataclass(frozen=True)
class ImputationComparison:
    """How well each strategy filled the masked values of one column.

    `rmse` has one metric per strategy in the column's unit, undefined with a reason where the
    strategy gave none. `missing` counts the rows without a value, `winner` has the lowest error.
    `reason` says why nothing was compared; the winner then is the median.
    """

    column: str
    missing: int
    rmse: dict[str, Metric]
    winner: str
    reason: str | None = None

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        scores = {strategy: metric.as_dict() for strategy, metric in self.rmse.items()}
        fields = {"column": self.column, "missing": self.missing, "winner": self.winner}
        return {**fields, "rmse": scores, "reason": self.reason}


def compare_imputations(frame: pd.DataFrame, use_case: UseCase) -> list[ImputationComparison]:
    """Compares the strategies for each number column of the training part with missing values.

    All are fitted on the same four fifths of the rows. In the others the column is masked where it
    is known, filled from what else those rows hold, and compared with what was there. At most
    20 000 rows, drawn with the seed of the search, take part.

    Args:
        frame: features of the training part, as of `leeway.data.frames.feature_frame`.
        use_case: its number columns without a strategy of their own are compared.

    Returns:
        One comparison per such column, in the order of the use case.
    """
    numbers = [c.name for c in use_case.feature_columns if c.type != "category"]
    values = frame[numbers].to_numpy(dtype=np.float64)
    missing = np.isnan(values).sum(axis=0)
    own = use_case.imputation.columns
    open_ = [i for i, name in enumerate(numbers) if missing[i] and name not in own]
    if not open_:
        return []
    with one_thread():
        return _compare(values, numbers, open_, use_case)


def _compare(
    values: Floats, numbers: list[str], open_: list[int], use_case: UseCase
) -> list[ImputationComparison]:
    missing = np.isnan(values).sum(axis=0)
    order = np.random.default_rng(use_case.search.seed).permutation(len(values))[:MOST_ROWS]
    held_out = round(SHARE_MASKED * len(order))
    judged, fitted = values[order[:held_out]], values[order[held_out:]]
    filled = _fitted(fitted, use_case.search.seed)
    most = max(200, MOST_MASKED // len(open_))
    found = []
    for position in open_:
        name = numbers[position]
        known = judged[~np.isnan(judged[:, position])][:most]
        unit = use_case.column(name).unit or "column unit"
        rmse, reason = _errors(filled, known, position, unit)
        defined = {s: metric.value for s, metric in rmse.items() if metric.value is not None}
        winner = min(defined, key=defined.__getitem__) if defined else STRATEGIES[0]
        found.append(ImputationComparison(name, int(missing[position]), rmse, winner, reason))
    return found


def _fitted(values: Floats, seed: int) -> dict[str, Any]:
    """Each strategy as a fitted pipeline, or the reason why it is left out."""
    from sklearn.pipeline import make_pipeline

    from leeway.training.transformers import GapScaler

    columns = values.shape[1]
    fitted: dict[str, Any] = {}
    for strategy in STRATEGIES:
        if strategy in ("knn", "iterative") and columns > MOST_COLUMNS:
            fitted[strategy] = f"left out: too slow for {columns} number columns"
            continue
        fitted[strategy] = make_pipeline(GapScaler(), imputer(strategy, seed)).fit(values)
    return fitted


def _errors(
    filled: dict[str, Any], known: Floats, position: int, unit: str
) -> tuple[dict[str, Metric], str | None]:
    if len(known) < FEWEST_MASKED:
        return {}, (
            f"only {len(known)} known values could be masked, and {FEWEST_MASKED} are needed: "
            "the median is used"
        )
    masked = known.copy()
    masked[:, position] = np.nan
    errors = {}
    for strategy, pipeline in filled.items():
        if isinstance(pipeline, str):
            errors[strategy] = Metric(None, None, None, unit, len(known), pipeline)
            continue
        scale = pipeline[0]
        put = pipeline.transform(masked)[:, position] * scale.scale_[position]
        put += scale.mean_[position]
        errors[strategy] = regression_metrics(known[:, position], put, unit=unit)["rmse"]
    return errors, None
