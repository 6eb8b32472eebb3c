"""How good predictions are: metrics with bootstrap intervals, confusion counts and row losses.

Belongs here: numbers computed from truth and predictions that are already in memory. Does not
belong here: whether a number is good enough (`leeway.release`), or fitting anything.

Intervals are those of `leeway.metrics.bootstrap`, over rows. A resample in which a metric is
undefined, such as one without any row of a class, is left out of that metric's interval. An
interval is undefined on fewer than `FEWEST_ROWS` rows and where every resample gives the same: such
rows show no spread, which does not mean that there is none. A bootstrap knows the losses of these
rows alone, so that log loss and Brier score of a model without an error look too certain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from leeway.metrics.bootstrap import (
    FEWEST_ROWS,
    bootstrap_weights,
    percentile_interval,
)
from leeway.metrics.formulas import (
    NEAR_PERCENT,
    classification_scorer,
    log_losses,
    regression_scorer,
)
from leeway.metrics.inputs import check_probabilities, encode, finite_pair
from leeway.metrics.perfection import lower_bounds, upper_bounds
from leeway.spec import METRIC_RANGES, unit_of

Floats = NDArray[np.float64]
Labels = NDArray[Any]

OF_PERCENTAGE_ERRORS = (
    "mape_percent",
    "median_ape_percent",
    "smape_percent",
    *(f"fraction_within_{limit}_percent" for limit in NEAR_PERCENT),
)


@dataclass(frozen=True)
class Metric:
    """A metric on `rows` rows; a `value` of None is undefined, and `reason` says why."""

    value: float | None
    low: float | None
    high: float | None
    unit: str
    rows: int
    reason: str | None = None

    def as_dict(self) -> dict[str, object]:
        """For JSON; `reason` is there only when the metric is undefined."""
        fields = asdict(self)
        if self.value is not None:
            del fields["reason"]
        return fields


def classification_metrics(
    truth: Labels,
    probabilities: Floats,
    classes: Sequence[str],
    *,
    predicted: Labels | None = None,
    resamples: int = 500,
    seed: int = 0,
) -> dict[str, Metric]:
    """Metrics of class probabilities, with bootstrapped intervals.

    A metric of exactly 1 or 0 has the bounds of `leeway.metrics.perfection` instead, on few rows,
    too.

    roc_auc and pr_auc are unweighted means over classes, one against the rest; pr_auc is average
    precision. brier_score is summed over classes (0 to 2; Brier 1950). log_loss_nats clips
    probabilities at the machine epsilon.

    Args:
        truth: labels, shape (rows,).
        probabilities: shape (rows, classes), each row summing to 1.
        classes: labels of the columns of `probabilities`.
        predicted: classes that were decided for, shape (rows,); None: the most probable ones.

    Raises:
        ValueError: on shapes that do not fit, a label outside `classes`, or no probability.
    """
    codes = encode(truth, classes)
    check_probabilities(probabilities, len(codes), len(classes))
    rows = len(codes)
    names = tuple(METRIC_RANGES["classification"])
    absent = [name for code, name in enumerate(classes) if not np.any(codes == code)]
    undefined: dict[str, str] = {}
    if absent:
        why = f"no row of class {absent[0]!r} among {rows} rows"
        undefined = dict.fromkeys(("balanced_accuracy", "macro_f1", "roc_auc", "pr_auc"), why)
    if len(classes) < 2:
        undefined = dict.fromkeys(("roc_auc", "pr_auc"), "there is only one class")
    chosen = None if predicted is None else encode(predicted, classes)
    score = classification_scorer(codes, np.asarray(probabilities, dtype=np.float64), chosen)
    weights = bootstrap_weights(rows, resamples, seed)
    units = {name: unit_of(name) for name in names}
    metrics = with_intervals(score, rows, units, undefined, weights)
    counts = np.bincount(codes, minlength=len(classes)).tolist()
    return _bounded_at_the_ends(metrics, counts)


def _bounded_at_the_ends(metrics: dict[str, Metric], counts: list[int]) -> dict[str, Metric]:
    """Gives a metric of exactly 1 or 0 the other bound that its rows allow to claim."""
    perfect = [name for name, metric in metrics.items() if metric.value == 1]
    useless = [name for name, metric in metrics.items() if metric.value == 0]
    least = lower_bounds(counts) if perfect else {}
    most = upper_bounds(counts) if useless else {}
    above = {n: replace(metrics[n], low=least[n], high=1.0) for n in perfect if n in least}
    below = {n: replace(metrics[n], low=0.0, high=most[n]) for n in useless if n in most}
    return metrics | above | below


def regression_metrics(
    truth: Floats,
    predicted: Floats,
    *,
    unit: str,
    confidence: float = 0.95,
    resamples: int = 500,
    seed: int = 0,
) -> dict[str, Metric]:
    """Metrics of predicted numbers; `unit` is the target's, which mae and rmse share.

    Args:
        truth: shape (rows,).
        predicted: shape (rows,).

    Raises:
        ValueError: on shapes that do not fit or a value that is not finite.
    """
    truth, predicted = finite_pair(truth, predicted)
    rows = len(truth)
    undefined: dict[str, str] = {}
    if np.any(truth == 0):
        why = "a true value is 0, which has no percentage error"
        undefined |= dict.fromkeys(OF_PERCENTAGE_ERRORS, why)
    if rows and not np.any(truth):
        undefined["wmape_percent"] = "all true values are 0, so there is nothing to weigh by"
    if rows and np.ptp(truth) == 0:
        undefined["r2"] = "all true values are equal, so there is no variance to explain"
    units = {name: unit_of(name, unit) for name in METRIC_RANGES["regression"]}
    weights = bootstrap_weights(rows, resamples, seed)
    score = regression_scorer(truth, predicted)
    return with_intervals(score, rows, units, undefined, weights)


def with_intervals(
    score: Callable[[Floats], Mapping[str, float]],
    rows: int,
    units: Mapping[str, str],
    undefined: Mapping[str, str],
    weights: Iterator[Floats],
) -> dict[str, Metric]:
    """Metrics of a function from row weights, with the interval of each.

    Args:
        score: gives each metric from weights of shape (rows,).
        rows: how many there are.
        units: by metric.
        undefined: why a metric has no value.
        weights: of the resamples.
    """
    if rows == 0:
        why = "there are no rows"
        return {name: Metric(None, None, None, unit, 0, why) for name, unit in units.items()}
    values = score(np.ones(rows))
    drawn = [score(weight) for weight in weights] if rows >= FEWEST_ROWS else []
    metrics = {}
    for name, unit in units.items():
        if name in undefined or not np.isfinite(values[name]):
            why = undefined.get(name, "the values are too large or too close for floating point")
            metrics[name] = Metric(None, None, None, unit, rows, why)
            continue
        low, high = _interval(np.array([one[name] for one in drawn]))
        metrics[name] = Metric(float(values[name]), low, high, unit, rows)
    return metrics


def _interval(drawn: Floats) -> tuple[float, float] | tuple[None, None]:
    """The interval of a resampled metric; undefined when it has no width but that of rounding."""
    defined = drawn[np.isfinite(drawn)]
    if not defined.size:
        return None, None
    low, high = percentile_interval(defined)
    return (None, None) if np.isclose(low, high, rtol=1e-12, atol=0) else (low, high)


def confusion_matrix(truth: Labels, predicted: Labels, classes: Sequence[str]) -> list[list[int]]:
    """Counts of rows: one list per true class, in it one count per predicted class.

    Raises:
        ValueError: on different lengths or a label outside `classes`.
    """
    if len(truth) != len(predicted):
        raise ValueError(f"{len(truth)} true labels but {len(predicted)} predicted ones")
    k = len(classes)
    cells = encode(truth, classes) * k + encode(predicted, classes)
    counts: list[list[int]] = np.bincount(cells, minlength=k * k).reshape(k, k).tolist()
    return counts


def row_losses(
    task: Literal["classification", "regression"],
    truth: Labels,
    prediction: Floats,
    classes: Sequence[str] = (),
) -> Floats:
    """Loss of each row, shape (rows,), for a paired comparison of two models.

    Classification: log loss in nats, with probabilities clipped at the machine epsilon;
    `prediction` has shape (rows, classes). Regression: absolute error; shape (rows,).

    Raises:
        ValueError: as `classification_metrics` and `regression_metrics` do.
    """
    if task == "regression":
        truth, prediction = finite_pair(truth, prediction)
        return np.abs(truth - prediction)
    codes = encode(truth, classes)
    check_probabilities(prediction, len(codes), len(classes))
    return log_losses(codes, np.asarray(prediction, dtype=np.float64))
