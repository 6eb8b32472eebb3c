"""What was recorded about one use case, as the controller reads it.

Belongs here: incidents, looks, trainings and decisions that were made, each a fact that does not
change. Does not belong here: what follows from them (`leeway.controller.machine`), or reading them
(`orchestration.history`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from leeway.digests import digest_of

Cause = Literal["drift", "damage", "freshness", "performance"]
Origin = Literal["world", "pipeline", "unknown"]
Verdict = Literal["none", "suspect", "confirmed", "undefined"]
Outcome = Literal[
    "running",
    "promoted",
    "taken back",
    "held",
    "rejected",
    "unchanged",
    "proposed to a person",
    "on trial",
    "refused",
    "failed",
]
# The training came to a release, and its incident has its answer. One that failed did not, nor one
# that was refused: begun, and then not wanted any more.
RESULTS: tuple[Outcome, ...] = (
    "promoted",
    "taken back",
    "held",
    "rejected",
    "unchanged",
    "proposed to a person",
    "on trial",
)
# The champion is none the better for it. Of a proposal and a trial nothing is decided yet.
WITHOUT_BENEFIT: tuple[Outcome, ...] = ("taken back", "held", "rejected", "unchanged")


@dataclass(frozen=True)
class Incident:
    """Proof against the champion; `digest` is what `incident_digest` gives.

    Drift, damage and performance are about one batch, and stand while they are the newest evidence
    on it. Freshness is about the champion: it is old, and a newer batch is there that it has not
    seen. `origin` says who moved, where that is known: what our own pipeline did to the data is
    mended there, and never learnt. A `live` one is about a window of live traffic, which is never
    trained on: a training for it is of use once a batch is there that no model has seen.
    """

    digest: str
    batch: str
    columns: tuple[str, ...]
    at: datetime
    cause: Cause = "drift"
    origin: Origin = "unknown"
    live: bool = False


@dataclass(frozen=True)
class Look:
    """A batch that the champion was not trained on, held against it."""

    batch: str
    verdict: Verdict


@dataclass(frozen=True)
class Training:
    """A training. `incident` and `attempt` say what caused it; None and 0: something else did.

    `unchanged` is the outcome when the model that came out is the champion itself.
    """

    incident: str | None
    attempt: int
    started_at: datetime
    finished_at: datetime | None
    outcome: Outcome


@dataclass(frozen=True)
class Intent:
    """A recorded decision to train, which was carried out, or is about to be."""

    incident: str
    attempt: int
    at: datetime


@dataclass(frozen=True)
class Facts:
    """All that a decision rests on; sequences are in the order in which they were recorded.

    A change of the clock does not alter that order. Each may be cut to its newest part:

    champion: digest of the release that the incidents are about; empty without one.
    looks: at least the newest `confirm_after` batches.
    windows: likewise of live traffic.
    incidents: about the present champion, as far as they stand; the newest of them, and what our
        own pipeline did, however old.
    trainings: what runs, what the newest incident had, and the newest `budget` of all.
    answers: outcome of a later training that saw the batch of an incident, by its digest.
    intents: the newest `budget`.
    unseen: a batch that no judged model has seen, and since when it is there.
    overdue: the age of the champion, while it is too old for batches that it has not seen.
    trained_for: the incident that the champion was trained for.
    switched_off: whether the installation forbids retraining.
    """

    champion: str = ""
    looks: Sequence[Look] = ()
    windows: Sequence[Look] = ()
    incidents: Sequence[Incident] = ()
    trainings: Sequence[Training] = ()
    answers: Mapping[str, Outcome] = field(default_factory=dict)
    intents: Sequence[Intent] = ()
    unseen: tuple[str, datetime] | None = None
    overdue: Incident | None = None
    trained_for: str | None = None
    switched_off: bool = False


def incident_digest(
    use_case: str, release: str, batch_data: str, columns: Sequence[str], cause: Cause = "drift"
) -> str:
    """SHA-256 of the evidence: the same evidence is the same incident, however often it is seen.

    Args:
        use_case: its name.
        release: digest of the release that the batch was held against.
        batch_data: digest of the data of the batch.
        columns: what the evidence names, such as the drifted columns, in any order.
        cause: of the incident. That of drift is left out, as in digests that are recorded already.
    """
    evidence: list[object] = [use_case, release, batch_data, sorted(columns)]
    return digest_of(evidence if cause == "drift" else [*evidence, cause])
