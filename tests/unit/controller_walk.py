"""Every history of the controller's world to a depth, each state of the world once.

Belongs here: the events, and when two histories have led to the same. Does not belong here: what
must never happen, which the world itself says (controller_world.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from copy import deepcopy
from dataclasses import replace
from datetime import datetime

from leeway.controller.facts import Outcome
from leeway.controller.machine import Decision
from leeway.spec import Retraining
from tests.unit.controller_world import HOUR, Tick, World

ASKED = Decision("confirmed", "retrain", "", "")
POLICY = Retraining(cooldown="6h", budget=2, window="1d", longest_wait="2d")
# Nothing of that age matters any more: longer than each window and wait.
OLD = -3 * 24 * HOUR


def _end(outcome: Outcome) -> Callable[[World], None]:
    def event(world: World) -> None:
        for run in world.order[-3:]:
            world.begin_run(run)
            world.end_run(run, outcome)

    return event


def _tick(world: World) -> None:
    world.tick()


def _decide(world: World) -> None:
    world.record(world.read())  # and then it crashes


def _ask_late(world: World) -> None:
    """The daemon is back, and carries out what it had accepted first."""
    for intent in world.intents[:1]:
        tick = Tick((0, 0), replace(ASKED, incident=intent.incident, attempt=intent.attempt), True)
        world.ask(tick)


def _train_by_hand(world: World) -> None:
    world.begin_by_hand()
    world.end_by_hand("promoted")


def _begin(world: World) -> None:
    for run in world.order[-3:]:
        world.begin_run(run)


EVENTS: Mapping[str, Callable[[World], None]] = {
    "a batch is quiet": lambda world: world.arrive("none"),
    "a batch drifted": lambda world: world.arrive("confirmed"),
    "a tick": _tick,
    "a tick that crashes before it asks": _decide,
    "an old tick asks late": _ask_late,
    "a person trains, and it is promoted": _train_by_hand,
    "runs begin": _begin,
    "runs end: promoted": _end("promoted"),
    "runs end: held": _end("held"),
    "runs end: failed": _end("failed"),
    "a cool-down passes": lambda world: world.wait(6 * HOUR),
    "the clock is set back by one": lambda world: world.set_back(6 * HOUR),
}


def walk(depth: int) -> tuple[int, Counter[str]]:
    """Goes through every sequence of so many events; how many states of the world there were.

    The second part counts the states of the controller, as a tick would find it in each.

    Raises:
        Broken: at the first state that must not be, or from which an incident is never answered.
    """
    layer = {_key(world): world for world in [World(POLICY)]}
    seen, states = set(layer), Counter[str]()
    for _ in range(depth):
        following: dict[Hashable, World] = {}
        for world in layer.values():
            for event in EVENTS.values():
                after = deepcopy(world)
                event(after)
                key = _key(after)
                if key not in seen:
                    seen.add(key)
                    following[key] = after
                    states[after.read().decision.state] += 1
        layer = following
    for world in layer.values():
        world.settle()
    return len(seen), states


def _key(world: World) -> Hashable:
    """What the future depends on; times are relative, and what is old is all the same."""

    def ago(when: datetime | None) -> int | None:
        return None if when is None else max(OLD, int((when - world.now).total_seconds()))

    def about(digest: str | None) -> int | None:
        return None if digest is None else world.batch - int(digest[1:])

    later = [result.seq for result in world.results]
    return (
        tuple((world.batch - int(look.batch), look.verdict) for look in world.champion.looks),
        tuple(
            (about(each.digest), sum(world.incident_seq[each.digest] < seq for seq in later))
            for each in world.champion.incidents
        ),
        tuple((about(each.incident), each.outcome, ago(each.at)) for each in world.results),
        tuple(
            (
                about(run.incident),
                run.attempt,
                run.state,
                run.outcome,
                ago(run.made),
                ago(run.ended),
            )
            for run in world.order
        ),
        tuple((about(each.incident), each.attempt, ago(each.at)) for each in world.intents),
        None
        if world.last is None
        else (world.last[1].action, about(world.last[1].incident), world.last[1].attempt),
        tuple(max(OLD, real - world.real) for real in world.trained),
        max(OLD, world.result_at - world.real),
    )
