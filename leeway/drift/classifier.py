"""A classifier that tries to tell which of two tables a row is from.

Belongs here: its probabilities for rows of which it has seen no copy, how well it tells, and by
which columns. Does not belong here: which rows are copies (`leeway.drift.copies`), what counts as
drift (`leeway.drift.multivariate`), or weights made from the probabilities
(`leeway.damage.overlap`).

Where no classifier can tell rows apart, the tables are from one distribution, joint and marginal
(J. Friedman, On multivariate goodness-of-fit and two-sample testing, PHYSTAT 2003; D. Lopez-Paz and
M. Oquab, Revisiting classifier two-sample tests, ICLR 2017). This one is gradient boosting of small
trees, which reads gaps and levels as they are; of five that were tried on correlations that change
their sign it was the cheapest, and none told them better by more than 0.03 of area.

How much a column is leaned on is the loss of area when its values are permuted among the judged
rows (L. Breiman, Random forests, Machine Learning 45, 2001). Columns that say the same can stand in
for each other, so that none of them seems to matter alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leeway.drift.copies import Integers, by_unit, equal_rows
from leeway.drift.rows import CodedRows, fittable, seed_of
from leeway.metrics.auc import Estimate, Placements, mean_auc, mean_auc_change, placements

Floats = NDArray[np.float64]

FOLDS = 5
# So few boosting rounds of so small trees are enough to tell, and cost a second on 10 000 rows.
ROUNDS, LEAVES = 50, 15


@dataclass(frozen=True)
class JudgedFold:
    """A fitted classifier and the positions of the rows that it judges, in those of both tables."""

    model: Any
    judged: NDArray[np.intp]


@dataclass(frozen=True)
class Origin:
    """How well a classifier tells current rows from reference rows, on rows it was not fitted on.

    `current` marks the current rows and `probability` says how likely each row is one of them,
    shape (rows,), the reference first; the share of current rows is the prior. Each row counts in
    an area, whose interval is as wide as that of so many `units` (`leeway.drift.copies`).
    """

    rows: CodedRows
    units: Integers
    current: NDArray[np.bool_]
    probability: Floats
    folds: tuple[JudgedFold, ...]

    def auc(self, alpha: float) -> Estimate:
        """Area under the ROC curve; its interval is wrong with probability `alpha`."""
        return mean_auc(self._placements(), alpha)

    def leaned_on(self, alpha: float) -> dict[str, Estimate]:
        """The loss of area without each column, the largest first; each interval as of `auc`."""
        from leeway.training.folds import one_thread

        before, values = self._placements(), self.rows.both
        found = {}
        with one_thread():  # of 500 columns each prediction is too short to be shared out
            for position, name in enumerate(self.rows.names):
                after = [self._without(position, fold, values) for fold in self.folds]
                found[name] = mean_auc_change(before, after, alpha)
        return dict(sorted(found.items(), key=lambda item: (-item[1].value, item[0])))

    def _placements(self) -> list[Placements]:
        return [self._placed(fold, self.probability[fold.judged]) for fold in self.folds]

    def _without(self, position: int, fold: JudgedFold, values: Floats) -> Placements:
        rows = values[fold.judged]
        order = np.random.default_rng(position).permutation(len(rows))
        rows[:, position] = rows[order, position]
        return self._placed(fold, _probability(fold.model, rows))

    def _placed(self, fold: JudgedFold, probability: Floats) -> Placements:
        current, units = self.current[fold.judged], self.units[fold.judged]
        of_rows = placements(probability, current)
        return Placements(
            by_unit(of_rows.positive, units[current]), by_unit(of_rows.negative, units[~current])
        )


def tell_origin(rows: CodedRows) -> Origin:
    """Fits on four fifths of the rows of both tables what judges the last one, five times.

    Equal rows are judged together.

    Raises:
        ValueError: when a side has fewer rows than there are folds, or no column varies.
    """
    from sklearn.model_selection import StratifiedKFold

    from leeway.training.folds import one_thread

    if not rows.varying.any():
        raise ValueError("every row is the same")
    values, seed = rows.both, seed_of(rows.reference, rows.current)
    current = np.arange(len(values)) >= len(rows.reference)
    probability, folds = np.empty(len(values)), []
    equal = equal_rows(rows)
    first, unit = np.unique(equal.together, return_inverse=True)
    split = StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(first, current[first])
    with one_thread():
        for _, chosen in split:
            held_out = np.isin(unit, chosen)
            judged = np.flatnonzero(held_out)
            model = _fitted(values[~held_out], current[~held_out], rows.categories, seed)
            probability[judged] = _probability(model, values[judged])
            folds.append(JudgedFold(model, judged))
    return Origin(rows, equal.units, current, probability, tuple(folds))


def names_of(found: dict[str, Estimate]) -> Sequence[str]:
    """The columns whose loss of area is proven: the whole interval is above 0."""
    return [name for name, each in found.items() if each.low > 0]


def _fitted(
    values: Floats, current: NDArray[np.bool_], categories: NDArray[np.bool_], seed: int
) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(
        max_iter=ROUNDS,
        max_leaf_nodes=LEAVES,
        l2_regularization=1.0,
        early_stopping=False,
        categorical_features=categories,
        random_state=seed,
    )
    return model.fit(fittable(values), current)


def _probability(model: Any, values: Floats) -> Floats:
    probability: Floats = model.predict_proba(values)[:, 1]
    return probability
