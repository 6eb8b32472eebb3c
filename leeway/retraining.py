"""When a use case is trained again: a policy over recorded incidents and trainings.

Belongs here: the decision, from facts and a given time. Does not belong here: finding drift
(`leeway.drift.verdict`), starting a run, or reading a clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal

from leeway.digests import digest_of
from leeway.drift.column import DriftVerdict
from leeway.spec import Retraining, as_timedelta

Outcome = Literal["running", "promoted", "held", "proposed to a person", "rejected", "failed"]
RESULTS: tuple[Outcome, ...] = ("promoted", "held", "proposed to a person", "rejected")
Action = Literal["retrain", "wait", "nothing"]

MAX_ATTEMPTS = 3


@dataclass(frozen=True)
class Incident:
    """Why a model may have to be trained again; `digest` is what `incident_digest` gives.

    Drift is a verdict about one batch. Freshness is about the champion: it is old, and newer
    batches are there that it has not seen.
    """

    digest: str
    batch: str
    verdict: DriftVerdict
    columns: tuple[str, ...]
    at: datetime
    cause: Literal["drift", "freshness"] = "drift"


@dataclass(frozen=True)
class Training:
    """A training, and the digest of the incident that caused it; None: something else did."""

    incident: str | None
    started_at: datetime
    finished_at: datetime | None
    outcome: Outcome


@dataclass(frozen=True)
class RetrainingDecision:
    """What to do now; `attempt` counts from 1 and is 0 when there is nothing to attempt."""

    action: Action
    incident: str | None
    attempt: int
    reason: str

    @property
    def run_key(self) -> str:
        """Names the run, so that asking twice for the same attempt starts one run."""
        return f"{self.incident}:{self.attempt}"

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)


def incident_digest(use_case: str, release: str, batch_data: str, columns: Sequence[str]) -> str:
    """SHA-256 of the evidence: the same evidence is the same incident, however often it is seen.

    Args:
        release: digest of the release whose reference profile was compared.
        batch_data: digest of the data of the batch.
        columns: names of the drifted columns, in any order.
    """
    return digest_of([use_case, release, batch_data, sorted(columns)])


def decide_retraining(
    incidents: Sequence[Incident],
    trainings: Sequence[Training],
    policy: Retraining,
    now: datetime,
) -> RetrainingDecision:
    """Decides whether to train again now.

    The newest confirmed incident counts. Those recorded before it are not trained for any more:
    one training sees all their data. Nothing starts while a training runs, nor before the
    cool-down since the last one that came to a result; a clock that went backwards lengthens the
    wait. A failed training is tried again at once, up to `MAX_ATTEMPTS` attempts per incident.

    Args:
        incidents: those of the champion's release, in the order in which they were recorded, which
            a change of the clock does not alter.
        trainings: all of the use case, in any order.
        now: of the same awareness of time zones as the recorded times.
    """
    confirmed = [
        incident
        for incident in incidents
        if incident.verdict == "confirmed" and incident.cause in policy.on
    ]
    if not confirmed:
        reason = f"No {' or '.join(policy.on) or 'cause'} calls for a training."
        return RetrainingDecision("nothing", None, 0, reason)
    newest = confirmed[-1]
    own = [training for training in trainings if training.incident == newest.digest]
    about = f"{newest.cause} of {', '.join(newest.columns)} in batch {newest.batch}"
    done = [training for training in own if training.outcome in RESULTS]
    if done:
        reason = f"The {about} has been trained for: the model was {done[-1].outcome}."
        return RetrainingDecision("nothing", newest.digest, 0, reason)
    attempt = 1 + sum(training.outcome == "failed" for training in own)
    if attempt > MAX_ATTEMPTS:
        reason = f"Training for the {about} failed {attempt - 1} times, so Leeway gave up."
        return RetrainingDecision("nothing", newest.digest, 0, reason)
    hindrance = _hindrance(trainings, policy, now)
    if hindrance is not None:
        return RetrainingDecision("wait", newest.digest, attempt, hindrance)
    reason = f"Attempt {attempt} of {MAX_ATTEMPTS}: {about} is confirmed."
    return RetrainingDecision("retrain", newest.digest, attempt, reason)


def _hindrance(trainings: Sequence[Training], policy: Retraining, now: datetime) -> str | None:
    """Why no training may start now, or None."""
    running = [training for training in trainings if training.outcome == "running"]
    if running:
        return f"A training has been running since {running[0].started_at.isoformat()}."
    finished = [
        training.finished_at
        for training in trainings
        if training.finished_at is not None and training.outcome != "failed"
    ]
    if not finished:
        return None
    ready = max(finished) + as_timedelta(policy.cooldown)
    if now >= ready:
        return None
    return (
        f"The last training finished at {max(finished).isoformat()}; the cool-down of "
        f"{policy.cooldown} ends at {ready.isoformat()} and it is {now.isoformat()}."
    )
