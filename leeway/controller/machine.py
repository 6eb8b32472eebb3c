"""The state that recorded facts amount to, and what to do now.

Belongs here: the decision with its reason. Does not belong here: how long a wait is
(`leeway.controller.waits`), or carrying a decision out (`orchestration.retraining`).

    healthy → suspect → confirmed → training → trial → promoted
                            ↑  ↑       │  └──→ no benefit
                            │  └─ failed, up to three times; then given up
                            └─ back-off, while one waits longer because those before it were no use

Nothing is remembered between two decisions: the same facts give the same state, whoever asks, and
however often. A crash loses nothing, and no event has to come in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Literal

from leeway.controller.facts import RESULTS, Cause, Facts, Incident, Look, Outcome
from leeway.controller.waits import wait_of, without_benefit
from leeway.controller.words import (
    FAILING,
    LOOK_AGAIN,
    NO_HELP,
    NOTHING,
    OWN_FAULT,
    PERSON,
    TRIAL,
    about,
    diagnosis,
)
from leeway.spec import Retraining

State = Literal[
    "healthy",
    "suspect",
    "confirmed",
    "training",
    "trial",
    "promoted",
    "no benefit",
    "back-off",
    "given up",
]
Action = Literal["retrain", "wait", "nothing", "alert"]

MAX_ATTEMPTS = 3


@dataclass(frozen=True)
class Decision:
    """What to do now, and why.

    `attempt` counts from 1 and is 0 where nothing is attempted. Until `until` the decision stays,
    unless a further fact is recorded; None: it stays for good.
    """

    state: State
    action: Action
    reason: str
    diagnosis: str
    incident: str | None = None
    attempt: int = 0
    cause: Cause | None = None
    until: datetime | None = None

    @property
    def run_key(self) -> str:
        """Names the run, so that asking twice for the same attempt starts one run."""
        return f"{self.incident}:{self.attempt}"

    def as_dict(self) -> dict[str, Any]:
        """All of it, by name."""
        return asdict(self)


def decide(facts: Facts, policy: Retraining, now: datetime) -> Decision:
    """Decides whether to train now.

    The newest incident that is confirmed counts. Those before it are not trained for any more: one
    training sees all their data.

    Args:
        facts: what was recorded.
        policy: of the use case.
        now: of the same awareness of time zones as the recorded times.
    """
    case = _case(facts, policy)
    running = [training for training in facts.trainings if training.outcome == "running"]
    if running:
        since = min(training.started_at for training in running)
        return _training(case if case and _is_open(case, facts) else None, since, facts)
    own = _own_fault(facts)
    if own is not None:
        told = (
            f"The {about(own)} comes from our own pipeline: nothing is trained until it is mended."
        )
        return Decision("confirmed", "alert", told, OWN_FAULT, own.digest, 0, own.cause)
    if case is None:
        return _quiet(facts, policy)
    outcome = _answer(case, facts)
    if outcome is not None:
        return _answered(case, outcome, facts)
    return _open(case, facts, policy, now)


def confirmed_incidents(facts: Facts, policy: Retraining) -> list[Incident]:
    """Those that the policy acts on, the newest last.

    Their batch is at least the `confirm_after`th in a row that has one. The age of a champion is
    proof by itself.
    """
    acted_on = _acted_on(facts, policy)
    if policy.confirm_after == 1:
        return acted_on
    named = {each.batch for each in acted_on if each.cause != "freshness"}
    rows = _rows(facts.looks, named) | _rows(facts.windows, named)
    return [
        each
        for each in acted_on
        if each.cause == "freshness" or rows.get(each.batch, 1) >= policy.confirm_after
    ]


def _acted_on(facts: Facts, policy: Retraining) -> list[Incident]:
    return [
        each for each in facts.incidents if each.cause in policy.on and each.origin != "pipeline"
    ]


def _rows(looks: Sequence[Look], batches: set[str]) -> dict[str, int]:
    """For each batch that was looked at: how many in a row, up to it, are among `batches`."""
    rows: dict[str, int] = {}
    row = 0
    for look in looks:
        row = row + 1 if look.batch in batches else 0
        rows[look.batch] = row
    return rows


def _case(facts: Facts, policy: Retraining) -> Incident | None:
    """The incident that is judged: the newest, or the champion's age where nothing else is open.

    The training for another incident answers both.
    """
    confirmed = confirmed_incidents(facts, policy)
    newest = confirmed[-1] if confirmed else None
    if facts.overdue is None or "freshness" not in policy.on:
        return newest
    if newest is None or _answer(newest, facts) is not None:
        return facts.overdue
    return newest


def _is_open(incident: Incident, facts: Facts) -> bool:
    failed = _attempts(incident, facts, "failed")
    return _answer(incident, facts) is None and len(failed) < MAX_ATTEMPTS


def _answer(incident: Incident, facts: Facts) -> Outcome | None:
    """What became of the training for an incident, or of a later one that saw its batch."""
    own = [
        training.outcome
        for training in facts.trainings
        if training.incident == incident.digest and training.outcome in RESULTS
    ]
    return own[-1] if own else facts.answers.get(incident.digest)


def _attempts(incident: Incident, facts: Facts, *outcomes: Outcome) -> set[int]:
    """The attempts with an outcome; Dagster may have made a run for each more than once."""
    return {
        training.attempt
        for training in facts.trainings
        if training.incident == incident.digest and training.outcome in outcomes
    }


def _has_news(facts: Facts) -> bool:
    """Whether a batch is there that no training has had a chance to take."""
    if facts.unseen is None:
        return False
    _, since = facts.unseen
    return not any(
        training.outcome in RESULTS and training.started_at >= since for training in facts.trainings
    )


def _own_fault(facts: Facts) -> Incident | None:
    """What our own pipeline did to a batch, the newest of it.

    As long as it stands, nothing is trained: a training takes every batch, and would learn it. It
    ends where the batch, taken in again, looks otherwise.
    """
    own = [each for each in facts.incidents if each.origin == "pipeline"]
    return own[-1] if own else None


def _training(case: Incident | None, since: datetime, facts: Facts) -> Decision:
    told = f"A training has been running since {since.isoformat()}."
    if case is None:
        return Decision("training", "nothing", told, NOTHING)
    row = without_benefit(facts.trainings)
    told += f" The {about(case)} waits for its end."
    if any(
        training.incident == case.digest and training.outcome == "running"
        for training in facts.trainings
    ):
        told = f"A training has been running since {since.isoformat()} for the {about(case)}."
    return Decision("training", "wait", told, diagnosis(case, row), case.digest, 0, case.cause)


def _quiet(facts: Facts, policy: Retraining) -> Decision:
    """Nothing to train for."""
    told = f"No {' or '.join(policy.on) or 'cause'} calls for a training."
    if not facts.looks and facts.trained_for is not None:
        told += " The champion was trained for an incident, and no batch was held against it since."
        return Decision("promoted", "nothing", told, NOTHING, facts.trained_for)
    named = {each.batch for each in _acted_on(facts, policy)}
    for what, looks in (("Batch", facts.looks), ("Window", facts.windows)):
        newest = looks[-1] if looks else None
        if newest is not None and newest.batch in named:
            told += f" {what} {newest.batch} has an incident; "
            told += f"it takes {policy.confirm_after} in a row."
            return Decision("suspect", "nothing", told, LOOK_AGAIN)
        if newest is not None and newest.verdict == "suspect":
            told += f" {what} {newest.batch} is suspect."
            return Decision("suspect", "nothing", told, LOOK_AGAIN)
    return Decision("healthy", "nothing", told, NOTHING)


def _answered(case: Incident, outcome: Outcome, facts: Facts) -> Decision:
    told = f"The {about(case)} has been trained for: the model was {outcome}."
    decision = Decision("promoted", "nothing", told, NOTHING, case.digest, 0, case.cause)
    if outcome == "promoted":
        return decision
    if outcome == "proposed to a person":
        return replace(decision, state="trial", diagnosis=PERSON)
    if outcome == "on trial":
        return replace(decision, state="trial", diagnosis=TRIAL)
    row = without_benefit(facts.trainings)
    if row > 1:
        told += f" So it was {row} times in a row."
    return replace(decision, state="no benefit", reason=told, diagnosis=NO_HELP)


def _open(case: Incident, facts: Facts, policy: Retraining, now: datetime) -> Decision:
    """What to do about an incident that has no answer, while nothing runs."""
    failed, row = len(_attempts(case, facts, "failed")), without_benefit(facts.trainings)
    if failed >= MAX_ATTEMPTS:
        told = f"Training for the {about(case)} failed {failed} times, so Leeway gave up."
        return Decision("given up", "alert", told, FAILING, case.digest, 0, case.cause)
    # Another number than any before it: under its key Dagster makes one run.
    attempt = 1 + max(_attempts(case, facts, "failed", "refused"), default=0)
    reason = f"Attempt {failed + 1} of {MAX_ATTEMPTS}: {about(case)} is confirmed."
    found = Decision(
        "confirmed", "retrain", reason, diagnosis(case, row), case.digest, attempt, case.cause
    )
    if facts.switched_off:
        told = f"LEEWAY_RETRAINING is off. The {about(case)} waits."
        return replace(found, action="wait", reason=told)
    if not policy.enabled:
        told = f"retraining.enabled is false. The {about(case)} waits."
        return replace(found, action="wait", reason=told)
    if case.live and not _has_news(facts):
        told = f"The {about(case)} waits for a batch that no model has seen: live traffic is not "
        told += "trained on, and of the same batches the same model would come."
        return replace(found, action="wait", reason=told)
    wait = wait_of(facts, policy, now, (case.digest, attempt))
    if wait is not None:
        state: State = "back-off" if row else "confirmed"
        return replace(found, state=state, action="wait", reason=wait.reason, until=wait.until)
    return found
