"""Batches that come late, out of order, twice, overlapping, empty or after a kill: one final state.

A few by default; the figures of docs/faults.md:
`LEEWAY_KILLS=120 .venv/bin/pytest -q tests/faults/test_arrival.py`.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path

import dagster as dg
import pytest

from resources.faults import FaultInjected
from resources.settings import Settings
from tests.faults.harness import figure, seeded, times
from tests.faults.intake import Intake, Row, use_case, write

pytestmark = [pytest.mark.faults, pytest.mark.timeout(3600)]
POINTS = ["store.half_written", "store.before_rename", "raw.before_commit", "raw.in_commit",
          "raw.after_commit"]  # fmt: skip
_numbers = count(1)


def rows_of(rng: random.Random, keys: Sequence[int]) -> list[Row]:
    """Rows with these keys, some of them bad, some twice."""
    found: list[Row] = [
        (key, rng.choice([1.5, 2, "", "x", 101, "inf"]), rng.choice(["a", "b", "", "c"]))
        for key in keys
    ]
    found[0] = (keys[0], 3, "a")  # a column of which every value is bad refuses its batch
    return found + rng.sample(found, k=min(2, len(found)))


@pytest.fixture
def intake(settings: Settings, tmp_path: Path) -> Iterator[list[Intake]]:
    """Every use case of a test; the last is the newest."""
    made: list[Intake] = []
    yield made
    for each in made:
        each.drop()


def begun(made: list[Intake], folder: Path, settings: Settings) -> Intake:
    while len(made) > 1:  # the first is the one that others are compared with
        made.pop().drop()
    made.append(Intake(f"arrival{next(_numbers)}", use_case(folder), settings))
    return made[-1]


@pytest.mark.parametrize(("batches", "orders"), [(5, min(120, times(3))), (12, times(1))])
def test_the_final_state_does_not_depend_on_the_order_of_arrival(
    batches: int, orders: int, settings: Settings, tmp_path: Path, intake: list[Intake]
) -> None:
    """Each batch has its own keys; the last one in order of time may come first."""
    rng = seeded("orders")
    names = [f"2024-{number + 1:02d}" for number in range(batches)]
    for number, name in enumerate(names):
        write(tmp_path, name, rows_of(rng, range(100 * number, 100 * number + 20)))
    if batches == 5:
        tried = rng.sample(list(itertools.permutations(names)), orders)
    else:
        tried = [tuple(rng.sample(names, batches)) for _ in range(orders)]
    states = set()
    for order in [tuple(names), *tried]:
        made = begun(intake, tmp_path, settings)
        for name in order:
            made.take(name)
        states.add(made.state())
    assert len(states) == 1
    figure(f"{len(tried)} orders of {batches} batches: {len(states)} state")


def test_a_batch_that_is_taken_in_twice_or_after_a_failure_is_there_once(
    settings: Settings, tmp_path: Path, intake: list[Intake], monkeypatch: pytest.MonkeyPatch
) -> None:
    """f(f(x)) = f(x), where f may fail before its first end, at each point that can be named."""
    cases = times(4)
    rng = seeded("twice")
    for case in range(cases):
        names = [f"b{number}" for number in range(3)]
        for name in names:  # keys that other batches have, too
            write(tmp_path, name, rows_of(rng, rng.sample(range(30), k=rng.randint(1, 12))))
        for each in intake:
            each.drop()
        intake.clear()
        once = begun(intake, tmp_path, settings)
        for name in names:
            once.take(name)
        twice = begun(intake, tmp_path, settings)
        for name in names:
            with monkeypatch.context() as patch:
                patch.setenv("LEEWAY_FAULTS", f"{POINTS[case % len(POINTS)]}:raise")
                with suppress(FaultInjected):
                    twice.take(name)
            for _ in range(rng.randint(1, 2)):
                twice.take(name)
        for name in rng.sample(names, k=2):
            twice.take(name)
        assert twice.state() == once.state(), f"case {case}"
    figure(f"{cases} cases of three overlapping batches, failed once and taken in again: 0 differ")


def test_an_empty_batch_is_refused_whenever_it_comes_and_changes_nothing(
    settings: Settings, tmp_path: Path, intake: list[Intake]
) -> None:
    rng = seeded("empty")
    made = begun(intake, tmp_path, settings)
    write(tmp_path, "b1", rows_of(rng, range(9)))
    write(tmp_path, "b0", [])
    for name in ("b0", "b1", "b0"):
        if name == "b1":
            made.take(name)
            continue
        before = made.state()
        with pytest.raises(dg.Failure, match="the batch has a header but no rows"):
            made.take(name)
        assert made.state() == before
    write(tmp_path, "b0", rows_of(rng, range(20, 25)))
    made.take("b0")
    assert made.platform.ledger.require(made.name, "raw", "b0").facts["rows"] == 7
