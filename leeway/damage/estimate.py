"""A metric of rows without labels, from the losses of others: its value and its interval.

Belongs here: combining expected values and weights. Does not belong here: either of them
(`leeway.damage.expected`, `leeway.damage.overlap`), or a verdict (`leeway.damage.verdict`).

The expectation of a loss over the current rows is corrected by the weighted mean of what the
expectation missed on the reference. The result is right when either the expectations or the weights
are, and errs by the product of their errors when neither is (J. Robins, A. Rotnitzky and L. Zhao,
Journal of the American Statistical Association 89, 1994), so that both may come from flexible
models fitted on other rows (V. Chernozhukov et al., Double/debiased machine learning, The
Econometrics Journal 21, 2018). Weights alone have no term for the noise of the classifier that they
come from, and expectations alone none for their bias; benchmarks/README.md has all three.

Intervals are bootstrapped over the rows of both tables, with the models as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leeway.damage.expected import Expected
from leeway.damage.losses import MeanMetric
from leeway.metrics.auc import Estimate
from leeway.metrics.bootstrap import bootstrap_weights, percentile_interval
from leeway.metrics.formulas import Scorer, classification_scorer

Floats = NDArray[np.float64]
# From how often each reference row and each current row is drawn: the metric on both.
Statistic = Callable[[Floats, Floats], tuple[float, float]]

RESAMPLES = 500


@dataclass(frozen=True)
class Estimated:
    """A metric on the reference, its estimate for current rows, and the second less the first."""

    reference: float
    current: Estimate
    change: Estimate


def estimated(
    statistic: Statistic,
    rows: tuple[int, int],
    bounds: tuple[float | None, float | None],
    seed: int,
) -> Estimated | None:
    """The value of a statistic, with percentile intervals of both parts.

    Args:
        statistic: of how often each row is drawn, shapes (reference rows,) and (current rows,).
        rows: of the reference, and current ones.
        bounds: that the metric can reach; a correction may lead beyond them.

    Returns:
        None where the statistic is undefined on the rows as they are, or on most of the resamples.
    """
    low, high = (-np.inf if bounds[0] is None else bounds[0]), bounds[1]
    whole = statistic(np.ones(rows[0]), np.ones(rows[1]))
    drawn = np.array([whole, *(statistic(*pair) for pair in _pairs(rows, seed))])
    drawn = np.clip(drawn, low, np.inf if high is None else high)
    (ours, theirs), drawn = drawn[0].tolist(), drawn[1:]
    defined = drawn[np.isfinite(drawn).all(axis=1)]
    if not np.isfinite([ours, theirs]).all() or len(defined) < len(drawn) / 2:
        return None
    return Estimated(
        ours,
        Estimate(theirs, *percentile_interval(defined[:, 1])),
        Estimate(theirs - ours, *percentile_interval(defined[:, 1] - defined[:, 0])),
    )


def _pairs(rows: tuple[int, int], seed: int) -> Iterator[tuple[Floats, Floats]]:
    reference = bootstrap_weights(rows[0], RESAMPLES, seed)
    return zip(reference, bootstrap_weights(rows[1], RESAMPLES, seed + 1), strict=False)


def of_losses(
    metric: MeanMetric, losses: Floats, expected: Expected, current: Floats, weights: Floats
) -> Statistic:
    """The statistic of a metric of mean losses.

    Args:
        losses: of reference rows, shape (rows, losses).
        expected: of the same rows and losses.
        current: expected losses of the current rows, shape (current rows, losses).
        weights: of the reference rows, shape (rows,).
    """
    missed = losses - expected.reference

    def statistic(ours: Floats, theirs: Floats) -> tuple[float, float]:
        own = ours * weights
        means = theirs @ current / theirs.sum() + own @ missed / own.sum()
        return metric.value(ours @ losses / ours.sum()), metric.value(means)

    return statistic


def of_classes(
    metric: str,
    codes: NDArray[np.intp],
    predicted: tuple[NDArray[np.intp], NDArray[np.intp]],
    probabilities: tuple[Floats, Floats],
    expected: Expected,
    current: Floats,
    weights: Floats,
) -> Statistic:
    """The statistic of a classification metric.

    Each row stands once for each class, with the share of it that is expected; reference rows add
    what was missed, which sums to 0 over the classes of a row.

    Args:
        metric: a name of `spec.METRIC_RANGES` but pr_auc.
        codes: true classes of the reference rows, shape (rows,).
        predicted: classes that are decided for, of reference and current rows.
        probabilities: of the model, of reference and current rows, shape (rows, classes).
        expected: classes of the reference rows.
        current: expected classes of the current rows, shape (current rows, classes).
        weights: of the reference rows, shape (rows,).
    """
    classes = probabilities[0].shape[1]
    missed = np.eye(classes)[codes] - expected.reference
    known = classification_scorer(codes, probabilities[0], predicted[0])
    spread = _spread(np.concatenate(probabilities), np.concatenate(predicted), classes)

    def statistic(ours: Floats, theirs: Floats) -> tuple[float, float]:
        own = ours * weights
        shares = np.concatenate(
            [
                (own / own.sum())[:, np.newaxis] * missed,
                (theirs / theirs.sum())[:, np.newaxis] * current,
            ]
        )
        return known(ours)[metric], spread(shares.ravel())[metric]

    return statistic


def _spread(probabilities: Floats, predicted: NDArray[np.intp], classes: int) -> Scorer:
    """The scorer of rows that stand once for each class, one class after the other."""
    rows = len(probabilities)
    return classification_scorer(
        np.tile(np.arange(classes), rows),
        np.repeat(probabilities, classes, axis=0),
        np.repeat(predicted, classes),
    )
