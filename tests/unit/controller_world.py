"""A small world around the controller: a ledger, runs, a daemon, a clock, and what can go wrong.

Belongs here: what the ledger and Dagster would hold after each event, read as the sensor reads it
(`orchestration.history`), and what must never happen. Does not belong here: the order of events.

A tick has three steps, between which anything may happen: it reads and decides, it records, it asks
for a run. A step may be lost (a crash) or done again (a repeated tick, another daemon).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from leeway.controller.facts import (
    RESULTS,
    WITHOUT_BENEFIT,
    Cause,
    Facts,
    Incident,
    Intent,
    Look,
    Origin,
    Outcome,
    Training,
    Verdict,
)
from leeway.controller.machine import MAX_ATTEMPTS, Decision, confirmed_incidents, decide
from leeway.spec import Retraining, as_timedelta

BEGIN = datetime(2026, 11, 21, tzinfo=UTC)
HOUR = 3600
MOST_INCIDENTS, MOST_RESULTS, NEWEST_BATCHES = 50, 20, 50  # as the queries have them
CAUSES: tuple[Cause, ...] = ("drift", "damage", "performance")
POLICIES = [
    Retraining(on=CAUSES, cooldown="6h", budget=3, window="3d", longest_wait="4d"),
    Retraining(on=CAUSES, cooldown="0s", budget=1, window="1d"),
    Retraining(on=("drift",), cooldown="1d", budget=5, window="7d", confirm_after=2),
]
ENDS: tuple[Outcome, ...] = (*RESULTS, "failed")
State = Literal["queued", "running", "ended"]


class Broken(AssertionError):
    """What must never happen has happened."""


@dataclass
class Run:
    """A run that the controller asked for; made by the clock, `real` by one that only goes on."""

    incident: str
    attempt: int
    made: datetime
    real: int
    state: State = "queued"
    ended: datetime | None = None
    outcome: Outcome = "running"


@dataclass
class Release:
    """What a training came to; an unchanged one is the champion's again, and no release."""

    seq: int
    at: datetime
    outcome: Outcome
    incident: str | None = None
    run: Run | None = None


@dataclass
class Champion:
    """A release that serves, and what was held against it."""

    release: Release
    looks: list[Look] = field(default_factory=list)
    incidents: list[Incident] = field(default_factory=list)


@dataclass
class Tick:
    """One evaluation of the sensor, as far as it has come."""

    since: tuple[int, int]
    decision: Decision
    recorded: bool = False


class World:
    """What is recorded, and the checks of it."""

    def __init__(self, policy: Retraining) -> None:
        self.policy = policy
        self.real = 0  # seconds of a clock that only ever jumps forward
        self.behind = 0  # how far the clock was set back
        self.seq = 0
        self.batch = 0
        self.switched_off = False
        self.champions = [Champion(Release(self._next(), self.now, "promoted"))]
        self.results = [self.champions[0].release]
        self.claims: dict[tuple[str, int], Run] = {}
        self.runs: dict[str, Run] = {}
        self.order: list[Run] = []
        self.of_incident: dict[str, list[Run]] = {}
        self.by_hand: datetime | None = None
        self.incident_seq: dict[str, int] = {}
        self.ticks = 0
        self.begun = 0  # trainings that have begun
        self.decisions = 0
        self.last: tuple[int, Decision] | None = None
        self.intents: list[Intent] = []
        self.trained: list[int] = []  # when, by `real`, each training of the controller was made
        self.result_at = -(10**9)  # when, by `real`, the last training came to a result

    # Time ---------------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        """What the clock says."""
        return BEGIN + timedelta(seconds=self.real - self.behind)

    def wait(self, seconds: int) -> None:
        """Time passes; or the clock is set forward, which nobody can tell from that."""
        self.real += seconds

    def set_back(self, seconds: int) -> None:
        """The clock goes backwards."""
        self.behind += seconds

    def _next(self) -> int:
        self.seq += 1
        return self.seq

    # What happens ---------------------------------------------------------------------------------

    @property
    def champion(self) -> Champion:
        """Who serves."""
        return self.champions[-1]

    def arrive(self, verdict: Verdict, cause: Cause = "drift", origin: Origin = "unknown") -> None:
        """A batch is looked at; a confirmed one is an incident."""
        self.batch += 1
        name = str(self.batch)
        self.champion.looks.append(Look(name, verdict))
        if verdict == "confirmed":
            digest = f"i{self.batch}"
            found = Incident(digest, name, ("x",), self.now, cause, origin)
            self.champion.incidents.append(found)
            self.incident_seq[digest] = self._next()

    def take_in_again(self, batch: str) -> None:
        """A batch is corrected, or the step that made it; now it looks as it should."""
        champion = self.champion
        champion.incidents = [each for each in champion.incidents if each.batch != batch]
        champion.looks = [
            Look(batch, "none") if look.batch == batch else look for look in champion.looks
        ]

    @property
    def own_faults(self) -> list[str]:
        """The batches of which a fault of our own pipeline stands."""
        return [each.batch for each in self.champion.incidents if each.origin == "pipeline"]

    def begin_by_hand(self) -> None:
        """Somebody trains."""
        if self.by_hand is None:
            self.by_hand = self.now
            self.begun += 1

    def end_by_hand(self, outcome: Outcome) -> None:
        """The training by hand ends."""
        if self.by_hand is None:
            return
        self.by_hand = None
        if outcome in ("promoted", "held", "rejected"):
            self._release(outcome, None)

    def roll_back(self) -> None:
        """A person takes the champion back."""
        if len(self.champions) > 1:
            self.champions.pop().release.outcome = "taken back"
            self.champion.release.outcome = "promoted"

    def begin_run(self, run: Run) -> None:
        """The first node of a run, which is refused where it is not wanted any more."""
        if run.state != "queued":
            return
        if self.claimed and self.claims.setdefault((run.incident, run.attempt), run) is not run:
            self.end_run(run, "failed")
            return
        self.begun += 1
        if self._is_wanted(run):
            run.state = "running"
            self.trained.append(run.real)
            self._check_start(run)
        else:
            self.end_run(run, "refused")

    fenced = claimed = True

    def _is_wanted(self, run: Run) -> bool:
        newest = self.intents[-1]
        decided = (run.incident, run.attempt) == (newest.incident, newest.attempt)
        return not self.fenced or (decided and not self.switched_off and not self.own_faults)

    def end_run(self, run: Run, outcome: Outcome) -> None:
        """A run comes to a result, or fails, or is lost: reported failed."""
        if run.state == "ended":
            return
        if run.state == "queued" and outcome in RESULTS:
            self.begin_run(run)
            self.end_run(run, outcome)  # nothing, where it was refused
            return
        if outcome in RESULTS and not self._is_wanted(run):
            outcome = "refused"  # by the node that would release it
        about_champion = any(each.digest == run.incident for each in self.champion.incidents)
        if outcome == "unchanged" and not about_champion:
            outcome = "failed"
        run.state, run.ended, run.outcome = "ended", self.now, outcome
        if outcome in RESULTS:
            self._release(outcome, run)

    def _release(self, outcome: Outcome, run: Run | None) -> None:
        if run is not None and self.own_faults:
            raise Broken("a model was released that learnt what our own pipeline did")
        found = Release(self._next(), self.now, outcome, run.incident if run else None, run)
        self.results.append(found)
        if outcome == "promoted":
            self.champions.append(Champion(found))
        self.result_at = self.real

    # The sensor -----------------------------------------------------------------------------------

    def read(self) -> Tick:
        """Reads what there is, and decides."""
        self.ticks += 1
        since = self._position()
        decision = decide(self.facts(), self.policy, self.now)
        if decision.action == "retrain" and (self.switched_off or not self.policy.enabled):
            raise Broken("decided to train while switched off")
        if self.own_faults and decision.action == "retrain":
            raise Broken("decided to train while a fault of our own pipeline stands")
        return Tick(since, decision)

    compared = True

    def _position(self) -> tuple[int, int]:
        return (self.last[0] if self.last else 0, self.begun)

    def record(self, tick: Tick) -> None:
        """Appends the decision unless another one came before it."""
        if tick.recorded:
            return
        if self.last is not None and self.last[1] == tick.decision:
            tick.recorded = True
            return
        if self.compared and tick.since != self._position():
            return
        tick.recorded = True
        self.decisions += 1
        self.last = (self._next(), tick.decision)
        if tick.decision.action == "retrain":
            assert tick.decision.incident is not None
            self.intents.append(Intent(tick.decision.incident, tick.decision.attempt, self.now))
            self._check_wait()

    def ask(self, tick: Tick) -> None:
        """Dagster makes the run, unless there is one with its key."""
        if not tick.recorded or tick.decision.action != "retrain":
            return
        assert tick.decision.incident is not None
        self._make(tick.decision.run_key, tick.decision.incident, tick.decision.attempt)

    def tick(self) -> Decision:
        """All three steps, undisturbed."""
        tick = self.read()
        self.record(tick)
        self.ask(tick)
        return tick.decision

    def _make(self, key: str, incident: str, attempt: int) -> None:
        if key not in self.runs:
            self.runs[key] = self._add(incident, attempt)

    def make_twice(self) -> None:
        """Of two daemons, the other makes a run for the newest key, too."""
        if self.order and self.order[-1].state != "ended":
            self._add(self.order[-1].incident, self.order[-1].attempt)

    def _add(self, incident: str, attempt: int) -> Run:
        run = Run(incident, attempt, self.now, self.real)
        self.order.append(run)
        self.of_incident.setdefault(incident, []).append(run)
        return run

    # What it reads --------------------------------------------------------------------------------

    def facts(self) -> Facts:
        """The newest part of what is recorded, as the sensor has it."""
        known = Facts(
            looks=self.champion.looks[-NEWEST_BATCHES:],
            incidents=self._incidents(),
            intents=self.intents[-self.policy.budget :],
            trained_for=self.champion.release.incident,
            switched_off=self.switched_off,
        )
        confirmed = confirmed_incidents(known, self.policy)
        judged = {each.digest for each in confirmed[-1:]}
        answers = {each: found for each in judged if (found := self._answer(each))}
        return Facts(**{**vars(known), "answers": answers, "trainings": self._trainings(judged)})

    def _incidents(self) -> list[Incident]:
        newest = self.champion.incidents[-MOST_INCIDENTS:]
        older = self.champion.incidents[:-MOST_INCIDENTS]
        return [*[each for each in older if each.origin == "pipeline"][-1:], *newest]

    def _answer(self, digest: str) -> Outcome | None:
        since = self.incident_seq[digest]
        later: Outcome | None = None
        for result in reversed(self.results):
            if result.seq < since:
                break
            if result.outcome != "unchanged":
                later = result.outcome
        return later

    def _trainings(self, judged: set[str]) -> Sequence[Training]:
        runs = {id(run): run for run in self.order[-self.policy.budget :]}
        runs |= {id(run): run for each in judged for run in self.of_incident.get(each, ())}
        # At most one begins at a time, and what is refused ends at once.
        runs |= {id(run): run for run in self.order[-8:] if run.state != "ended"}
        caused = [each for each in self.results[-9 * MOST_RESULTS :] if each.run][-MOST_RESULTS:]
        others = [each for each in self.results[-9 * MOST_RESULTS :] if not each.run]
        known = [*caused, *others[-MOST_RESULTS:], self.champion.release]
        known += [each for each in self.results if each.incident in judged]
        by_seq = {each.seq: each for each in known}
        ended = [_ended(by_seq[seq]) for seq in sorted(by_seq)]
        answered = {(each.incident, each.attempt) for each in ended}
        refused = [run for run in runs.values() if run.outcome == "refused"]
        answered |= {(run.incident, run.attempt) for run in refused}
        rest = [
            _training(run, run.outcome)
            for run in runs.values()
            if run.state != "ended" or (run.incident, run.attempt) not in answered
        ]
        rest += [_training(run, "refused") for run in refused]
        hand = [Training(None, 0, self.by_hand, None, "running")] if self.by_hand else []
        return [*ended, *rest, *hand]

    # What must never happen -----------------------------------------------------------------------

    def _check_start(self, run: Run) -> None:
        """A training of the controller begins."""
        if sum(each.state == "running" for each in self.order[-8:]) > 1:
            raise Broken("two trainings at once")
        if self.own_faults:
            raise Broken("a training takes a batch with a fault of our own pipeline")
        window = as_timedelta(self.policy.window).total_seconds()
        if len(self.trained) > self.policy.budget:
            since = self.trained[-1] - self.trained[-1 - self.policy.budget]
            if since < window:
                raise Broken(f"more than the budget: one too many in {since} s")
        own = self.of_incident[run.incident]
        refused = {each.attempt for each in own if each.outcome == "refused"}
        if len({each.attempt for each in own} - refused) > MAX_ATTEMPTS:
            raise Broken("more attempts than there may be")
        if any(each.outcome in RESULTS for each in own):
            raise Broken("a second training for an incident that came to a result")

    def _check_wait(self) -> None:
        """A training is decided: has the wait since the last result ended?"""
        row: set[str] = set()
        for result in reversed(self.results):
            if result.outcome == "promoted":
                break
            if result.incident and result.outcome in WITHOUT_BENEFIT:
                row.add(result.incident)
        cooldown = as_timedelta(self.policy.cooldown)
        doubled = min(cooldown * 2 ** min(len(row), 12), as_timedelta(self.policy.longest_wait))
        if self.real - self.result_at < max(cooldown, doubled).total_seconds():
            raise Broken(
                f"decided {self.real - self.result_at} s after a result, {len(row)} no use"
            )

    def settle(self) -> Decision:
        """Nothing more goes wrong: in the end, nothing is left to do.

        Raises:
            Broken: when an incident is still open after a year.
        """
        self.switched_off = False
        self.end_by_hand("failed")
        for batch in self.own_faults:
            self.take_in_again(batch)
        for _ in range(400):
            decision = self.tick()
            for run in self.order[-8:]:
                self.begin_run(run)
                self.end_run(run, "held")
            if decision.action in ("nothing", "alert") and decision.state != "training":
                return decision
            self.wait(max(1, int((decision.until - self.now).total_seconds()))
                      if decision.until else 60)  # fmt: skip
        raise Broken(f"still open: {decision}")


def _ended(result: Release) -> Training:
    attempt, began = (result.run.attempt, result.run.made) if result.run else (0, result.at)
    return Training(result.incident, attempt, began, result.at, result.outcome)


def _training(run: Run, outcome: Outcome) -> Training:
    return Training(run.incident, run.attempt, run.made, run.ended, outcome)


class Naive(World):
    """The control: a sensor with a cursor and a key of its own time, as one writes it first."""

    def __init__(self, policy: Retraining) -> None:
        super().__init__(policy)
        self.cursor = 0

    def read(self) -> Tick:
        """Asks for a training as soon as there is an incident after the cursor."""
        self.ticks += 1
        found = [
            each for each in self.champion.incidents if self.incident_seq[each.digest] > self.cursor
        ]
        if not found:
            return Tick((0, 0), Decision("healthy", "nothing", "", ""))
        return Tick((0, 0), Decision("confirmed", "retrain", "", "", found[-1].digest, self.real))

    def record(self, tick: Tick) -> None:
        """Only to be fenced by nothing: it compares with nothing."""
        tick.recorded = True
        if tick.decision.action == "retrain":
            assert tick.decision.incident is not None
            self.intents.append(Intent(tick.decision.incident, tick.decision.attempt, self.now))

    def ask(self, tick: Tick) -> None:
        """And then moves the cursor."""
        super().ask(tick)
        if tick.decision.incident is not None:
            self.cursor = self.incident_seq[tick.decision.incident]


def disturb(world: World, rng: random.Random, held: list[Tick]) -> None:
    """Something happens, mostly a tick; one that is held up goes on some time later, or never."""
    chance = rng.random()
    if chance < 0.55:
        _tick(world, rng, held)
    elif chance < 0.62 and held:
        rng.choice((world.record, world.ask))(rng.choice(held))
    elif chance < 0.68:
        verdict: Verdict = rng.choice(("none", "suspect", "confirmed", "confirmed"))
        origin: Origin = "pipeline" if rng.random() < 0.1 else "unknown"
        world.arrive(verdict, rng.choice(("drift", "drift", "damage", "performance")), origin)
        if world.own_faults and rng.random() < 0.3:
            world.take_in_again(rng.choice([*world.own_faults, str(world.batch)]))
    elif chance < 0.76:
        for run in world.order[-8:]:
            world.begin_run(run)
    elif chance < 0.84:
        for run in world.order[-8:]:
            world.end_run(run, rng.choice((*ENDS, "failed", "failed", "failed", "promoted")))
    elif chance < 0.85:
        world.make_twice()
    elif chance < 0.96:
        world.wait(int(rng.expovariate(1 / (6 * HOUR))))
    elif chance < 0.97:
        world.set_back(int(rng.expovariate(1 / (8 * HOUR))))
    elif chance < 0.98:
        world.switched_off = not world.switched_off
    elif chance < 0.983:
        world.begin_by_hand()
    elif chance < 0.999:
        world.end_by_hand(rng.choice(("promoted", "held", "rejected", "failed")))
    else:
        world.roll_back()


def _tick(world: World, rng: random.Random, held: list[Tick]) -> None:
    """A tick that ends before it records, before it asks for a run, or not at all."""
    tick, steps = world.read(), rng.choices((0, 1, 2), (1, 1, 8))[0]
    if steps > 0:
        world.record(tick)
    if steps > 1:
        world.ask(tick)
    if steps < 2 or rng.random() < 0.1:
        held.append(tick)
    if len(held) > 8:
        held.pop(rng.randrange(8))


def live(world: World, seed: int, ticks: int) -> None:
    """So many ticks among other events, by chance, and then an undisturbed end.

    Raises:
        Broken: when what must never happen has happened.
    """
    rng, held = random.Random(seed), list[Tick]()
    while world.ticks < ticks:
        disturb(world, rng, held)
    world.settle()
