"""The walk over the batches, in which the functions of production decide.

Belongs here: a simulated clock, and what would have been recorded at each of its moments. Does not
belong here: the verdict on a batch (`leeway.backtest.looks`), the decision to train
(`leeway.controller`), models (`leeway.backtest.models`).

A batch is scored by the model that serves when it comes, then looked at, and only then may it be
trained on. A training sees the batches that had come when it began, and its model serves from its
end on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from leeway.backtest.facts import BEGIN, Batch, Models, Scored, Trained
from leeway.backtest.looks import Looked, look_at
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
from leeway.controller.machine import Decision, decide
from leeway.freshness import freshness_state
from leeway.performance import broken_gates
from leeway.spec import UseCase, as_timedelta


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


def walk(name: str, use_case: UseCase, batches: Sequence[Batch], models: Models) -> Walked:
    """Replays the batches that the first model was not trained on.

    Args:
        name: of the use case.
        use_case: with the policy that is replayed in the place of its own.
        batches: all, in the order in which they came.
        models: where they come from.
    """
    walker = _Walker(name, use_case, models)
    for batch in batches:
        if batch.name in walker.champion.batches:
            walker.seen.append(batch)
            walker.released_at = walker.now = batch.at
        else:
            walker.arrive(batch)
    walker.end()
    return walker.found


class _Walker:
    """What the ledger would hold at the moment `now`."""

    def __init__(self, name: str, use_case: UseCase, models: Models) -> None:
        self.name, self.use_case, self.models = name, use_case, models
        self.champion = models.first()
        self.found = Walked(self.champion)
        self.seen: list[Batch] = []
        self.now = self.released_at = BEGIN
        self.looked: dict[str, Looked] = {}  # at the present champion
        self.verdicts: dict[str, Looked] = {}  # the newest on each batch, at whichever
        self.incidents: list[Incident] = []  # about it
        self.trainings: list[Training] = []
        self.answered: list[Retrain] = []
        self.running: Retrain | None = None
        self.trained_for: str | None = None
        self.wait: datetime | None = None

    def arrive(self, batch: Batch) -> None:
        """A batch comes: what was due before it happens, then it is scored and looked at."""
        self._pass_to(batch.at)
        self.now = batch.at
        self.seen.append(batch)
        scored = self.models.score(self.champion, batch.name)
        self._look(batch, scored)
        self.found.steps.append(Step(batch, self.champion.model, self.looked[batch.name], scored))
        self._tick()
        self._pass_to(batch.at)

    def end(self) -> None:
        """The training that runs after the last batch ends, too."""
        if self.running is not None:
            self.now = max(self.now, _end_of(self.running))
            self._finish(self.running)

    def _pass_to(self, moment: datetime) -> None:
        """Lets the clock go on, and what is due on the way happens at its time.

        That is the end of a training or of a wait, and the champion becoming too old.
        """
        while True:
            ends = None if self.running is None else _end_of(self.running)
            due = min(filter(None, [ends, self.wait, self._ages()]), default=None)
            if due is None or due > moment:
                return
            self.now, self.wait = max(self.now, due), None
            if self.running is not None and _end_of(self.running) <= self.now:
                self._finish(self.running)
            self._tick()

    def _look(self, batch: Batch, scored: Scored | None) -> None:
        position = self.seen.index(batch)
        earlier = self.seen[:position]
        of_model = self.use_case.drift.reference == "training_part"
        alike = self.looked if of_model else self.verdicts
        known = self._known() if of_model else []
        looked = look_at(batch, earlier, alike, self.champion, self.use_case, known)
        self.looked[batch.name] = self.verdicts[batch.name] = looked
        if looked.verdict == "confirmed":
            found = self._incident(batch, looked.columns)
            self._record(replace(found, origin=looked.origin))
        if "damage" in self.use_case.retraining.on:  # the one look that takes a second
            columns = self.models.harmed(self.champion, batch.name)
            if columns:
                self._record(self._incident(batch, columns, "damage"))
        gates = self.use_case.gates
        metrics = scored.metrics if scored else {}
        broken = sorted({gate.metric for gate in gates if broken_gates([gate], metrics)})
        if broken:
            self._record(self._incident(batch, broken, "performance"))

    def _known(self) -> list[tuple[Incident, Batch]]:
        """Drift from an earlier champion that this one was trained on, the newest first."""
        mine = {each.digest for each in self.incidents}
        trained_on = {each.name: each for each in self.seen if each.name in self.champion.batches}
        return [
            (each, trained_on[each.batch])
            for each in reversed(self.found.incidents)
            if each.cause == "drift"
            and each.origin != "pipeline"
            and each.digest not in mine
            and each.batch in trained_on
        ]

    def _incident(self, batch: Batch, columns: Sequence[str], cause: Cause = "drift") -> Incident:
        digest = incident_digest(self.name, self._champion_digest, batch.name, columns, cause)
        return Incident(digest, batch.name, tuple(columns), self.now, cause)

    @property
    def _champion_digest(self) -> str:
        return f"{self.champion.model}/{','.join(self.champion.batches)}"

    def _record(self, incident: Incident) -> None:
        self.incidents.append(incident)
        if incident.digest not in self.found.newest:
            self.found.incidents.append(incident)
            self.found.newest[incident.digest] = self.seen[-1].name

    def _tick(self) -> None:
        facts = self._facts()
        decision = decide(facts, self.use_case.retraining, self.now)
        self.wait = decision.until if decision.action == "wait" else None
        last = self.found.decisions[-1].decision if self.found.decisions else None
        if last is None or replace(last, until=None) != replace(decision, until=None):
            self.found.decisions.append(Decided(self.now, decision))
        # As production, which records the champion's age with the decision about it.
        recorded = {each.digest for each in self.incidents}
        if facts.overdue and facts.overdue.digest == decision.incident not in recorded:
            self._record(facts.overdue)
        if decision.action == "retrain":
            self._start(decision)

    def _start(self, decision: Decision) -> None:
        incident = next(each for each in self.incidents if each.digest == decision.incident)
        names = [batch.name for batch in self.seen]
        trained = self.models.train(
            names, self.champion, incident.cause, incident.batch, self.use_case
        )
        training = Training(incident.digest, decision.attempt, self.now, None, "running")
        self.running = Retrain(incident, training, trained, names[-1])

    def _finish(self, run: Retrain) -> None:
        """Records what a training led to, and lets a promoted model serve."""
        end, outcome = _end_of(run), run.trained.outcome
        training = replace(run.training, finished_at=end, outcome=outcome)
        self.running = None
        self.trainings.append(training)
        ended = replace(run, training=training)
        self.found.retrains.append(ended)
        if outcome != "failed":
            self.answered.append(ended)
        if outcome != "promoted":
            return
        self.champion, self.released_at = run.trained, end
        self.trained_for = run.incident.digest
        self.looked, self.incidents = {}, []
        for batch in self.seen:  # those that came while it was trained are held against it
            if batch.name not in self.champion.batches:
                self._look(batch, None)

    def _facts(self) -> Facts:
        running = [] if self.running is None else [self.running.training]
        started = [*self.trainings, *running]
        return Facts(
            champion=self._champion_digest,
            looks=[Look(name, each.verdict) for name, each in self.looked.items()],
            incidents=self.incidents,
            trainings=started,
            answers=self._answers(),
            intents=[Intent(t.incident or "", t.attempt, t.started_at) for t in started],
            overdue=self._overdue(),
            trained_for=self.trained_for,
        )

    def _answers(self) -> dict[str, Outcome]:
        """What became of a later training that saw the batch of an incident."""
        found: dict[str, Outcome] = {}
        for incident in self.incidents:
            for each in self.answered:
                began, saw = each.training.started_at, each.trained.batches
                if began >= incident.at and incident.batch in saw:
                    found.setdefault(incident.digest, each.training.outcome)
        return found

    def _overdue(self) -> Incident | None:
        """The champion's age, where a batch is there that no training has seen."""
        unseen = self._unseen()
        state = freshness_state(self.use_case.freshness, self.released_at, self.now)
        if unseen is None or state != "fail":
            return None
        digest = incident_digest(self.name, self._champion_digest, "stale", [unseen])
        return Incident(digest, unseen, ("the model",), self.now, "freshness")

    def _ages(self) -> datetime | None:
        """When the champion becomes too old for a batch that is there; None: never, or it is."""
        if self.use_case.freshness is None or self._unseen() is None:
            return None
        fails_after = as_timedelta(self.use_case.freshness.fail_after)
        at = self.released_at + fails_after + timedelta.resolution  # the first moment beyond it
        return at if at > self.now else None

    def _unseen(self) -> str | None:
        """The newest batch that no training has seen, where the policy trains for age."""
        if "freshness" not in self.use_case.retraining.on:
            return None
        trained = {*self.champion.batches}.union(*(each.trained.batches for each in self.answered))
        return next((each.name for each in reversed(self.seen) if each.name not in trained), None)


def _end_of(run: Retrain) -> datetime:
    return run.training.started_at + timedelta(seconds=run.trained.seconds or 0.0)
