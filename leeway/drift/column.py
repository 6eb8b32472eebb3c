"""What is said of one column: its effects, its change, and its verdict.

Belongs here: the result, and its JSON. Does not belong here: how it comes about
(`leeway.drift.rule`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

from leeway.drift.change import Change
from leeway.drift.effects import Measure
from leeway.drift.profile import Kind

if TYPE_CHECKING:
    from leeway.spec import Role

DriftVerdict = Literal["none", "suspect", "confirmed", "undefined"]

MILDEST_FIRST: tuple[DriftVerdict, ...] = ("undefined", "none", "suspect", "confirmed")


@dataclass(frozen=True)
class Effect:
    """An effect: its estimate, the bounds of the true one, and its verdict.

    `expected_square` is the mean square that drawing rows without drift gives. `hidden` is by how
    much it may be larger within cells, where that would be another verdict.
    """

    measure: Measure
    estimate: float
    low: float
    high: float
    verdict: DriftVerdict
    expected_square: float
    hidden: float = 0.0


@dataclass(frozen=True)
class ColumnDrift:
    """The verdict of one column.

    `measure` names the effect that decided: `effect` is its estimate, `interval` its bounds,
    `threshold` the smallest worth acting on, unless `smallest_change` is declared in the unit of
    the column. They are None when the verdict is undefined. `change` is the effect in that unit.
    `statistics` are evidence; Wasserstein's is in that unit.
    `answered` names the batch that the column looks like, and for whose drift the model was
    trained; without that the verdict would not be none.
    """

    name: str
    kind: Kind
    role: Role
    verdict: DriftVerdict
    measure: Measure | None
    effect: float | None
    interval: tuple[float, float] | None
    threshold: float
    change: Change | None
    effects: tuple[Effect, ...]
    statistics: Mapping[str, float]
    reason: str
    answered: str | None = None
    smallest_change: float | None = None

    @property
    def worth_told(self) -> str:
        """What is worth acting on, with its unit where it has one."""
        if self.smallest_change is None or self.measure == "missing_rate":
            return f"{self.threshold:g}"
        unit = self.change.unit if self.change else ""
        return f"{self.smallest_change:g} {unit}".strip()

    def as_dict(self) -> dict[str, object]:
        """For JSON, without the name."""
        fields = asdict(self)
        del fields["name"]
        fields["interval"] = None if self.interval is None else list(self.interval)
        fields["effects"] = [asdict(effect) for effect in self.effects]
        return fields

    @classmethod
    def from_dict(cls, name: str, data: Mapping[str, Any]) -> Self:
        """The column whose `as_dict` is `data`."""
        interval, change = data["interval"], data["change"]
        read = {
            "interval": None if interval is None else tuple(interval),
            "change": None if change is None else Change(**change),
            "effects": tuple(Effect(**effect) for effect in data["effects"]),
        }
        return cls(name, **{**data, **read})


def severity(column: ColumnDrift) -> tuple[int, float]:
    """Orders columns: by verdict, the severest last, then by effect."""
    return MILDEST_FIRST.index(column.verdict), column.effect or 0.0
