"""What the ledger would hold at a moment of a replay, and the facts that the controller is given.

Belongs here: the champion, the batches that are there, what was found on them and trained for.
Does not belong here: the clock and what happens at its moments (`leeway.backtest.walk`), or what
the replay tells in the end (`leeway.backtest.walked`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from leeway.backtest.facts import BEGIN, Batch, Trained
from leeway.backtest.looks import Looked
from leeway.backtest.walked import Retrain
from leeway.controller.facts import (
    Cause,
    Facts,
    Incident,
    Intent,
    Look,
    Outcome,
    Training,
    incident_digest,
)
from leeway.freshness import freshness_state
from leeway.spec import UseCase, as_timedelta


class Held:
    """The recorded history of a use case; `looked` and `incidents` are about its champion."""

    def __init__(self, name: str, use_case: UseCase, champion: Trained) -> None:
        self.name, self.use_case, self.champion = name, use_case, champion
        self.released_at = BEGIN
        self.seen: list[Batch] = []
        self.looked: dict[str, Looked] = {}
        self.verdicts: dict[str, Looked] = {}  # the newest on each batch, at whichever champion
        self.incidents: list[Incident] = []
        self.trainings: list[Training] = []
        self.answered: list[Retrain] = []
        self.trained_for: str | None = None

    def finish(self, run: Retrain) -> Retrain:
        """Records the end of a training, and makes a promoted model the champion."""
        training = replace(run.training, finished_at=run.ends, outcome=run.trained.outcome)
        ended = replace(run, training=training)
        self.trainings.append(training)
        if training.outcome != "failed":
            self.answered.append(ended)
        if training.outcome == "promoted":
            self.champion, self.released_at = run.trained, run.ends
            self.trained_for = run.incident.digest
            self.looked, self.incidents = {}, []
        return ended

    def incident(
        self, at: datetime, batch: str, columns: Sequence[str], cause: Cause = "drift"
    ) -> Incident:
        """An incident on a batch about the champion."""
        digest = incident_digest(self.name, self._digest, batch, columns, cause)
        return Incident(digest, batch, tuple(columns), at, cause)

    def learned(self, earlier: Sequence[Incident]) -> list[tuple[Incident, Batch]]:
        """Drift from an earlier champion that this one was trained on, the newest first."""
        mine = {each.digest for each in self.incidents}
        trained_on = {each.name: each for each in self.seen if each.name in self.champion.batches}
        return [
            (each, trained_on[each.batch])
            for each in reversed(earlier)
            if each.cause == "drift"
            and each.origin != "pipeline"
            and each.digest not in mine
            and each.batch in trained_on
        ]

    def facts(self, now: datetime, running: Retrain | None) -> Facts:
        """What the controller decides by."""
        started = [*self.trainings, *([] if running is None else [running.training])]
        return Facts(
            champion=self._digest,
            looks=[Look(name, each.verdict) for name, each in self.looked.items()],
            incidents=self.incidents,
            trainings=started,
            answers=self._answers(),
            intents=[Intent(t.incident or "", t.attempt, t.started_at) for t in started],
            overdue=self._overdue(now),
            trained_for=self.trained_for,
        )

    def ages(self, now: datetime) -> datetime | None:
        """When the champion becomes too old for a batch that is there; None: never, or it is."""
        if self.use_case.freshness is None or self._unseen() is None:
            return None
        fails_after = as_timedelta(self.use_case.freshness.fail_after)
        at = self.released_at + fails_after + timedelta.resolution  # the first moment beyond it
        return at if at > now else None

    @property
    def _digest(self) -> str:
        return f"{self.champion.model}/{','.join(self.champion.batches)}"

    def _answers(self) -> dict[str, Outcome]:
        """What became of a later training that saw the batch of an incident."""
        found: dict[str, Outcome] = {}
        for incident in self.incidents:
            for each in self.answered:
                began, saw = each.training.started_at, each.trained.batches
                if began >= incident.at and incident.batch in saw:
                    found.setdefault(incident.digest, each.training.outcome)
        return found

    def _overdue(self, now: datetime) -> Incident | None:
        """The champion's age, where a batch is there that no training has seen."""
        unseen = self._unseen()
        state = freshness_state(self.use_case.freshness, self.released_at, now)
        if unseen is None or state != "fail":
            return None
        digest = incident_digest(self.name, self._digest, "stale", [unseen])
        return Incident(digest, unseen, ("the model",), now, "freshness")

    def _unseen(self) -> str | None:
        """The newest batch that no training has seen, where the policy trains for age."""
        if "freshness" not in self.use_case.retraining.on:
            return None
        trained = {*self.champion.batches}.union(*(each.trained.batches for each in self.answered))
        return next((each.name for each in reversed(self.seen) if each.name not in trained), None)
