"""Which columns the expected damage comes from.

Belongs here: Shapley values of columns for an expected loss. Does not belong here: the loss
(`leeway.damage.expected`), or whether there is damage (`leeway.damage.verdict`).

A reference row turns into a current row column by column, in a random order; a column is blamed for
what the expected loss changes when it is its turn. The mean over pairs of rows and orders is the
Shapley value with the reference as background (E. Štrumbelj and I. Kononenko, Explaining prediction
models and individual predictions with feature contributions, Knowledge and Information Systems 41,
2014; H. Zhang et al. share out a change of performance in this way in "Why did the model fail?",
ICML 2023). The values sum to the whole change of the expected loss. Where columns hang together,
rows on the way are of neither table, and the blame between such columns is a matter of convention.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from leeway.metrics.auc import Estimate
from leeway.metrics.bootstrap import CONFIDENCE

Floats = NDArray[np.float64]
Positions = NDArray[np.intp]
# From the row that each value is taken of, shape (rows, columns), to expected losses, (rows,).
Loss = Callable[[Positions], Floats]

MOST_PAIRS = 1000
# Rows whose loss is asked for, so that many columns cost no more than few.
MOST_MIXED = 20_000


@dataclass(frozen=True)
class ColumnDamage:
    """What a column changes the expected loss by, in the unit of the loss.

    `share` is the size of that among the sizes of all columns, 0 to 1.
    """

    name: str
    change: Estimate
    share: float

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        change = {"value": self.change.value, "low": self.change.low, "high": self.change.high}
        return {"name": self.name, "change": change, "share": self.share}


def attribute(
    loss: Loss, names: tuple[str, ...], rows: tuple[int, int], seed: int
) -> tuple[ColumnDamage, ...]:
    """The part of each column, the largest first.

    Args:
        loss: of rows that are put together from reference rows, at 0 and on, and current ones,
            which come after them.
        names: of the columns.
        rows: of the reference, and current ones.
        seed: of the pairs and orders.
    """
    columns = len(names)
    pairs = min(MOST_PAIRS, max(2, MOST_MIXED // (columns + 1)))
    rng = np.random.default_rng(seed)
    ours = rng.integers(0, rows[0], pairs)
    theirs = rows[0] + rng.integers(0, rows[1], pairs)
    turn = rng.permuted(np.tile(np.arange(columns), (pairs, 1)), axis=1)
    # Of shape (pairs, steps, columns): at step s the columns whose turn is before s have changed.
    changed = turn[:, np.newaxis, :] < np.arange(columns + 1)[:, np.newaxis]
    taken = np.where(changed, theirs[:, np.newaxis, np.newaxis], ours[:, np.newaxis, np.newaxis])
    losses = loss(taken.reshape(-1, columns)).reshape(pairs, columns + 1)
    steps = np.take_along_axis(np.diff(losses, axis=1), turn, axis=1)
    return _summary(steps, names)


def _summary(steps: Floats, names: tuple[str, ...]) -> tuple[ColumnDamage, ...]:
    means = steps.mean(axis=0)
    margins = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * steps.std(axis=0, ddof=1)
    margins /= np.sqrt(len(steps))
    whole = float(np.abs(means).sum())
    found = [
        ColumnDamage(name, Estimate(value, value - margin, value + margin), abs(value) / whole)
        if whole
        else ColumnDamage(name, Estimate(0.0, 0.0, 0.0), 0.0)
        for name, value, margin in zip(names, means.tolist(), margins.tolist(), strict=True)
    ]
    return tuple(sorted(found, key=lambda each: (-each.share, each.name)))
