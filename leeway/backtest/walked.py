"""What a replay led to.

Belongs here: each batch as it came, each training, each decision. Does not belong here: how they
come about (`leeway.backtest.walk`), or what is told of them (`leeway.backtest.report`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from leeway.backtest.facts import Batch, Scored, Trained
from leeway.backtest.looks import Looked
from leeway.controller.facts import Incident, Training
from leeway.controller.machine import Decision


@dataclass(frozen=True)
class Step:
    """A batch as it came: the model that served it, the verdict, and its metrics where known."""

    batch: Batch
    model: str
    looked: Looked
    scored: Scored | None


@dataclass(frozen=True)
class Retrain:
    """A training of the replay; `after` is the newest batch that had come when it began."""

    incident: Incident
    training: Training
    trained: Trained
    after: str

    @property
    def ends(self) -> datetime:
        """When it ends, by how long it took or is thought to take."""
        return self.training.started_at + timedelta(seconds=self.trained.seconds or 0.0)


@dataclass(frozen=True)
class Decided:
    """A decision that differs from the one before it."""

    at: datetime
    decision: Decision


@dataclass
class Walked:
    """What a policy would have led to.

    `newest` is, by the digest of an incident, the newest batch that had come when it was found.
    """

    first: Trained
    steps: list[Step] = field(default_factory=list)
    incidents: list[Incident] = field(default_factory=list)
    newest: dict[str, str] = field(default_factory=dict)
    retrains: list[Retrain] = field(default_factory=list)
    decisions: list[Decided] = field(default_factory=list)
