"""The controller for a million ticks, and in every history of eight events. Minutes: `make proof`.

Belongs here: the long form of tests/unit/test_controller_world.py and test_controller_walk.py, with
figures. Does not belong here: the world that they live in (tests/unit/controller_world.py).
"""

from __future__ import annotations

import pytest

from tests.faults.harness import LONG, figure, seeded, zero
from tests.unit.controller_walk import EVENTS, walk
from tests.unit.controller_world import POLICIES, Broken, Naive, World, live

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(not LONG, reason="minutes: make proof"),
    pytest.mark.timeout(3600),
]
TICKS, LIVES, DEPTH = 1_000_000, 30, 8


def test_a_million_ticks_never_train_too_often_twice_at_once_or_leave_an_incident_open() -> None:
    rng, worlds = seeded("a million ticks"), []
    for life in range(LIVES):
        worlds.append(World(POLICIES[life % len(POLICIES)]))
        live(worlds[-1], rng.getrandbits(32), TICKS // LIVES + 1)
    ticks = sum(world.ticks for world in worlds)
    trainings = sum(len(world.trained) for world in worlds)
    assert ticks >= TICKS
    assert all(len(world.trained) > 20 for world in worlds)
    incidents = sum(len(world.incident_seq) for world in worlds)
    figure(
        f"controller: {ticks:,} ticks in {LIVES} lives with lost, late and repeated steps and "
        f"jumps of the clock, {incidents:,} incidents, {trainings:,} trainings: "
        f"{zero(trainings, 'beyond the budget, two at once, or twice for an incident')}; "
        f"{zero(LIVES, 'lives ended with an incident that was never answered')}"
    )


def test_a_naive_sensor_breaks_the_same_promises_soon() -> None:
    rng, broken, ticks = seeded("naive"), 0, 0
    for life in range(LIVES):
        naive = Naive(POLICIES[life % len(POLICIES)])
        naive.fenced = False
        with pytest.raises(Broken):
            live(naive, rng.getrandbits(32), TICKS // LIVES)
        broken += 1
        ticks = max(ticks, naive.ticks)
    figure(f"controller, control: a naive sensor broke {broken} of {LIVES} lives by tick {ticks:,}")


def test_every_sequence_of_eight_events() -> None:
    count, states = walk(DEPTH)
    figure(
        f"controller: every sequence of {DEPTH} of {len(EVENTS)} events, {len(EVENTS) ** DEPTH:,} "
        f"of them, in {count:,} states ({', '.join(f'{n:,} {s}' for s, n in states.items())}): "
        "none breaks a promise, and each ends with every incident answered"
    )
