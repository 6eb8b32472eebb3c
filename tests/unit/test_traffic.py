"""Windows of live traffic, and logged answers as tables."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pytest

from leeway.identifiers import check_batch
from leeway.spec import UseCase
from leeway.traffic.judged import performance_of
from leeway.traffic.rows import Logged, inputs_of, predictions_of, traffic_table, warned
from leeway.traffic.windows import ENOUGH_ROWS, Window, closed_windows, is_window
from tests.unit.measured_penguins import ATTRIBUTES

START = datetime(2026, 11, 22, 21, tzinfo=UTC)
HOUR = timedelta(hours=1)
LATER = START + timedelta(days=30)


def hours(*counts: int) -> dict[datetime, int]:
    """Answers by hour; 0: none."""
    return {START + n * HOUR: count for n, count in enumerate(counts) if count}


def ends(found: list[Window]) -> list[float]:
    """Hours from the start to the end of each window."""
    return [(each.until - START) / HOUR for each in found]


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((), []),
        ((ENOUGH_ROWS,), [1]),
        ((ENOUGH_ROWS, ENOUGH_ROWS), [1, 2]),
        ((ENOUGH_ROWS - 1, 1), [2]),
        ((0, 0, ENOUGH_ROWS), [3]),
        ((1,), [24]),
        ((0, 1), [25]),
        ((1, *[0] * 23, ENOUGH_ROWS), [24, 25]),
        ((1, *[0] * 100, 1), [24, 125]),
    ],
)
def test_a_window_ends_with_the_hour_in_which_it_has_enough_or_after_a_day(
    counts: tuple[int, ...], expected: list[float]
) -> None:
    assert ends(closed_windows(hours(*counts), None, LATER, "hour")) == expected


@pytest.mark.parametrize(
    ("counts", "expected"),
    [((ENOUGH_ROWS,), [3]), ((1, 0, 0, ENOUGH_ROWS), [27]), ((1,), [3 + 6 * 24])],
)
def test_windows_of_days_end_at_midnight(counts: tuple[int, ...], expected: list[float]) -> None:
    assert ends(closed_windows(hours(*counts), None, LATER, "day")) == expected


def test_what_still_goes_on_is_not_closed() -> None:
    many = hours(ENOUGH_ROWS)
    assert closed_windows(many, None, START + HOUR, "hour") == [], "answers are on their way"
    assert ends(closed_windows(many, None, START + HOUR + HOUR / 60, "hour")) == [1]
    assert closed_windows(hours(1), None, START + 24 * HOUR, "hour") == []


def test_windows_are_the_same_whenever_one_looks_and_have_no_gap() -> None:
    """Closed ones are recorded, and the next tick begins after the last of them."""
    rng = random.Random(20261123)
    for _ in range(50):
        answers = hours(*(rng.choice([0, 0, 0, 1, 200, 600]) for _ in range(200)))
        whole = closed_windows(answers, None, LATER, "hour")
        found: list[Window] = []
        for n in range(0, 240, 7):
            after = found[-1].until if found else None
            left = {at: c for at, c in answers.items() if after is None or at >= after}
            left = {at: c for at, c in left.items() if at < START + n * HOUR}
            found += closed_windows(left, after, START + n * HOUR, "hour")
        assert found == whole[: len(found)]
        assert len(whole) - len(found) <= 1
        bounds = [(a.until, b.since) for a, b in pairwise(whole)]
        assert all(until == since for until, since in bounds)
        assert not whole or whole[0].since is None


def test_a_window_has_the_name_of_its_last_hour_which_can_name_a_partition() -> None:
    name = Window(None, datetime(2026, 11, 23, 10, tzinfo=UTC)).name
    assert name == "traffic-2026-11-23T09"
    assert check_batch(name) == name
    assert is_window(name)
    assert not any(map(is_window, ("2026-11-23T09", "traffic-jams", f"{name}-b")))


USE_CASE = UseCase.model_validate(ATTRIBUTES)
FEATURES = [column.name for column in USE_CASE.feature_columns]
GIVEN: dict[str, Any] = {
    column.name: "a" if column.type in ("category", "text") else 1 for column in USE_CASE.columns
}


def logged(number: int, key: str | None, said: str = "Gentoo", **inputs: Any) -> Logged:
    given = {name: GIVEN[name] for name in FEATURES} | inputs
    answer = {
        "prediction_id": str(number),
        "prediction": said,
        "probabilities": {"Adelie": 0.25, "Gentoo": 0.75},
        "prediction_set": None,
        "warnings": [{"input": "island", "code": "unseen_category", "message": "new"}] * number,
    }
    at = START + number * HOUR
    return Logged(str(number), key, at, 3, json.dumps(given), json.dumps(answer))


def test_what_was_asked_and_answered_is_in_the_table() -> None:
    part = [logged(0, "7"), logged(1, None), logged(2, "8", said="Adelie")]
    table, odd = traffic_table([part[:2], part[2:]], USE_CASE)
    assert odd == 0
    assert table["row_key"].to_pylist() == ["7", None, "8"]
    assert inputs_of(table).to_pylist() == [{name: GIVEN[name] for name in FEATURES}] * 3
    assert warned(table) == (2, {"island: unseen_category": 3})
    said = predictions_of(table, ["Adelie", "Gentoo", "Chinstrap"])
    assert said["prediction"].to_pylist() == ["Gentoo", "Gentoo", "Adelie"]
    assert said["probability_Gentoo"].to_pylist() == [0.75] * 3
    assert said["probability_Chinstrap"].to_pylist() == [0.0] * 3


def test_a_value_of_another_type_than_now_is_missing_and_counted() -> None:
    number = next(c.name for c in USE_CASE.feature_columns if c.type == "number")
    values: list[dict[str, Any]] = [{}, {number: "ten"}, {number: None}]
    part = [logged(0, None, **each) for each in values]
    table, odd = traffic_table([part], USE_CASE)
    assert odd == 1
    assert inputs_of(table)[number].to_pylist() == [1.0, None, None]


def test_an_empty_window_is_a_table_of_the_same_columns() -> None:
    table, _ = traffic_table([], USE_CASE)
    assert table.schema == traffic_table([[logged(0, None)]], USE_CASE)[0].schema
    assert inputs_of(table).column_names == FEATURES
    assert warned(table) == (0, {})


def test_a_row_that_was_asked_twice_counts_once_with_its_last_answer() -> None:
    part = [logged(n, key, said) for n, (key, said) in enumerate(
        [("1", "Adelie"), ("2", "Gentoo"), ("1", "Gentoo"), (None, "Gentoo"), ("3", "Gentoo")]
    )]  # fmt: skip
    table, _ = traffic_table([part], USE_CASE)
    truth = pa.table({"row_key": ["1", "2", "9"], "label": ["Gentoo", "Gentoo", "Adelie"]})
    found = performance_of(table, truth, USE_CASE, ["Adelie", "Gentoo"])
    assert (found.rows, found.labelled, found.fitted) == (4, 2, 0)
    assert found.maturity == 0.5
    assert found.segments["all rows"]["accuracy"].value == 1.0
    known = performance_of(table, truth, USE_CASE, ["Adelie", "Gentoo"], pa.array(["2"]))
    assert (known.labelled, known.fitted, known.maturity) == (1, 1, 0.5)


def test_without_any_truth_nothing_is_measured() -> None:
    table, _ = traffic_table([[logged(0, "1")]], USE_CASE)
    nothing = pa.table({"row_key": pa.array([], pa.string()), "label": pa.array([], pa.string())})
    found = performance_of(table, nothing, USE_CASE, ["Adelie", "Gentoo"])
    assert (found.segments, found.maturity) == ({}, 0.0)
