"""The walk over the batches, in which the functions of production decide.

Belongs here: a simulated clock, and what happens at each of its moments. Does not belong here: what
would have been recorded by then (`leeway.backtest.held`), the verdict on a batch
(`leeway.backtest.looks`), the decision to train (`leeway.controller`), models
(`leeway.backtest.models`).

A batch is scored by the model that serves when it comes, then looked at, and only then may it be
trained on. A training sees the batches that had come when it began, and its model serves from its
end on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from leeway.backtest.facts import BEGIN, Batch, Models, Scored
from leeway.backtest.held import Held
from leeway.backtest.looks import look_at
from leeway.backtest.walked import Decided, Retrain, Step, Walked
from leeway.controller.facts import Incident, Training
from leeway.controller.machine import Decision, decide
from leeway.performance import broken_gates
from leeway.spec import UseCase


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
        if batch.name in walker.held.champion.batches:
            walker.held.seen.append(batch)
            walker.held.released_at = walker.now = batch.at
        else:
            walker.arrive(batch)
    walker.end()
    return walker.found


class _Walker:
    """A replay at the moment `now`."""

    def __init__(self, name: str, use_case: UseCase, models: Models) -> None:
        self.use_case, self.models = use_case, models
        self.held = Held(name, use_case, models.first())
        self.found = Walked(self.held.champion)
        self.now = BEGIN
        self.running: Retrain | None = None
        self.wait: datetime | None = None

    def arrive(self, batch: Batch) -> None:
        """A batch comes: what was due before it happens, then it is scored and looked at."""
        held = self.held
        self._pass_to(batch.at)
        self.now = batch.at
        held.seen.append(batch)
        scored = self.models.score(held.champion, batch.name)
        self._look(batch, scored)
        self.found.steps.append(Step(batch, held.champion.model, held.looked[batch.name], scored))
        self._tick()
        self._pass_to(batch.at)

    def end(self) -> None:
        """The training that runs after the last batch ends, too."""
        if self.running is not None:
            self.now = max(self.now, self.running.ends)
            self._finish(self.running)

    def _pass_to(self, moment: datetime) -> None:
        """Lets the clock go on, and what is due on the way happens at its time.

        That is the end of a training or of a wait, and the champion becoming too old.
        """
        while True:
            ends = None if self.running is None else self.running.ends
            due = min(filter(None, [ends, self.wait, self.held.ages(self.now)]), default=None)
            if due is None or due > moment:
                return
            self.now, self.wait = max(self.now, due), None
            if self.running is not None and self.running.ends <= self.now:
                self._finish(self.running)
            self._tick()

    def _look(self, batch: Batch, scored: Scored | None) -> None:
        held = self.held
        earlier = held.seen[: held.seen.index(batch)]
        of_model = self.use_case.drift.reference == "training_part"
        alike = held.looked if of_model else held.verdicts
        known = held.learned(self.found.incidents) if of_model else []
        looked = look_at(batch, earlier, alike, held.champion, self.use_case, known)
        held.looked[batch.name] = held.verdicts[batch.name] = looked
        if looked.verdict == "confirmed":
            drifted = held.incident(self.now, batch.name, looked.columns)
            self._record(replace(drifted, origin=looked.origin))
        if "damage" in self.use_case.retraining.on:  # the one look that takes a second
            columns = self.models.harmed(held.champion, batch.name)
            if columns:
                self._record(held.incident(self.now, batch.name, columns, "damage"))
        gates = self.use_case.gates
        metrics = scored.metrics if scored else {}
        broken = sorted({gate.metric for gate in gates if broken_gates([gate], metrics)})
        if broken:
            self._record(held.incident(self.now, batch.name, broken, "performance"))

    def _record(self, incident: Incident) -> None:
        self.held.incidents.append(incident)
        if incident.digest not in self.found.newest:
            self.found.incidents.append(incident)
            self.found.newest[incident.digest] = self.held.seen[-1].name

    def _tick(self) -> None:
        facts = self.held.facts(self.now, self.running)
        decision = decide(facts, self.use_case.retraining, self.now)
        self.wait = decision.until if decision.action == "wait" else None
        last = self.found.decisions[-1].decision if self.found.decisions else None
        if last is None or replace(last, until=None) != replace(decision, until=None):
            self.found.decisions.append(Decided(self.now, decision))
        # As production, which records the champion's age with the decision about it.
        recorded = {each.digest for each in self.held.incidents}
        if facts.overdue and facts.overdue.digest == decision.incident not in recorded:
            self._record(facts.overdue)
        if decision.action == "retrain":
            self._start(decision)

    def _start(self, decision: Decision) -> None:
        incident = next(each for each in self.held.incidents if each.digest == decision.incident)
        names = [batch.name for batch in self.held.seen]
        trained = self.models.train(
            names, self.held.champion, incident.cause, incident.batch, self.use_case
        )
        training = Training(incident.digest, decision.attempt, self.now, None, "running")
        self.running = Retrain(incident, training, trained, names[-1])

    def _finish(self, run: Retrain) -> None:
        """Records what a training led to; those that came meanwhile are held against its model."""
        self.running = None
        self.found.retrains.append(self.held.finish(run))
        if run.trained.outcome == "promoted":
            for batch in self.held.seen:
                if batch.name not in self.held.champion.batches:
                    self._look(batch, None)
