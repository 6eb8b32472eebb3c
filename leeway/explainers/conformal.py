"""Prediction sets and intervals that hold the truth in a stated share of cases.

Belongs here: cross-conformal calibration from out-of-fold predictions of the training part, and
its use. Does not belong here: the out-of-fold predictions themselves (`leeway.training.folds`).

Sources: V. Vovk, Cross-conformal predictors, Annals of Mathematics and AI 74 (2015), for pooling
the scores of all folds; M. Sadinle, J. Lei, L. Wasserman, Least ambiguous set-valued classifiers,
JASA 114 (2019), for the score 1 - p(true class); J. Lei et al., Distribution-free predictive
inference for regression, JASA 113 (2018), for absolute residuals. Exact coverage is proven for
split conformal; cross-conformal keeps it in practice but promises only 2 * coverage - 1. It holds
on average over rows that are exchangeable with the training part, and not after drift.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Calibration:
    """What a release stores to make prediction sets or intervals.

    A `threshold` of None is undefined, and `reason` says why. It is a score from 0 to 1 for a
    classification, and half the width of the interval, in the target's unit, for a regression.
    """

    task: Literal["classification", "regression"]
    coverage: float
    rows: int
    threshold: float | None
    classes: tuple[str, ...] = ()
    reason: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "classes": list(self.classes)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The calibration whose `as_dict` is `data`.

        Raises:
            TypeError: when a field is unknown or absent.
        """
        return cls(**{**data, "classes": tuple(data["classes"])})


def calibrate_classes(
    target: NDArray[Any],
    probabilities: NDArray[np.float64],
    classes: Sequence[str],
    coverage: float,
) -> Calibration:
    """Calibrates prediction sets on probabilities of models that had not seen the row.

    Args:
        target: labels, shape (rows,).
        probabilities: out of fold, shape (rows, classes).
        classes: labels in the order of the columns.
        coverage: share of sets that shall hold the true class, such as 0.9.

    Raises:
        ValueError: when a label is not among `classes` or a probability is missing.
    """
    position = {label: column for column, label in enumerate(classes)}
    unknown = sorted({str(label) for label in target} - set(position))
    if unknown:
        raise ValueError(f"label {unknown[0]!r} is not among the classes {list(classes)}")
    columns = np.array([position[label] for label in target], dtype=np.intp)
    scores = 1.0 - probabilities[np.arange(len(target)), columns]
    threshold, reason = _finite_sample_quantile(scores, coverage)
    return Calibration("classification", coverage, len(scores), threshold, tuple(classes), reason)


def calibrate_residuals(
    target: NDArray[np.float64], predictions: NDArray[np.float64], coverage: float
) -> Calibration:
    """Calibrates symmetric intervals on predictions of models that had not seen the row.

    Args:
        target: shape (rows,), in the target's unit.
        predictions: out of fold, shape (rows,), in the same unit.
        coverage: share of intervals that shall hold the true value, such as 0.9.

    Raises:
        ValueError: when a prediction is missing.
    """
    residuals = np.abs(np.asarray(target, dtype=np.float64) - predictions)
    threshold, reason = _finite_sample_quantile(residuals, coverage)
    return Calibration("regression", coverage, len(residuals), threshold, reason=reason)


def prediction_set(
    probabilities: NDArray[np.float64], calibration: Calibration
) -> list[tuple[str, ...]] | None:
    """For each row the classes that cannot be ruled out, the most probable first.

    The most probable class is always there, which can only raise the coverage.

    Args:
        probabilities: shape (rows, classes), columns in the order of `calibration.classes`.
        calibration: from `calibrate_classes`.

    Returns:
        None when the calibration is undefined; its `reason` says why.
    """
    if calibration.threshold is None:
        return None
    order = np.argsort(-probabilities, axis=1, kind="stable")
    kept = 1 - np.take_along_axis(probabilities, order, axis=1) <= calibration.threshold
    kept[:, 0] = True
    # A million rows have few different sets: each is made once.
    found, which = np.unique(np.where(kept, order, -1), axis=0, return_inverse=True)
    sets = [tuple(calibration.classes[c] for c in row if c >= 0) for row in found]
    return [sets[position] for position in which.reshape(-1)]


def prediction_interval(
    predictions: NDArray[np.float64], calibration: Calibration
) -> NDArray[np.float64] | None:
    """Lower and upper bounds in the target's unit, shape (rows, 2).

    Returns:
        None when the calibration is undefined; its `reason` says why.
    """
    if calibration.threshold is None:
        return None
    half = calibration.threshold
    return np.column_stack([predictions - half, predictions + half])


def _finite_sample_quantile(
    scores: NDArray[np.float64], coverage: float
) -> tuple[float | None, str | None]:
    """The ceil((n + 1) * coverage)-th smallest score, or why there is none."""
    if np.isnan(scores).any():
        raise ValueError("a prediction to calibrate on is missing")
    # Rounding errors of the product must not ask for one score more: (9 + 1) * 0.9 is 9.
    rank = math.ceil((len(scores) + 1) * coverage - 1e-9)
    if rank > len(scores):
        needed = math.ceil(coverage / (1 - coverage) - 1e-9)
        return None, (
            f"coverage {coverage:g} needs at least {needed} rows to calibrate on, "
            f"there are {len(scores)}"
        )
    return float(np.sort(scores)[rank - 1]), None
