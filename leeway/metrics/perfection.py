"""How far from perfect a classifier may be that made no error, or from useless one that made all.

Belongs here: lower bounds of metrics whose value is exactly 1, and upper bounds of those that are
exactly 0. Does not belong here: any other interval: those are bootstrapped, and a bootstrap of rows
without an error, or without a hit, has no width.

The bounds follow Clopper and Pearson, The use of confidence or fiducial limits, Biometrika 26
(1934), for all classes together: with n rows of each class, recalls r make no error with a
probability of the product of r ** n, and those where it is below `TAIL` are ruled out. The bound of
a metric is its smallest value among the recalls that are left, where the classes have the shares of
the rows, and for F1 also among the classes that the errors may be taken for.

A ROC area ranks pairs of one row of the class and one of the rest. Of m rows of the smaller side
there are m pairs without a common row, and all of them are in order with a probability of at most
the area ** m. For the area of average precision no such bound is known, so there is none here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leeway.metrics.bootstrap import CONFIDENCE

Floats = NDArray[np.float64]

TAIL = (1 - CONFIDENCE) / 2  # what is below the lower end of a two-sided interval
_BUDGET = -np.log(TAIL)


def lower_bounds(counts: Sequence[int]) -> dict[str, float]:
    """Lower bounds, by metric, of a classifier without an error on `counts` rows of each class.

    Accuracy alone when a class has no row or there is but one class; without macro_f1 when its
    smallest value was not found. There are none on no rows.
    """
    rows = sum(counts)
    bounds = {"accuracy": float(TAIL ** (1 / rows))} if rows else {}
    if len(counts) < 2 or not all(counts):
        return bounds
    of_classes = np.array(counts, np.float64)
    bounds["balanced_accuracy"] = float(_least_balanced(of_classes).mean())
    bounds["roc_auc"] = float(np.mean([TAIL ** (1 / min(n, rows - n)) for n in counts]))
    macro_f1 = _smallest_macro_f1(of_classes)
    return bounds if macro_f1 is None else {**bounds, "macro_f1": macro_f1}


def upper_bounds(counts: Sequence[int]) -> dict[str, float]:
    """Upper bounds, by metric, of a classifier that is wrong on all of `counts` rows of each class.

    Each class alone rules out recalls r where (1 - r) ** n is below `TAIL`, and F1 is at most
    2 r / (1 + r), which it is where all that is taken for the class is of it. Together they rule
    out more; what a gate asks of is far above either. Accuracy alone when a class has no row.
    """
    rows = sum(counts)
    bounds = {"accuracy": float(1 - TAIL ** (1 / rows))} if rows else {}
    if len(counts) < 2 or not all(counts):
        return bounds
    recalls = 1 - TAIL ** (1 / np.array(counts, np.float64))
    bounds["balanced_accuracy"] = float(recalls.mean())
    bounds["macro_f1"] = float(np.mean(2 * recalls / (1 + recalls)))
    return bounds


def _least_balanced(rows: Floats) -> Floats:
    """The recalls with the smallest mean: in proportion to the rows, but at most 1.

    By the method of Lagrange, which finds the minimum of a sum over a convex region.
    """
    free = np.full(len(rows), True)
    while True:
        own = rows[free]
        recalls = np.ones(len(rows))
        recalls[free] = own * np.exp(-(_BUDGET + own @ np.log(own)) / own.sum())
        if (recalls <= 1).all():
            return recalls
        free &= recalls < 1


def _smallest_macro_f1(rows: Floats) -> float | None:
    """The smallest mean F1 over recalls and over the classes that errors are taken for.

    A point is, for each class, its share of `_BUDGET` = -sum(n log r), and the rows that are taken
    for it. Errors can go to other classes only, which is possible exactly when no class has more
    rows lost and taken together than there are errors.
    """
    from scipy.optimize import minimize

    k = len(rows)
    shares = [-rows * np.log(_least_balanced(rows)) / _BUDGET, 1 / rows, rows == rows.min()]
    found = []
    for share in shares:
        lost = _lost(rows, share / share.sum())
        start = np.r_[share / share.sum(), (lost.sum() - lost) / (k - 1)]
        best = minimize(
            _mean_f1(rows),
            start,
            method="SLSQP",
            bounds=[(0, 1)] * k + [(0, None)] * k,
            constraints=_errors_that_can_be(rows),
            options={"maxiter": 1000, "ftol": 1e-10},
        )
        if best.success:
            found.append(float(best.fun))
    return min(found, default=None)


def _lost(rows: Floats, share: Floats) -> Floats:
    """Rows of each class that are taken for another one, when it has this share of the budget."""
    lost: Floats = -rows * np.expm1(-_BUDGET * share / rows)
    return lost


def _mean_f1(rows: Floats) -> Callable[[Floats], float]:
    def mean_f1(point: Floats) -> float:
        share, taken = np.split(point, 2)
        hits = rows - _lost(rows, share)
        return float(np.mean(2 * hits / (hits + rows + taken)))

    return mean_f1


def _errors_that_can_be(rows: Floats) -> list[dict[str, Any]]:
    """What a point must keep, in the form of scipy's SLSQP."""

    def equal(point: Floats) -> Floats:
        share, taken = np.split(point, 2)
        return np.array([share.sum() - 1, taken.sum() - _lost(rows, share).sum()])

    def at_least_zero(point: Floats) -> Floats:
        share, taken = np.split(point, 2)
        lost = _lost(rows, share)
        spare: Floats = lost.sum() - lost - taken
        return spare

    return [{"type": "eq", "fun": equal}, {"type": "ineq", "fun": at_least_zero}]
