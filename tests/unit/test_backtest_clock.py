"""The clock of a replay: batches come in the order of their times, and age goes on between them.

Belongs here: when a batch comes, and what is due at which moment. Does not belong here: the verdict
on a batch (test_backtest.py).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import pyarrow as pa
import pytest

from cli.backtest_models import Chosen, chosen_of
from leeway.backtest.clock import in_time, notes_on_order
from leeway.backtest.walk import walk
from leeway.backtest.walked import Walked
from leeway.spec import UseCase
from resources.backtest import Material
from tests.unit.backtests import batches, once_released, profiles, released, use_case

QUICK = {"search": {"folds": 3, "candidates": ["decision_tree"]}}
LATE = "came late, and at once on the clock here: their rows are older than those before them"


def in_text_order(count: int) -> dict[str, pa.Table]:
    """Weekly batches called `1` to `count`, in the order of a folder: `1`, `10`, `11`, `2`."""
    tables = batches(lambda number: (1, 0), count=count, rows=100)
    named = {str(number): rows for number, rows in enumerate(tables.values(), 1)}
    return {
        name: named[name].set_column(
            named[name].column_names.index("batch_id"), "batch_id", pa.array([name] * 100)
        )
        for name in sorted(named)
    }


def dated(rows: pa.Table, last: datetime) -> pa.Table:
    """The same rows, but for the time of the last."""
    moments = [*rows["day"].to_pylist()[:-1], last]
    return rows.set_column(
        rows.column_names.index("day"), "day", pa.array(moments, rows["day"].type)
    )


def chosen(tables: dict[str, pa.Table], case: UseCase, first: tuple[str, ...] = ()) -> Chosen:
    releases = (released(1, {name: tables[name] for name in first}, case),) if first else ()
    material = Material(tables, profiles(tables, case), releases)
    return chosen_of(case, material, refit=False)


# Which batch comes when


def test_batches_without_history_come_in_the_order_of_their_times_and_not_of_their_ids() -> None:
    """Else the first model would be trained on 1, 10, 11 and 12, and judged by 2 to 9."""
    found = chosen(in_text_order(12), use_case(**QUICK))
    assert [each.name for each in found.batches] == [str(number) for number in range(1, 13)]
    assert found.models.first().batches == ("1", "2", "3", "4")
    apart = {(b.at - a.at).days for a, b in pairwise(found.batches)}
    assert apart == {7}
    assert "the batches come in the order of their times, not of their ids" in found.notes


def test_batches_in_the_order_of_their_times_are_no_news() -> None:
    found = chosen(batches(lambda number: (1, 0), count=6, rows=100), use_case(**QUICK))
    assert not [note for note in found.notes if "order of" in note or "late" in note]


def test_after_a_release_batches_come_as_they_were_found_and_it_is_said_which_were_late() -> None:
    """As production looked at them: those that it had trained on, then the others as they came."""
    tables = in_text_order(12)
    found = chosen(tables, use_case(**QUICK), first=("1", "2", "3"))
    order = ["1", "2", "3", "10", "11", "12", "4", "5", "6", "7", "8", "9"]
    assert [each.name for each in found.batches] == order
    assert f"4, 5, 6, 7, 8, 9 {LATE}" in found.notes
    assert {each.at for each in found.batches[6:]} == {found.batches[5].at}


def test_one_row_that_is_dated_years_ahead_does_not_stop_the_clock() -> None:
    """At the end of 2042 every later batch would come at once, and no wait would end."""
    case, tables = use_case(), batches(lambda number: (1, 0), count=6, rows=100)
    honest = in_time(tables, profiles(tables, case), case)
    tables["w02"] = dated(tables["w02"], datetime.fromisoformat("2042-12-31T00:00+00:00"))
    found = in_time(tables, profiles(tables, case), case)
    assert [each.at for each in found] == [each.at for each in honest]
    assert notes_on_order(found) == []


def test_batches_without_a_time_come_as_often_as_the_policy_says() -> None:
    columns = [each.model_dump() for each in use_case().columns if each.role != "time"]
    case = use_case(columns=columns, drift={"batches_per_year": 36.525})
    tables = {name: rows.drop_columns(["day"]) for name, rows in in_text_order(10).items()}
    found = in_time(tables, profiles(tables, case), case)
    assert [each.name for each in found] == list(tables)
    assert {b.at - a.at for a, b in pairwise(found)} == {timedelta(days=10)}


# The age of the champion


def aged(**retraining: object) -> Walked:
    """Weekly batches without a change; a champion is too old after 15 days."""
    case = use_case(
        freshness={"warn_after": "7d", "fail_after": "15d"},
        retraining={"on": ["freshness"], "cooldown": "1d", **retraining},
    )
    tables = batches(lambda number: (1, 0), rows=100)
    stored = profiles(tables, case)
    models = once_released(tables, stored, case, 7)
    return walk("planted", case, in_time(tables, stored, case), models)


def test_a_champion_that_gets_too_old_between_two_batches_is_replaced_then() -> None:
    """Not when the next batch comes: the sensor looks every minute."""
    found = aged()
    age = timedelta(days=15) + timedelta.resolution
    released_at = found.steps[0].batch.at - timedelta(days=7)  # w06, the last of the first
    begun = [each.training.started_at for each in found.retrains]
    assert begun == [released_at + number * age for number in range(1, 7)]
    assert [each.after for each in found.retrains] == ["w08", "w10", "w12", "w14", "w16", "w18"]
    assert [(each.batch, each.cause, each.at) for each in found.incidents] == [
        (run.after, "freshness", at) for run, at in zip(found.retrains, begun, strict=True)
    ]


def test_an_old_champion_is_an_alarm_also_where_nothing_is_trained() -> None:
    """Once: what waits for a training is not told again with each batch that comes."""
    found = aged(enabled=False)
    assert found.retrains == []
    assert [(each.batch, each.cause) for each in found.incidents] == [("w08", "freshness")]
    assert "retraining.enabled is false" in found.decisions[-1].decision.reason


@pytest.mark.parametrize("on", [["drift"], []])
def test_age_is_no_alarm_where_the_policy_does_not_say_so(on: list[str]) -> None:
    found = aged(on=on)
    assert (found.retrains, found.incidents) == ([], [])
