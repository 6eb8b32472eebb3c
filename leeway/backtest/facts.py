"""What a replay is fed, and what it asks of models.

Belongs here: batches in their order, a training as the replay knows it, a batch that was scored.
Does not belong here: what follows from them (`leeway.backtest.walk`), or making a model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from leeway.controller.facts import Cause, Outcome
from leeway.drift.profile import Profile
from leeway.drift.stored import Stored
from leeway.metrics.evaluation import Metric

if TYPE_CHECKING:
    import pyarrow as pa

    from leeway.spec import UseCase

# Where no time column says when a batch came, the first came then.
BEGIN = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Batch:
    """One batch: its profiles as production stores them, and when it came.

    `ended` is the end of its rows, where they have a time; the batch may have come later.
    """

    name: str
    at: datetime
    stored: Stored
    ended: datetime | None = None

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
    """How good a model was on a batch: its metrics, and the loss of each labelled row by its key.

    Keys are in ascending order, each once.
    """

    metrics: Mapping[str, Metric]
    keys: pa.ChunkedArray
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
