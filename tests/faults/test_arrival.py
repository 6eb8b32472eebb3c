"""Batches that come late, out of order, twice, overlapping, empty or after a kill: one final state.

A few by default; the figures of docs/faults.md:
`LEEWAY_KILLS=2000 .venv/bin/pytest -q tests/faults/test_arrival.py -k twice` (with 500 for orders).
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator, Mapping, Sequence
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


def expected(files: Mapping[str, Sequence[Row]]) -> set[tuple[object, str, int]]:
    """Key, batch and row number of what must be accepted, from the rule alone (docs/adr/0013)."""
    found: dict[object, tuple[object, str, int]] = {}
    for batch in sorted(files):
        for number, (key, x, kind) in enumerate(files[batch], 1):
            if x not in ("x", 101, "inf") and kind != "c":
                found.setdefault(key, (key, batch, number))
    return set(found.values())


@pytest.mark.parametrize(("batches", "orders"), [(5, min(120, times(3))), (12, times(1))])
def test_the_final_state_does_not_depend_on_the_order_of_arrival(
    batches: int, orders: int, settings: Settings, tmp_path: Path, intake: list[Intake]
) -> None:
    """Each batch has some keys of most others; the last one in order of time may come first."""
    rng = seeded("orders")
    names = [f"2024-{number + 1:02d}" for number in range(batches)]
    files = {name: rows_of(rng, rng.sample(range(10 * batches), k=20)) for name in names}
    for name, rows in files.items():
        write(tmp_path, name, rows)
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
    assert made.held() == expected(files)
    figure(f"{len(tried)} orders of {batches} batches that share keys: {len(states)} state")


def test_a_batch_that_is_corrected_gives_up_and_gets_the_keys_it_should(
    settings: Settings, tmp_path: Path, intake: list[Intake]
) -> None:
    """Whatever was in the files before, the state is the one of what is in them now."""
    cases = times(1)
    rng = seeded("corrected")
    for case in range(cases):
        names = [f"b{number}" for number in range(4)]
        made = begun(intake, tmp_path, settings)
        files: dict[str, list[Row]] = {}
        for name in rng.sample(names * 2, k=8):
            files[name] = rows_of(rng, rng.sample(range(30), k=rng.randint(3, 12)))
            write(tmp_path, name, files[name])
            made.take(name)
            assert made.held() == expected(files), f"case {case}, at {name}"
        corrected = made.state()
        once = begun(intake, tmp_path, settings)
        for name in names:
            once.take(name)
        assert once.state() == corrected, f"case {case}"
    figure(f"{cases} cases of four overlapping batches, each corrected once: 0 differ from at once")


def test_a_batch_that_is_taken_in_twice_or_after_a_failure_is_there_once(
    settings: Settings, tmp_path: Path, intake: list[Intake], monkeypatch: pytest.MonkeyPatch
) -> None:
    """f(f(x)) = f(x), where f fails before its first end, at each point that can be named.

    A case is a batch that shares keys with others; ten of them are taken in beside each other.
    """
    cases = 10 * math.ceil(times(10) / 10)
    rng = seeded("twice")
    for first in range(0, cases, 10):
        names = [f"b{number}" for number in range(10)]
        twice = begun(intake, tmp_path, settings)
        files: dict[str, list[Row]] = {}
        for case, name in enumerate(rng.sample(names, k=10), first):
            before = expected(files)
            files[name] = rows_of(rng, rng.sample(range(60), k=rng.randint(3, 12)))
            write(tmp_path, name, files[name])
            with monkeypatch.context() as patch:
                point = POINTS[case % len(POINTS)]
                patch.setenv("LEEWAY_FAULTS", f"{point}:raise")
                with pytest.raises(FaultInjected):
                    twice.take(name)
            told = point == "raw.after_commit"
            assert twice.held() == (expected(files) if told else before), f"case {case}: {point}"
            for _ in range(rng.randint(1, 2)):
                twice.take(name)
            assert twice.held() == expected(files), f"case {case}"
        state = twice.state()  # before `begun` removes it
        once = begun(intake, tmp_path, settings)
        for name in names:
            once.take(name)
        assert once.state() == state, f"cases {first} to {first + 9}"
    figure(f"{cases} batches that share keys, failed once and taken in again: 0 differ from once")


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
