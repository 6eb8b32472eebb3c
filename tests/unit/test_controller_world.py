"""The controller in a world where steps are lost, repeated, late, and the clock jumps.

Belongs here: disturbed histories, found by search and by chance. Does not belong here: the world
itself (controller_world.py), or every history to a depth (test_controller_walk.py).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from leeway.controller import machine
from leeway.spec import Retraining
from tests.unit.controller_world import (
    CAUSES,
    ENDS,
    HOUR,
    POLICIES,
    Broken,
    Naive,
    Tick,
    World,
    live,
)


class Disturbed(RuleBasedStateMachine):
    """Any event after any other; what must not happen is checked as it would happen."""

    world: World
    held: list[Tick]

    @initialize(policy=st.sampled_from(POLICIES))
    def begin(self, policy: Retraining) -> None:
        self.world, self.held = World(policy), []

    @rule()
    def read(self) -> None:
        self.held = [*self.held[-3:], self.world.read()]

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def record(self, data: st.DataObject) -> None:
        self.world.record(
            data.draw(st.sampled_from(range(len(self.held))).map(self.held.__getitem__))
        )

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def ask(self, data: st.DataObject) -> None:
        self.world.ask(data.draw(st.sampled_from(range(len(self.held))).map(self.held.__getitem__)))

    @rule()
    def tick(self) -> None:
        self.world.tick()

    @rule(
        verdict=st.sampled_from(("none", "suspect", "confirmed", "confirmed")),
        cause=st.sampled_from(CAUSES),
        origin=st.sampled_from(("unknown", "world", "pipeline")),
    )
    def arrive(self, verdict: Any, cause: Any, origin: Any) -> None:
        self.world.arrive(verdict, cause, origin)

    @rule()
    def begin_runs(self) -> None:
        for run in self.world.order[-8:]:
            self.world.begin_run(run)

    @rule(outcome=st.sampled_from(ENDS))
    def end_runs(self, outcome: Any) -> None:
        for run in self.world.order[-8:]:
            self.world.end_run(run, outcome)

    @rule(hours=st.sampled_from((0, 1, 6, 24, 96, 1000)))
    def wait(self, hours: int) -> None:
        self.world.wait(hours * HOUR + 1)

    @rule(hours=st.sampled_from((1, 30, 1000)))
    def set_back(self, hours: int) -> None:
        self.world.set_back(hours * HOUR)

    @rule()
    def switch(self) -> None:
        self.world.switched_off = not self.world.switched_off

    @rule()
    def begin_by_hand(self) -> None:
        self.world.begin_by_hand()

    @rule(outcome=st.sampled_from(("promoted", "held", "rejected", "failed")))
    def end_by_hand(self, outcome: Any) -> None:
        self.world.end_by_hand(outcome)

    @rule()
    def roll_back(self) -> None:
        self.world.roll_back()

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.settle()


TestDisturbed = Disturbed.TestCase
TestDisturbed.settings = settings(
    max_examples=150,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.cooldown)
def test_by_chance_nothing_goes_wrong_and_things_happen(policy: Retraining) -> None:
    """20,000 ticks each; `make proof` has a million (tests/faults/test_controller.py)."""
    world = World(policy)
    live(world, 1, 20_000)
    assert len(world.trained) > 20, "a controller that never trains keeps every other promise"
    assert len(world.champions) > 1
    assert {run.outcome for run in world.order} >= {"promoted", "held", "failed"}


def storm(world: World) -> int:
    """A thousand drift events in an hour, a tick after each; how many trainings were made."""
    world.wait(48 * HOUR)  # the cool-down since the first release
    for number in range(1000):
        world.arrive("confirmed")
        world.tick()
        for run in world.order[-8:]:
            world.begin_run(run)
            if world.now - run.made >= timedelta(minutes=5):
                world.end_run(run, "held")
        world.wait(4 if number % 5 < 3 else 3)
    return len(world.trained)


def test_a_storm_of_drift_events_leads_to_one_training_and_each_event_is_told_of() -> None:
    world = World(Retraining())
    assert storm(world) == 1
    assert world.decisions >= 1000, "what waits is a decision of its own, with its reason"
    assert world.last is not None
    assert "the cool-down of 1d became 2 days" in world.last[1].reason
    naive = Naive(Retraining())
    with pytest.raises(Broken, match="two trainings at once"):
        storm(naive)


def broken_by(world: World, seeds: int = 20, ticks: int = 1500) -> set[str]:
    """What goes wrong in some of so many lives, by its first words."""
    found = set()
    for seed in range(seeds):
        fresh = type(world)(world.policy)
        fresh.fenced, fresh.compared = world.fenced, world.compared
        fresh.claimed = world.claimed
        try:
            live(fresh, seed, ticks)
        except Broken as broken:
            found.add(" ".join(str(broken).split()[:3]))
    return found


def test_a_naive_sensor_breaks_what_is_promised() -> None:
    """The control: the same world tells a sensor that keeps no promise."""
    naive = Naive(POLICIES[0])
    naive.fenced = False
    found = broken_by(naive)
    assert "two trainings at" in found
    assert found & {"a training for", "more than the", "a second training"}


@pytest.mark.parametrize(
    "safeguard",
    ["waits", "one decision at a time", "attempts", "switch", "own fault", "claims"],
)
def test_without_each_safeguard_something_goes_wrong(
    safeguard: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = POLICIES[0]
    if safeguard == "attempts":  # of which one has the time for more than three
        policy = Retraining(on=("performance",), cooldown="6h", budget=50)
    world = World(policy)
    assert broken_by(world, seeds=3) == set()
    match safeguard:
        case "waits":
            monkeypatch.setattr(machine, "wait_of", lambda *_: None)
        case "one decision at a time":
            world.compared = world.fenced = False
        case "attempts":
            monkeypatch.setattr(machine, "MAX_ATTEMPTS", 9)
        case "switch":
            monkeypatch.setattr(machine, "replace", lambda decision, **_: decision)
        case "own fault":
            monkeypatch.setattr(machine, "_own_fault", lambda *_: None)
        case "claims":
            world.claimed = False
    assert broken_by(world) != set()


@pytest.mark.parametrize("fenced", [True, False])
def test_a_request_that_lands_after_the_world_moved_on_is_refused_by_its_fence(
    fenced: bool,
) -> None:
    """Recorded, then the daemon is away; meanwhile a person trains, and something else drifts."""
    world = World(POLICIES[0])
    world.fenced = fenced
    world.wait(24 * HOUR)
    world.arrive("confirmed")
    late = world.read()
    world.record(late)
    world.begin_by_hand()
    world.end_by_hand("promoted")
    world.wait(72 * HOUR)
    world.arrive("confirmed")
    assert world.tick().action == "retrain"
    world.begin_run(world.order[0])
    world.ask(late)
    assert len(world.order) == 2
    if fenced:
        world.begin_run(world.order[1])
        assert [run.state for run in world.order] == ["running", "ended"]
    else:
        with pytest.raises(Broken, match="two trainings at once"):
            world.begin_run(world.order[1])


@pytest.mark.parametrize("compared", [True, False])
def test_a_training_that_begins_while_a_tick_reads_makes_its_decision_be_refused(
    compared: bool,
) -> None:
    world = World(POLICIES[0])
    world.compared = compared
    world.wait(72 * HOUR)
    world.arrive("confirmed")
    late = world.read()
    world.record(late)
    world.arrive("confirmed")
    second = world.read()
    world.ask(late)
    world.begin_run(world.order[0])
    world.record(second)
    world.ask(second)
    if compared:
        assert [run.state for run in world.order] == ["running"]
    else:
        with pytest.raises(Broken, match="two trainings at once"):
            world.begin_run(world.order[1])


@pytest.mark.parametrize("claimed", [True, False])
def test_of_two_runs_for_one_key_one_trains(claimed: bool) -> None:
    world = World(POLICIES[0])
    world.claimed = claimed
    world.wait(24 * HOUR)
    world.arrive("confirmed")
    world.tick()
    world.make_twice()
    world.begin_run(world.order[0])
    if claimed:
        world.begin_run(world.order[1])
        assert [run.state for run in world.order] == ["running", "ended"]
        world.end_run(world.order[0], "held")
        assert world.tick().state == "no benefit"
    else:
        with pytest.raises(Broken, match="two trainings at once"):
            world.begin_run(world.order[1])


@pytest.mark.parametrize("fenced", [True, False])
@pytest.mark.parametrize("running", [True, False])
def test_a_fault_of_our_own_that_is_found_after_the_decision_is_not_learnt(
    fenced: bool, running: bool
) -> None:
    world = World(POLICIES[0])
    world.fenced = fenced
    world.wait(24 * HOUR)
    world.arrive("confirmed")
    world.tick()
    if running:
        world.begin_run(world.order[0])
    world.arrive("confirmed", origin="pipeline")
    if not fenced:
        with pytest.raises(Broken, match="our own pipeline"):
            world.end_run(world.order[0], "promoted")
        return
    world.end_run(world.order[0], "promoted")
    assert (world.order[0].outcome, world.tick().action) == ("refused", "alert")
    world.take_in_again("2")
    assert world.tick().reason.startswith("Attempt 1 of 3"), "nothing failed"


def test_a_repeated_tick_changes_nothing() -> None:
    world = World(POLICIES[0])
    world.wait(24 * HOUR)
    world.arrive("confirmed")
    first, second = world.read(), world.read()
    for tick in (first, second, first, second):
        world.record(tick)
        world.ask(tick)
        world.ask(tick)
    assert len(world.order) == len(world.intents) == world.decisions == 1


def test_of_two_ticks_at_once_that_decide_differently_one_is_recorded() -> None:
    world = World(POLICIES[0])
    world.wait(24 * HOUR)
    world.arrive("confirmed")
    first = world.read()
    world.arrive("confirmed")
    second = world.read()
    assert first.decision.incident != second.decision.incident
    for tick in (second, first):
        world.record(tick)
        world.ask(tick)
    assert (second.recorded, first.recorded) == (True, False)
    assert [run.incident for run in world.order] == [second.decision.incident]
