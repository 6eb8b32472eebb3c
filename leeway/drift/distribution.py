"""Two distributions of a column in few numbers, for a picture.

Belongs here: shares of both sides per bin or level, from profiles. Does not belong here: drawing
them (`leeway.drift.pictures`), or comparing (`leeway.drift.verdict`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from leeway.drift.column import ColumnDrift, severity
from leeway.drift.distances import Floats
from leeway.drift.levels import CategoryProfile
from leeway.drift.measured import sides_of
from leeway.drift.number_pair import NumberPair, pair_of
from leeway.drift.numbers import NumberProfile
from leeway.drift.profile import Profile

BINS = 40
MOST_LEVELS = 12
MOST_COLUMNS = 60  # that have a picture
_TAIL = 0.005  # of the rows beyond either end, which are drawn in the outer bins
OTHERS = "all others"
MISSING = "no value"


@dataclass(frozen=True)
class Distribution:
    """Shares of rows by bin: of a number between `edges` (bins + 1), of a category by `levels`."""

    edges: tuple[float, ...]
    levels: tuple[str, ...]
    reference: tuple[float, ...]
    current: tuple[float, ...]

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """The inverse of `as_dict`."""
        return cls(**{name: tuple(values) for name, values in fields.items()})


def distributions_of(
    reference: Profile, current: Profile, columns: tuple[ColumnDrift, ...]
) -> dict[str, Distribution]:
    """Those of the severest columns that are on both sides, of these the largest effect first."""
    ordered = sorted(columns, key=severity, reverse=True)
    found = {}
    for column in ordered[:MOST_COLUMNS]:
        sides = sides_of(column.name, reference, current)
        if sides is None:
            continue
        ours, theirs = sides.reference, sides.current
        if isinstance(ours, NumberProfile) and isinstance(theirs, NumberProfile):
            if ours.known and theirs.known:
                found[column.name] = _of_numbers(pair_of(ours, theirs))
        elif isinstance(ours, CategoryProfile) and isinstance(theirs, CategoryProfile):
            found[column.name] = _of_levels(ours, theirs)
    return found


def _of_numbers(pair: NumberPair) -> Distribution:
    """Bins of equal width between the far quantiles of both; the outer bins are open."""
    ends = np.array(
        [
            [np.searchsorted(side.through, at) for at in (_TAIL, 1 - _TAIL)]
            for side in (pair.reference, pair.current)
        ]
    ).clip(0, pair.lower.size - 1)
    low, high = float(pair.lower[ends[:, 0].min()]), float(pair.upper[ends[:, 1].max()])
    if not low < high:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low / 2, high / 2, BINS + 1) * 2
    sides = [_shares(pair, counts, edges) for counts in pair.counts]
    return Distribution(tuple(edges.tolist()), (), *sides)


def _shares(pair: NumberPair, counts: np.ndarray, edges: Floats) -> tuple[float, ...]:
    """Rows of a cell count at its middle."""
    middles = pair.lower / 2 + pair.upper / 2
    places = np.clip(np.searchsorted(edges, middles, side="right") - 1, 0, BINS - 1)
    shares = np.bincount(places, counts, BINS) / counts.sum()
    return tuple(np.round(shares, 5).tolist())


def _of_levels(ours: CategoryProfile, theirs: CategoryProfile) -> Distribution:
    rows = [max(side.known + side.missing, 1) for side in (ours, theirs)]

    def shares(level: str) -> tuple[float, float]:
        return ours.counts.get(level, 0) / rows[0], theirs.counts.get(level, 0) / rows[1]

    def place(level: str) -> tuple[float, str]:
        return -max(shares(level)), level

    every = sorted(ours.counts.keys() | theirs.counts.keys(), key=place)
    table = {level: shares(level) for level in every[:MOST_LEVELS]}
    if others := [shares(level) for level in every[MOST_LEVELS:]]:
        table[OTHERS] = (sum(pair[0] for pair in others), sum(pair[1] for pair in others))
    if ours.missing or theirs.missing:
        table[MISSING] = (ours.missing / rows[0], theirs.missing / rows[1])
    sides = [tuple(round(pair[side], 5) for pair in table.values()) for side in (0, 1)]
    return Distribution((), tuple(table), sides[0], sides[1])
