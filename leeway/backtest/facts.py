"""What a replay is fed, and what it asks of models.

Belongs here: batches in their order, a training as the replay knows it, a batch that was scored.
Does not belong here: what follows from them (`leeway.backtest.walk`), or making a model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from leeway.controller.facts import Cause, Outcome
from leeway.drift.profile import Profile
from leeway.drift.stored import Stored
from leeway.metrics.evaluation import Metric

if TYPE_CHECKING:
    from leeway.spec import UseCase

# Where no time column says when a batch came, the first came then.
BEGIN = datetime(2000, 1, 1, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAYS_PER_YEAR = 365.25


@dataclass(frozen=True)
class Batch:
    """One batch: its profiles as production stores them, and when it came."""

    name: str
    at: datetime
    stored: Stored

    @property
    def clean(self) -> Profile:
        """What drift is judged by."""
        return self.stored.profiles["clean"]


@dataclass(frozen=True)
class Trained:
    """A training and what came of it.

    `model` names it, and is the champion's where the champion came out again. `batches` are those
    that it saw. `reference` is what later batches are compared with. `known` is false where nobody
    has the model, so that nothing is known of its errors. `seconds` are recorded ones; `measured`
    are of this very replay, and are no part of a report.
    """

    model: str
    batches: tuple[str, ...]
    reference: Stored
    outcome: Outcome
    reason: str
    rows: int = 0
    seconds: float | None = None
    known: bool = True
    measured: float = field(default=0.0, compare=False)


@dataclass(frozen=True)
class Scored:
    """How good a model was on a batch: its metrics, and the loss of each labelled row."""

    metrics: Mapping[str, Metric]
    losses: NDArray[np.float64]


class Models(Protocol):
    """Where the models of a replay come from."""

    def first(self) -> Trained:
        """The model that serves when the replay begins."""
        ...

    def train(
        self, batches: Sequence[str], champion: Trained, cause: Cause, batch: str, case: UseCase
    ) -> Trained:
        """A training on the batches seen so far, judged beside the champion.

        Args:
            batches: all that have come, in their order.
            champion: that serves meanwhile.
            cause: of the training.
            batch: of the incident.
            case: the use case with the policy that is replayed.
        """
        ...

    def score(self, champion: Trained, batch: str) -> Scored | None:
        """How good a model is on the rows of a batch that it was not fitted on; None: unknown."""
        ...

    def harmed(self, champion: Trained, batch: str) -> tuple[str, ...]:
        """The columns that harm a model most, where harm is proven without labels; else none."""
        ...


def in_time(stored: Mapping[str, Stored], batches_per_year: float) -> list[Batch]:
    """The batches with the time at which each came: the end of its rows.

    Without a time column they come as often as the policy says. A batch whose rows are older than
    those before it came after them.

    Args:
        stored: profiles by batch, in the order in which the batches came.
        batches_per_year: where no time column tells.
    """
    apart = timedelta(days=DAYS_PER_YEAR / batches_per_year)
    found: list[Batch] = []
    for name, each in stored.items():
        until = each.profiles["clean"].until
        before = found[-1].at if found else None
        if until is not None:
            at = _EPOCH + timedelta(seconds=until)
            at = at if before is None else max(at, before)
        else:
            at = BEGIN if before is None else before + apart
        found.append(Batch(name, at, each))
    return found
