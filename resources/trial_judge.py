"""Judging a trial, and carrying out what follows: the one place where trials end by evidence.

Belongs here: from the evidence to the ledger and the champion. Does not belong here: the rule
(`leeway.trial.verdict`), reading evidence (`resources.tried`), or when to look: a sensor does and
`leeway run` does.

Any number of processes may judge at once, and be killed anywhere: the verdict and the move are one
transaction, under the lock of the champion's moves, and only of a trial that runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from leeway.spec import UseCase
from leeway.trial.verdict import TrialVerdict, judge
from resources import trials
from resources.faults import fault
from resources.postgres import transaction
from resources.releases import insert_move, lock_champion
from resources.settings import Settings
from resources.trials import Tried
from resources.tried import evidence_of


@dataclass(frozen=True)
class Judged:
    """A trial with its verdict; `ended` says whether it was carried out here and now."""

    trial: Tried
    verdict: TrialVerdict
    evidence: dict[str, Any]
    ended: bool = False

    @property
    def told(self) -> str:
        """It in words."""
        trial, words = self.trial, {"wait": "goes on", "promote": "promoted", "back": "went back"}
        outcome = words[self.verdict.action]
        if self.verdict.action != "wait" and not self.ended:
            outcome = "had ended meanwhile, and would have been decided now"
        beside = f"version {trial.version} beside version {trial.champion}"
        return f"trial of {beside}: {outcome}: {self.verdict.reason}"


def look(settings: Settings, use_case: UseCase, trial: Tried, now: datetime) -> Judged:
    """What is known of a trial, and what follows; nothing is changed.

    Raises:
        resources.postgres.PostgresUnavailable: when the server cannot be reached.
    """
    found = evidence_of(settings, trial, use_case)
    verdict = judge(found, trial.policy, now)
    benefit = verdict.benefit
    evidence = {
        "answered": found.answered,
        "failed": found.failed,
        "labelled_rows": benefit.rows,
        "benefit": {
            "value": benefit.mean,
            "low": benefit.low,
            "high": benefit.high,
            "unit": found.unit,
        },
    }
    return Judged(trial, verdict, evidence)


def judge_trial(settings: Settings, name: str, use_case: UseCase, now: datetime) -> Judged | None:
    """Judges the trial of a use case and carries it out; None where none runs.

    Raises:
        resources.postgres.PostgresUnavailable: when the server cannot be reached.
    """
    trial = trials.running_of(settings, name)
    if trial is None:
        return None
    found = look(settings, use_case, trial, now)
    if found.verdict.action == "wait":
        trials.note(settings, trial.id, found.verdict.reason, found.evidence)
        return found
    return Judged(trial, found.verdict, found.evidence, _carried_out(settings, found))


def _carried_out(settings: Settings, found: Judged) -> bool:
    """Ends the trial, and moves the champion where it is promoted; false: it had ended."""
    trial, promoted = found.trial, found.verdict.action == "promote"
    reason = found.verdict.reason
    with transaction(settings) as cursor:
        champion = lock_champion(cursor, trial.use_case)
        ended = trials.end_in(
            cursor,
            trial.use_case,
            "promoted" if promoted else "back",
            reason,
            trial=trial.id,
            evidence=found.evidence,
        )
        if ended and promoted:
            why = f"tried beside version {trial.champion}: {reason}"
            insert_move(cursor, trial.use_case, trial.version, champion, "promote", "leeway", why)
        fault("trial.in_verdict")
    return ended
