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
from leeway.drift.levels import CategoryProfile, in_one_code
from leeway.drift.number_pair import pair_of
from leeway.drift.numbers import NumberProfile
from leeway.drift.profile import ColumnProfile, Profile


@dataclass(frozen=True)
class Sides:
    """A column of the reference and of a batch, counted in the same way, and the rows of both."""

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
    if isinstance(ours, CategoryProfile) and isinstance(theirs, CategoryProfile):
        ours, theirs = in_one_code(ours, theirs)
    return Sides(ours, theirs, (reference.rows, current.rows))


def effects_of(sides: Sides, min_rows: int, exact: float | None = None) -> list[RawEffect]:
    """The effects; on the values where both sides have `min_rows` of them.

    `exact` is the KS distance itself, where somebody looked.
    """
    ours, theirs = sides.reference, sides.current
    missing = missing_effect(ours, theirs, sides.rows)
    if min(sides.known) < min_rows:
        return [missing]
    if isinstance(ours, NumberProfile) and isinstance(theirs, NumberProfile):
        return [number_effect(pair_of(ours, theirs), sides.known, exact), missing]
    if isinstance(ours, CategoryProfile) and isinstance(theirs, CategoryProfile):
        return [*level_effects(ours, theirs), missing]
    return [missing]


def evidence_of(sides: Sides, min_rows: int) -> dict[str, float]:
    """The statistics that are shown; of the values where both sides have `min_rows` of them."""
    ours, theirs = sides.reference, sides.current
    found: dict[str, float] = {}
    if min(sides.known) >= min_rows:
        if isinstance(ours, NumberProfile) and isinstance(theirs, NumberProfile):
            found = number_statistics(pair_of(ours, theirs), ours, theirs)
        elif isinstance(ours, CategoryProfile) and isinstance(theirs, CategoryProfile):
            found = level_statistics(ours, theirs)
    return found | {"missing_rate_change": missing_rate_change(ours, theirs, sides.rows)}
