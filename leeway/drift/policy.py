"""What the verdict on drift is asked to do: which changes matter, and how often it may err.

Belongs here: the fields of such a policy and what they are unless somebody says otherwise. Does not
belong here: how a use case declares them (`leeway.spec.policies`), or the verdict itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from leeway.spec import Role


class DriftPolicy(Protocol):
    """The fields, as `leeway.spec.Drift` describes them."""

    @property
    def effect(self) -> float:
        """Smallest KS distance or total variation worth acting on."""
        ...

    @property
    def smallest_change(self) -> Mapping[str, float]:
        """By column, in place of it: smallest change worth acting on, in the column's unit."""
        ...

    @property
    def false_alarms_per_year(self) -> float:
        """How many confirmed verdicts without a cause are borne, over all columns."""
        ...

    @property
    def batches_per_year(self) -> float:
        """Where no time column tells how far batches are apart."""
        ...

    @property
    def min_rows(self) -> int:
        """Fewer rows give the verdict undefined."""
        ...


@dataclass(frozen=True)
class UsualPolicy:
    """What holds where nothing is declared."""

    effect: float = 0.05
    smallest_change: Mapping[str, float] = field(default_factory=dict)
    false_alarms_per_year: float = 2
    batches_per_year: float = 365
    min_rows: int = 30


class Watched(Protocol):
    """A column that is compared, as `leeway.spec.Column` describes it."""

    @property
    def name(self) -> str:
        """Of the column."""
        ...

    @property
    def role(self) -> Role:
        """Whose verdict it belongs to."""
        ...

    @property
    def unit(self) -> str | None:
        """Of its numbers."""
        ...
