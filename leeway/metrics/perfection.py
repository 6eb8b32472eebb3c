"""How far from perfect a classifier may be that made no error.

Belongs here: lower bounds of metrics whose value is exactly 1. Does not belong here: any other
interval: those are bootstrapped, and a bootstrap of rows without an error has no width.

The bounds follow Clopper and Pearson, The use of confidence or fiducial limits, Biometrika 26
(1934): the recalls r of the classes under which no error in n rows of each has a probability of at
least `tail` are those with the product of r ** n at least `tail`. The bound of a metric is its
smallest value among them, looked for where one class makes all of the errors, and those go to one
other class. Ranking metrics are bounded by the rows of a class that rank above all others.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations


def lower_bounds(counts: Sequence[int], confidence: float) -> dict[str, float]:
    """Lower bounds, by metric, of a classifier without an error on `counts` rows of each class.

    Args:
        counts: rows of each class, each at least 1.
        confidence: of the two-sided interval whose lower end is given, such as 0.95.
    """
    tail = (1 - confidence) / 2
    recalls = [tail ** (1 / count) for count in counts]
    classes = len(counts)
    balanced = (classes - 1 + min(recalls)) / classes
    return {
        "accuracy": tail ** (1 / sum(counts)),
        "balanced_accuracy": balanced,
        "macro_f1": _macro_f1(counts, recalls),
        "roc_auc": balanced,
        "pr_auc": balanced,
    }


def _macro_f1(counts: Sequence[int], recalls: Sequence[float]) -> float:
    """The smallest mean F1 when one class loses rows to one other."""
    lowest = 1.0
    for loser, winner in permutations(range(len(counts)), 2):
        lost = counts[loser] * (1 - recalls[loser])
        of_loser = 2 * recalls[loser] / (1 + recalls[loser])
        of_winner = 2 * counts[winner] / (2 * counts[winner] + lost)
        lowest = min(lowest, (len(counts) - 2 + of_loser + of_winner) / len(counts))
    return lowest
