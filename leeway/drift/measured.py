"""What is measured of a column: its effects and the evidence, before anything is judged.

Belongs here: one column of two profiles, by its kind. Does not belong here: the formulas
(`leeway.drift.effects`), or the rule (`leeway.drift.rule`).
"""

from __future__ import annotations

from dataclasses import dataclass

from leeway.drift.effects import (
    RawEffect,
    level_effects,
    level_statistics,
    missing_effect,
    missing_rate_change,
    number_effect,
    number_statistics,
)
from leeway.drift.levels import CategoryProfile
from leeway.drift.number_pair import pair_of
from leeway.drift.numbers import NumberProfile
from leeway.drift.profile import ColumnProfile, Profile


@dataclass(frozen=True)
class Sides:
    """A column of the reference and of a batch, of the same kind, and the rows of both."""

    reference: ColumnProfile
    current: ColumnProfile
    rows: tuple[int, int]

    @property
    def known(self) -> tuple[int, int]:
        """Rows with a usable value."""
        return self.reference.known, self.current.known


def sides_of(name: str, reference: Profile, current: Profile) -> Sides | None:
    """The column of both; None where one has it not, or as another kind."""
    ours, theirs = reference.columns.get(name), current.columns.get(name)
    if ours is None or theirs is None or type(ours) is not type(theirs):
        return None
    return Sides(ours, theirs, (reference.rows, current.rows))


def measured(sides: Sides, min_rows: int) -> tuple[list[RawEffect], dict[str, float]]:
    """The effects and the evidence; of the values where both sides have `min_rows` of them."""
    ours, theirs = sides.reference, sides.current
    effects: list[RawEffect] = []
    statistics: dict[str, float] = {}
    if min(sides.known) >= min_rows:
        if isinstance(ours, NumberProfile) and isinstance(theirs, NumberProfile):
            pair = pair_of(ours, theirs)
            effects = [number_effect(pair, sides.known)]
            statistics = number_statistics(pair, ours, theirs)
        elif isinstance(ours, CategoryProfile) and isinstance(theirs, CategoryProfile):
            effects, statistics = level_effects(ours, theirs), level_statistics(ours, theirs)
    statistics["missing_rate_change"] = missing_rate_change(ours, theirs, sides.rows)
    return [*effects, missing_effect(ours, theirs, sides.rows)], statistics
