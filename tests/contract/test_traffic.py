"""Windows of live traffic against PostgreSQL: what is recorded, and what is known of their rows.

Does not belong here: what nodes make of a window (tests/graph/test_traffic.py).
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from leeway.served.contract import Estimated, Estimates
from leeway.served.logged import Answered, as_copied
from resources import traffic
from resources.inference_log import write
from resources.ledger import Ledger
from resources.postgres import transaction
from resources.settings import Settings
from resources.traffic import (
    answer_counts,
    close_windows,
    rows_of,
    truth_changes,
    truth_of,
    window,
    windows,
)
from tests.small_use_case import small

NAME = "small"
USE_CASE = small({"kind": "file", "path": "none"})
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=9)
WHO: dict[str, Any] = {"use_case": NAME, "target": "y", "unit": None, "coverage": 0.9,
                       "model_version": 1, "release": "sha256:a"}  # fmt: skip


def ask(settings: Settings, at: datetime, *keys: str | None) -> None:
    given = [Estimated(uuid.uuid4().hex, 1.0, None, []) for _ in keys]
    answers = Estimates(**WHO, predictions=given)
    rows: list[dict[str, float]] = [{"x": 1.0}] * len(keys)
    write(settings, as_copied([Answered(at.timestamp(), 0.1, rows, answers, keys)]))


def execute(settings: Settings, statement: str, *rows: Sequence[Any]) -> None:
    with transaction(settings) as cursor:
        cursor.executemany(statement, rows or [()])


def label(settings: Settings, key: str, value: str, hour: int) -> None:
    at = LONG_AGO + timedelta(hours=hour)
    execute(
        settings,
        "insert into leeway.labels (use_case, batch, row_number, row_key, label, arrived_at, "
        "read_at) values (%s, 'a', 1, %s, %s, %s, %s)",
        (NAME, key, value, at, at),
    )


def truth(settings: Settings, name: str) -> list[tuple[str, str]]:
    """What is known of a window, which says of itself what all windows together say of it."""
    found, change = truth_of(settings, NAME, USE_CASE, window(settings, NAME, name))
    assert change == truth_changes(settings, NAME, USE_CASE)[name]
    return found


def test_processes_that_close_windows_at_once_record_each_once(settings: Settings) -> None:
    assert close_windows(settings, NAME, "hour", NOW) == []
    for days in range(4):
        ask(settings, LONG_AGO + timedelta(days=2 * days), None)
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: close_windows(settings, NAME, "hour", NOW), range(8)))
    assert all(each == found[0] for each in found)
    assert len(found[0]) == 4
    assert [each.name for each in windows(settings, NAME)] == found[0]
    assert windows(settings, "another") == []


def test_a_late_answer_belongs_to_exactly_one_window_whenever_it_was_given(
    settings: Settings,
) -> None:
    for days in (0, 3):
        ask(settings, LONG_AGO + timedelta(days=days), None)
    first, second = close_windows(settings, NAME, "hour", NOW)
    ends = [each.until for each in windows(settings, NAME)]
    late = [LONG_AGO - timedelta(days=300), LONG_AGO, ends[0], ends[0] + timedelta(hours=2)]
    for at in late:
        ask(settings, at, None)
    assert close_windows(settings, NAME, "hour", NOW) == [first, second]
    assert answer_counts(settings, NAME, LONG_AGO) == {first: "3", second: "3"}
    assert answer_counts(settings, NAME, ends[0]) == {second: "3"}, "the other ended long ago"
    rows = [list(rows_of(settings, NAME, window(settings, NAME, name))) for name in (first, second)]
    assert [len(part) for (part,) in rows] == [3, 3]
    times = [row.at for row in rows[0][0]]
    assert times == sorted(times)
    with pytest.raises(LookupError, match="no window of live traffic is called traffic-x"):
        window(settings, NAME, "traffic-x")


def test_answers_that_were_removed_from_the_log_stay_what_was_read(settings: Settings) -> None:
    ask(settings, LONG_AGO, "1", "2", "3")
    (name,) = close_windows(settings, NAME, "hour", NOW)
    ledger = Ledger(settings)
    attempt = ledger.begin(NAME, "traffic", name, "run")
    ledger.commit(attempt, input_digest="i", digest="d", uri="u", rows=3, facts={})
    execute(settings, "delete from monitoring.inference_log where row_key = '2'")
    assert answer_counts(settings, NAME, LONG_AGO) == {name: None}


def test_many_rows_are_read_in_parts(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traffic, "_AT_ONCE", 2)
    ask(settings, LONG_AGO, *"abcde")
    (name,) = close_windows(settings, NAME, "hour", NOW)
    parts = list(rows_of(settings, NAME, window(settings, NAME, name)))
    assert [len(part) for part in parts] == [2, 2, 1]
    assert {row.row_key for part in parts for row in part} == set("abcde")


def test_truth_is_the_newest_label_or_else_the_target_of_a_clean_row(settings: Settings) -> None:
    ask(settings, LONG_AGO, "1", "2", "2", "3", "4", None)
    ask(settings, LONG_AGO + timedelta(days=3), "1")
    first, second = close_windows(settings, NAME, "hour", NOW)
    assert truth_changes(settings, NAME, USE_CASE) == {first: "", second: ""}
    assert truth(settings, first) == []

    execute(settings, 'create schema "small"')
    execute(settings, 'create table "small".clean (id bigint, x float8, y float8, batch_id text)')
    execute(settings, "insert into small.clean values (%s, 1, %s, 'b')", (2, 5.5), (3, None))
    known = truth_changes(settings, NAME, USE_CASE)
    assert [name for name, change in known.items() if change] == [first]
    assert truth(settings, first) == [("2", "5.5")]

    label(settings, "2", "7", 2)
    label(settings, "2", "6", 1)  # read later, and arrived before
    label(settings, "1", "1", 1)
    changed = truth_changes(settings, NAME, USE_CASE)
    assert changed[first] != known[first]
    assert truth(settings, first) == [
        ("1", "1"),
        ("2", "7"),
    ]
    assert truth(settings, second) == [("1", "1")]

    execute(settings, "update leeway.labels set withdrawn_at = now() where label = '7'")
    assert truth(settings, first) == [
        ("1", "1"),
        ("2", "6"),
    ]
    again = truth_changes(settings, NAME, USE_CASE)
    assert again[first] != changed[first]
    assert again[second] == changed[second]


def test_a_window_that_loses_all_of_its_labels_is_told(settings: Settings) -> None:
    ask(settings, LONG_AGO, "k")
    (name,) = close_windows(settings, NAME, "hour", NOW)
    assert truth_changes(settings, NAME, USE_CASE) == {name: ""}
    label(settings, "k", "1.0", 1)
    assert truth_changes(settings, NAME, USE_CASE)[name] != ""
    execute(settings, "update leeway.labels set withdrawn_at = now(), withdrawn_by = 9")
    assert truth_changes(settings, NAME, USE_CASE) == {name: ""}


def test_what_began_earlier_and_is_committed_later_changes_the_state(settings: Settings) -> None:
    """As of two batches of labels, and of two commits of windows."""
    ledger = Ledger(settings)
    batch = "insert into leeway.label_batches values ('small', %s, 'f', 1, 0, %s)"

    def commit(node: str, name: str) -> None:
        attempt = ledger.begin(NAME, node, name, "r")
        ledger.commit(attempt, input_digest="i", digest="d", uri="u", rows=1, facts={})

    execute(settings, batch, ("b", NOW))
    states = [traffic.truth_state(settings, NAME)]
    execute(settings, batch, ("a", NOW - timedelta(hours=1)))
    states.append(traffic.truth_state(settings, NAME))
    for node in ("clean", "traffic", "traffic_performance", "traffic_performance"):
        commit(node, "w")
        states.append(traffic.truth_state(settings, NAME))
    assert len(set(states)) == len(states)
    execute(settings, "update leeway.commits set committed_at = now() - interval '1 day'")
    assert traffic.truth_state(settings, NAME) not in states
    commit("drift", "w")
    assert traffic.truth_state(settings, NAME) == traffic.truth_state(settings, NAME)


def test_a_batch_of_a_source_cannot_be_called_as_a_window_is(settings: Settings) -> None:
    ledger = Ledger(settings)
    with pytest.raises(ValueError, match="rename the batch"):
        ledger.register_batches(NAME, ["2009", "traffic-2026-11-23T09"])
    assert ledger.batches(NAME) == []
