"""One finished training per incident, whatever happens to Dagster's daemon between verdict and run.

Real are: the project's definitions in a code server, its retraining sensor, controller and ledger,
the whole `dagster-daemon run`, run storage, queue and launcher on an embedded PostgreSQL, batches
that `leeway run` takes in and finds drifted, and the training that follows, by a short search on
the penguins. Not as in an installation: sensor and queue look each second, a daemon is a fork of
a process that has imported Dagster, and the sensor of the conditions is off (daemons.py).

A training is counted when it comes to its end in the ledger, by the incident that it was for; what
Dagster's run rows say is not asked. A tick of a sensor that asks for a run passes all seven points
of Dagster; one that asks for nothing only the first two.

    LEEWAY_KILLS=100 .venv/bin/pytest -n 0 tests/faults/test_daemon_retraining.py
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from resources.file_lock import alone_with
from tests.embedded import stop_embedded
from tests.faults.daemons import NAIVE, Retrained, retrained
from tests.faults.harness import LONG, figure, seeded, until, zero
from tests.installed import Complete

pytestmark = [pytest.mark.faults, pytest.mark.timeout(7200)]
long = pytest.mark.skipif(not LONG, reason="minutes: make proof")

POINTS = (  # in the order in which a tick passes them
    "TICK_CREATED",
    "TICK_HELD",
    "AUTOMATION_EVALUATIONS_ADDED",
    "RUN_IDS_RESERVED",
    "RUN_CREATED",
    "RUN_LAUNCHED",  # put into the queue
    "RUN_IDS_ADDED_TO_EVALUATIONS",
)
TRAINED_SECONDS = 600  # a run that is lost before it comes into the queue is given up after 180
# So many looks of the sensor; in the proof also one of each daemon that retries or launches.
SETTLED_SECONDS = 6 if LONG else 4
AWAY_SECONDS = 20
BEGUN = ("STARTING", "STARTED")
BEFORE_ITS_WORKER = ("verdict", "decided", "NOT_STARTED", "QUEUED", "STARTING")
MOST_KILLS = 6  # of the daemon, for one incident


@pytest.fixture(scope="module")
def it(after_demo: Complete) -> Iterator[Retrained]:
    with retrained(after_demo) as found:
        yield found


@pytest.fixture(autouse=True)
def alone(request: pytest.FixtureRequest) -> Iterator[None]:
    """No daemon of one test runs in the next."""
    yield
    if "it" in request.fixturenames:
        request.getfixturevalue("it").kill()


def comes_to_one_training(it: Retrained, digest: str) -> float:
    """Waits for the training of an incident; seconds since now."""
    return it.wait(lambda: it.trained()[digest] > 0, TRAINED_SECONDS, f"trained for {digest}")


def are_exact(it: Retrained, digests: Sequence[str]) -> None:
    """Each of these incidents has one training, also after the daemon went on for a while."""
    end = time.monotonic() + SETTLED_SECONDS
    it.wait(lambda: time.monotonic() > end, SETTLED_SECONDS + 5, "the time passes")
    it.wait(lambda: not unfinished(it), TRAINED_SECONDS, "every run has an end")
    trained = it.trained()
    assert {each: trained[each] for each in digests} == dict.fromkeys(digests, 1), it.ran()
    released = Counter(
        incident for (incident,) in it.select("select incident from leeway.releases")
    )
    assert all(released[each] == 1 for each in digests)


def unfinished(it: Retrained) -> list[tuple[Any, ...]]:
    ended = "('SUCCESS', 'FAILURE', 'CANCELED')"
    return it.select(f"select run_id from runs where status not in {ended}", "dagster")  # noqa: S608


def dies_at(it: Retrained, point: str) -> None:
    """A daemon that kills itself at the point."""
    it.start(**{point: "kill"})
    assert until(it.ended, 60) is not None, f"{point} was not reached"


def test_a_daemon_that_is_killed_at_each_point_in_turn_leads_to_one_training(
    it: Retrained,
) -> None:
    digest, seen = it.incident(), []
    for point in POINTS:
        dies_at(it, point)
        seen.append(it.phase(digest))
    assert seen[:6] == ["verdict"] * 2 + ["decided"] * 2 + ["NOT_STARTED", "QUEUED"]
    it.start()
    took = comes_to_one_training(it, digest)
    are_exact(it, [digest])
    figure(
        f"daemon: kill -9 at all {len(POINTS)} points in turn, for one incident: "
        f"one training, {took:.1f} s after the last kill"
    )


@long
def test_each_point_with_a_kill_one_exception_and_three(it: Retrained) -> None:
    digests, raised, longest = [], Counter[str](), 0.0
    for point in POINTS:
        for how in ("kill", 1, 3):
            digests.append(it.incident())
            before = it.crashes(point)
            if how == "kill":
                dies_at(it, point)
                it.start()
            else:
                it.start(**{point: how})
            longest = max(longest, comes_to_one_training(it, digests[-1]))
            crashes = it.crashes(point) - before
            assert crashes > 0, f"{point} was not reached"
            raised[point] += crashes if how != "kill" else 0
            it.kill()
    it.start()
    are_exact(it, digests)
    figure(
        f"daemon: {len(POINTS)} points, each with kill -9, one exception and up to three: "
        f"{zero(len(digests), 'incidents trained twice or never')}; trained {longest:.1f} s later "
        f"at most; {raised.total()} exceptions, {min(raised.values())} or more at each point"
    )


@long
def test_a_daemon_that_is_killed_at_random_moments(it: Retrained) -> None:
    rng, digests, hit = seeded("daemon"), [it.incident()], Counter[str]()
    it.start()
    window = it.wait(lambda: it.phase(digests[0]) in BEGUN, 60, "the run was launched")
    undisturbed = window + comes_to_one_training(it, digests[0])
    longest = 0.0
    while sum(hit.values()) < LONG:
        it.kill()
        digests.append(it.incident())
        for _ in range(min(MOST_KILLS, LONG - sum(hit.values()))):
            it.start()
            time.sleep(rng.uniform(0, window))
            it.kill()
            phase = it.phase(digests[-1])
            if phase not in BEFORE_ITS_WORKER:
                break  # this kill came too late, and does not count
            hit[phase] += 1
        it.start()
        longest = max(longest, comes_to_one_training(it, digests[-1]))
    are_exact(it, digests)
    figure(
        f"daemon: {zero(LONG, 'kill -9 at random moments before the run began')} left an incident "
        f"of {len(digests)} trained twice or never; killed at "
        f"{', '.join(f'{phase} {n}' for phase, n in hit.most_common())}; trained {longest:.1f} s "
        f"after the last kill at most, {undisturbed:.1f} s undisturbed; 0 runs without an end"
    )


@long
def test_two_daemons_at_once(it: Retrained) -> None:
    digests = []
    for _ in range(max(2, LONG // 20)):
        digests.append(it.incident())
        it.start()
        it.start()
        comes_to_one_training(it, digests[-1])
        it.kill()
    it.start()
    are_exact(it, digests)
    figure(f"two daemons at once: {zero(len(digests), 'incidents trained twice or never')}")


@long
def test_sensors_whose_state_is_lost(it: Retrained) -> None:
    """Cursors, ticks and reserved runs: when there are some, and once more after the training."""
    digests = []
    for point in POINTS[POINTS.index("RUN_IDS_RESERVED") :]:
        digests.append(it.incident())
        dies_at(it, point)
        it.forget_sensors()
        it.start()
        comes_to_one_training(it, digests[-1])
        it.kill()
    it.forget_sensors()
    it.start()
    are_exact(it, digests)
    figure(
        f"daemon killed and all state of its sensors lost: "
        f"{zero(len(digests), 'incidents trained twice or never')}"
    )


@long
def test_postgres_that_is_away(it: Retrained) -> None:
    rng, digests, longest = seeded("away"), [], 0.0
    home = it.installed.home
    for _ in range(max(1, LONG // 20)):
        digests.append(it.incident())
        it.start()
        time.sleep(rng.uniform(0, 4))
        with alone_with(home / "postgres.lock"):  # nobody can start it
            stop_embedded(home, "immediate")
            time.sleep(AWAY_SECONDS)
        longest = max(longest, comes_to_one_training(it, digests[-1]))
        it.kill()
    it.start()
    are_exact(it, digests)
    figure(
        f"PostgreSQL away for {AWAY_SECONDS} s between verdict and run: "
        f"{zero(len(digests), 'incidents trained twice or never')}; trained {longest:.1f} s after "
        f"its return at most; {it.restarted} daemons ended by themselves and were started again"
    )


@long
def test_the_naive_sensor_trains_twice(after_demo: Complete) -> None:
    """The control: a sensor with a cursor, and without a run key and a ledger."""
    with retrained(after_demo, NAIVE) as naive:
        digest = naive.incident()
        naive.start(RUN_IDS_ADDED_TO_EVALUATIONS=1)
        naive.wait(lambda: naive.trained_naively()[digest] > 1, TRAINED_SECONDS, "trained twice")
        found = naive.trained_naively()[digest]
    figure(f"daemon, control: one exception, and a naive sensor trained {found} times")
