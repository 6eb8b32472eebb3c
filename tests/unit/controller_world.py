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
    """What a training came to."""

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
        self.releases = [self.champions[0].release]
        self.caused: list[Release] = []  # those of them that an incident led to
        self.runs: dict[str, Run] = {}
        self.order: list[Run] = []
        self.of_incident: dict[str, list[Run]] = {}
        self.by_hand: datetime | None = None
        self.incident_seq: dict[str, int] = {}
        self.pipeline: set[str] = set()
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
            if origin == "pipeline":
                self.pipeline.add(digest)

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
        """The first node of a run, which is refused where another training was decided since."""
        if run.state != "queued":
            return
        self.begun += 1
        newest = self.intents[-1]
        if not self.fenced or (run.incident, run.attempt) == (newest.incident, newest.attempt):
            run.state = "running"
            self.trained.append(run.real)
            self._check_start(run)
        else:
            self.end_run(run, "failed")

    fenced = True

    def end_run(self, run: Run, outcome: Outcome) -> None:
        """A run comes to a result, or fails, or is lost: reported failed."""
        if run.state == "ended":
            return
        if run.state == "queued" and outcome != "failed":
            self.begin_run(run)
        if run.state != "running":
            outcome = "failed"
        run.state, run.ended, run.outcome = "ended", self.now, outcome
        if outcome == "unchanged":
            if any(each.digest == run.incident for each in self.champion.incidents):
                self.champion.release.incident, self.champion.release.run = run.incident, run
            else:
                run.outcome = "failed"
        elif outcome != "failed":
            self._release(outcome, run)
        if run.outcome != "failed":
            self.result_at = self.real

    def _release(self, outcome: Outcome, run: Run | None) -> None:
        found = Release(self._next(), self.now, outcome, run.incident if run else None, run)
        self.releases.append(found)
        if run is not None:
            self.caused.append(found)
        if outcome == "promoted":
            self.champions.append(Champion(found))
        if run is None:
            self.result_at = self.real

    # The sensor -----------------------------------------------------------------------------------

    def read(self) -> Tick:
        """Reads what there is, and decides."""
        self.ticks += 1
        since = self._position()
        decision = decide(self.facts(), self.policy, self.now)
        if decision.action == "retrain" and (self.switched_off or not self.policy.enabled):
            raise Broken("decided to train while switched off")
        if decision.incident in self.pipeline and decision.action in ("retrain", "wait"):
            raise Broken("decided to train for what our own pipeline did")
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
            run = Run(incident, attempt, self.now, self.real)
            self.runs[key] = run
            self.order.append(run)
            self.of_incident.setdefault(incident, []).append(run)

    # What it reads --------------------------------------------------------------------------------

    def facts(self) -> Facts:
        """The newest part of what is recorded, as the sensor has it."""
        known = Facts(
            looks=self.champion.looks[-NEWEST_BATCHES:],
            incidents=self.champion.incidents[-MOST_INCIDENTS:],
            intents=self.intents[-self.policy.budget :],
            trained_for=self.champion.release.incident,
            switched_off=self.switched_off,
        )
        confirmed = confirmed_incidents(known, self.policy)
        judged = {each.digest for each in confirmed[-1:]}
        answers = {each: found for each in judged if (found := self._answer(each))}
        return Facts(
            **{**vars(known), "answers": answers, "trainings": self._trainings(judged, known)}
        )

    def _answer(self, digest: str) -> Outcome | None:
        since = self.incident_seq[digest]
        later: Outcome | None = None
        for release in reversed(self.releases):
            if release.seq < since:
                break
            later = release.outcome
        return later

    def _trainings(self, judged: set[str], known: Facts) -> Sequence[Training]:
        runs = {id(run): run for run in self.order[-self.policy.budget :]}
        runs |= {id(run): run for each in judged for run in self.of_incident.get(each, ())}
        # At most one begins at a time, and what is refused ends at once.
        runs |= {id(run): run for run in self.order[-8:] if run.state != "ended"}
        newest = [*self.releases[-MOST_RESULTS:], *self.caused[-MOST_RESULTS:]]
        by_seq = {each.seq: each for each in [*newest, self.champion.release]}
        shown = [by_seq[seq] for seq in sorted(by_seq)]
        about_champion = {each.digest for each in known.incidents}
        ended, unchanged = [], []
        for release in shown:
            run = release.run
            if run is not None:
                runs.pop(id(run), None)
            if release is self.champion.release and release.incident in about_champion:
                assert run is not None
                unchanged.append(_training(run, "unchanged"))
                ended.append(Training(None, 0, release.at, release.at, "promoted"))
            elif run is None:
                ended.append(Training(None, 0, release.at, release.at, release.outcome))
            else:
                ended.append(_training(run, release.outcome))
        others = [
            _training(run, "failed" if run.state == "ended" else "running") for run in runs.values()
        ]
        hand = [Training(None, 0, self.by_hand, None, "running")] if self.by_hand else []
        return [*ended, *unchanged, *others, *hand]

    # What must never happen -----------------------------------------------------------------------

    def _check_start(self, run: Run) -> None:
        """A training of the controller begins."""
        if sum(each.state == "running" for each in self.order[-8:]) > 1:
            raise Broken("two trainings at once")
        if run.incident in self.pipeline:
            raise Broken("a training for what our own pipeline did")
        window = as_timedelta(self.policy.window).total_seconds()
        if len(self.trained) > self.policy.budget:
            since = self.trained[-1] - self.trained[-1 - self.policy.budget]
            if since < window:
                raise Broken(f"more than the budget: one too many in {since} s")
        own = self.of_incident[run.incident]
        if len(own) > MAX_ATTEMPTS:
            raise Broken("more attempts than there may be")
        if any(each.outcome in RESULTS for each in own):
            raise Broken("a second training for an incident that came to a result")

    def _check_wait(self) -> None:
        """A training is decided: has the wait since the last result ended?"""
        row: set[str] = set()
        for release in reversed(self.releases):
            if release.outcome == "promoted":
                break
            if release.incident and release.outcome in WITHOUT_BENEFIT:
                row.add(release.incident)
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
    elif chance < 0.76:
        for run in world.order[-8:]:
            world.begin_run(run)
    elif chance < 0.84:
        for run in world.order[-8:]:
            world.end_run(run, rng.choice((*ENDS, "failed", "failed", "failed", "promoted")))
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
