"""Live traffic through the graph: the same rows are judged as they are in a file.

Belongs here: windows, their drift and performance, on a real installation. Does not belong here:
when a window is closed (tests/unit/test_traffic.py), or HTTP (tests/service).
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pandas as pd
import pyarrow as pa
import pytest

from cli.run import _traffic, plan_of
from leeway.data.values import ARROW_TYPES
from leeway.traffic.windows import is_window
from orchestration.traffic import traffic_tick
from resources.ledger import Commit
from resources.postgres import transaction
from resources.releases import Release
from resources.traffic import truth_state, windows
from resources.why.answers import why_batch, why_prediction
from resources.why.reading import NotRecorded
from tests.batches import penguins
from tests.faults.harness import until
from tests.graph.conditions import Conditions
from tests.graph.conftest import LONGER_BY_MM, NAME, Graph, check_results
from tests.graph.live import answer

pytestmark = pytest.mark.timeout(300)
BATCH = "2010"
FIRST_KEY = 2001
CHAMPION = 1  # its version
JUDGED = ("traffic_drift", "traffic_performance")
HOUR = timedelta(hours=1)
NOW = datetime.now(UTC)
# Long enough ago that few answers are a window, which goes on for a day.
BEGIN = NOW.replace(minute=0, second=0, microsecond=0) - timedelta(days=5)


def moved() -> pd.DataFrame:
    """A batch whose bills are longer than any that the champion knows."""
    table = penguins(first_key=FIRST_KEY, year=[2009])
    table["bill_length_mm"] += LONGER_BY_MM
    return table[table["bill_length_mm"].notna()].reset_index(drop=True)


def clean(graph: Graph, table: pd.DataFrame) -> pa.Table:
    """The rows as dbt makes them, which for penguins changes nothing but types."""
    stored = graph.stage.use_case.given_columns
    return pa.table(
        {
            column.name: pa.array(table[column.name], ARROW_TYPES[column.type], from_pandas=True)
            for column in stored
        }
    )


def every_minute(rows: int, begin: datetime) -> list[datetime]:
    return [begin + timedelta(minutes=minute % 60, seconds=minute) for minute in range(rows)]


def tick(graph: Graph, cursor: str | None = None) -> tuple[list[str], list[dg.RunRequest]]:
    """Windows that a tick registers, as the daemon then does it, and the runs that it asks for."""
    found = traffic_tick(graph.stage, graph.instance, graph.platform, NOW, cursor)
    if isinstance(found, dg.SkipReason):
        return [], []
    new: list[str] = []
    for request in found.dynamic_partitions_requests or []:
        graph.instance.add_dynamic_partitions(request.partitions_def_name, request.partition_keys)
        new += request.partition_keys
    return new, list(found.run_requests or [])


def look(graph: Graph, window: str) -> dg.ExecuteInProcessResult:
    """A window is looked at, as the conditions ask for it."""
    return graph.carry_out(dg.RunRequest(job_name=f"{NAME}_traffic", partition_key=window))


def facts(graph: Graph, node: str, batch: str) -> dict[str, Any]:
    return dict(graph.platform.ledger.require(NAME, node, batch).facts)


def champion(graph: Graph) -> Release:
    found = graph.platform.releases.champion(NAME)
    assert found is not None
    return found


def causes(graph: Graph, batch: str) -> set[str]:
    """Of the incidents that stand."""
    standing = graph.platform.releases.incidents(NAME, champion(graph).digest, 50)
    assert all(each.live == is_window(each.batch) for each in standing)
    return {each.cause for each in standing if each.batch == batch}


def content(graph: Graph, node: str, batch: str) -> dict[str, Any]:
    commit = graph.platform.ledger.require(NAME, node, batch)
    found: dict[str, Any] = json.loads(graph.platform.store.get(commit.uri, commit.digest))
    return found


def stale(graph: Graph) -> set[tuple[str, str]]:
    """Which windows `leeway run` would look at."""
    use_case, settings = graph.stage.use_case, graph.platform.settings
    sources = _traffic(settings, NAME, use_case)
    steps = plan_of(NAME, use_case, graph.platform.ledger, sources)
    return {(s.node, s.batch) for s in steps if s.runs and s.node.startswith("traffic")}


@pytest.fixture(scope="module")
def served(complete: Graph) -> Graph:
    """The champion was asked about penguins with longer bills, of which no truth is known."""
    rows = clean(complete, moved())
    answer(complete.stage, complete.platform, rows, every_minute(rows.num_rows, BEGIN))
    return complete


def test_a_use_case_that_nobody_asked_has_no_windows_and_nothing_to_do(complete: Graph) -> None:
    assert tick(complete) == ([], [])
    assert stale(complete) == set()


@dataclass(frozen=True)
class Judged:
    """A window that a tick registered, what the tick asked for, what waited, and the look."""

    window: str
    asked: list[dg.RunRequest]
    waiting: set[tuple[str, str]]
    result: dg.ExecuteInProcessResult


@pytest.fixture(scope="module")
def judged(served: Graph) -> Judged:
    """The window of these answers was looked at."""
    ((window,), asked) = tick(served)
    return Judged(window, asked, stale(served), look(served, window))


@dataclass(frozen=True)
class Late:
    """A window before and after an answer came late to it, and what was asked for in between."""

    before: Commit
    asked: list[dg.RunRequest]
    waiting: set[tuple[str, str]]
    after: Commit


@pytest.fixture(scope="module")
def late(served: Graph, judged: Judged) -> Late:
    """An answer from before the first that was there was logged, and taken in."""
    ledger = served.platform.ledger
    before = ledger.require(NAME, "traffic", judged.window)
    answered = clean(served, moved().head(1)).set_column(
        0, "penguin_id", pa.array([FIRST_KEY + 900], pa.int64())
    )
    answer(served.stage, served.platform, answered, [BEGIN - HOUR])
    asked = [*tick(served)[1], *tick(served)[1]]
    waiting = stale(served)
    assert served.carry_out(asked[0]).success
    return Late(before, asked, waiting, ledger.require(NAME, "traffic", judged.window))


def test_a_window_is_judged_once_and_its_labels_are_not_in(served: Graph, judged: Judged) -> None:
    window = judged.window
    assert judged.asked == [], "conditions ask for what is new, or each window would run twice"
    assert [each.name for each in windows(served.platform.settings, NAME)] == [window]
    assert judged.waiting == {(node, window) for node in ("traffic", *JUDGED)}
    assert judged.result.success
    assert (tick(served), stale(served)) == (([], []), set())

    drift = facts(served, "traffic_drift", window)
    assert drift["verdict"] == "confirmed"
    assert drift["columns"] == ["bill_length_mm"]
    assert drift["predictions"]["verdict"] in ("suspect", "confirmed")
    performance = facts(served, "traffic_performance", window)
    assert performance["maturity"] == 0
    assert content(served, "traffic_performance", window)["releases"]["1"]["segments"] == {}

    checks = check_results(judged.result)
    assert not checks["no_drift"].passed
    assert checks["few_warnings"].passed
    assert checks["keeps_gates"].passed


def test_an_answer_tells_of_its_window(served: Graph, judged: Judged) -> None:
    with transaction(served.platform.settings) as cursor:
        cursor.execute("select prediction_id::text from monitoring.inference_log limit 1")
        ((name,),) = cursor.fetchall()
    found = why_prediction(served.platform.settings, served.platform.store, name)
    said = " ".join(each.text for each in found.statements)
    assert f"It is part of window {judged.window}, whose drift from version 1 is confirmed" in said
    assert "0% have a label by now" in said


def test_a_window_tells_of_its_answers_its_drift_and_its_incident(
    served: Graph, judged: Judged
) -> None:
    settings = served.platform.settings
    answer = why_batch(settings, NAME, judged.window)
    said = " ".join(each.text for each in answer.statements)
    assert "answers of live traffic from the first one until" in said
    assert "It is a window whose drift from version 1 is confirmed" in said
    assert "An incident was found in it" in said
    assert all(each.rests_on for each in answer.statements)
    with pytest.raises(NotRecorded, match=f"the newest are {judged.window}"):
        why_batch(settings, NAME, "traffic-2001-01-01T00")


def lookups(graph: Graph) -> int:
    """How often the server has looked through the clean rows, of which each is a label."""
    with transaction(graph.platform.settings) as cursor:
        cursor.execute(
            "select seq_scan + coalesce(idx_scan, 0) from pg_stat_user_tables "
            "where schemaname = %s and relname = 'clean'",
            (NAME,),
        )
        ((found,),) = cursor.fetchall()
    return int(found)


@pytest.mark.usefixtures("judged")
def test_while_nothing_changes_labels_are_not_looked_up_again(served: Graph) -> None:
    found = traffic_tick(served.stage, served.instance, served.platform, NOW, None)
    assert isinstance(found, dg.SensorResult)
    assert found.cursor == truth_state(served.platform.settings, NAME)
    time.sleep(0.5)  # a session tells the server of its lookups when it ends; nobody waits for that
    before = lookups(served)
    assert tick(served, found.cursor) == ([], [])
    time.sleep(0.5)
    assert lookups(served) == before
    assert tick(served) == ([], []), "the control: without the cursor they are"
    assert until(lambda: lookups(served) > before, 10) is not None


def test_an_answer_that_is_logged_late_is_taken_into_its_window_once(
    served: Graph, judged: Judged, late: Late
) -> None:
    one, again = late.asked
    assert one.run_key == again.run_key
    assert late.waiting == {(node, judged.window) for node in ("traffic", *JUDGED)}
    assert (late.after.rows, late.before.rows) == (moved().shape[0] + 1, moved().shape[0])
    assert late.after.digest != late.before.digest
    assert (tick(served), stale(served)) == (([], []), set())

    assert causes(served, judged.window) == {"drift"}


@pytest.mark.usefixtures("late")
def test_the_same_rows_in_a_file_are_judged_alike_and_are_the_truth_of_the_window(
    served: Graph, judged: Judged
) -> None:
    """They are the labels that the window waited for, too."""
    window = judged.window
    with_late = pd.concat([moved(), moved().head(1).assign(penguin_id=FIRST_KEY + 900)])
    served.write(BATCH, with_late)
    of_batch = ["raw", "staged", "clean", "profile", "drift", "predictions", "performance"]
    assert served.materialize([BATCH], of_batch).success

    ours, theirs = content(served, "traffic_drift", window), content(served, "drift", BATCH)
    features = [column.name for column in served.stage.use_case.feature_columns]
    for name in features:
        assert ours["columns"][name] == theirs["columns"][name], name
    told = ("verdict", "reason", "drifted_share", "alarm_probability", "rows")
    assert {each: ours[each] for each in told} == {each: theirs[each] for each in told}
    assert ours["columns"]["species"]["verdict"] == "undefined", "nobody said it"
    said = facts(served, "traffic_drift", window)["predictions"]
    of_file = facts(served, "predictions", BATCH)["drift"]
    assert (said["verdict"], said["reason"]) == (of_file["verdict"], of_file["reason"])

    (_, (request,)) = tick(served)
    assert tick(served)[1][0].run_key == request.run_key
    assert stale(served) == {("traffic_performance", window)}
    assert served.carry_out(request).success
    found = facts(served, "traffic_performance", window)
    assert found["maturity"] == 1
    measured = content(served, "traffic_performance", window)["releases"]["1"]
    assert measured["segments"] == content(served, "performance", BATCH)["segments"]
    assert "island=Dream" in measured["segments"]
    assert (tick(served), stale(served)) == (([], []), set())
    assert causes(served, window) == causes(served, BATCH)
    assert "drift" in causes(served, window)


@pytest.mark.usefixtures("judged")
def test_few_answers_are_a_window_whose_verdict_is_undefined(served: Graph) -> None:
    rows = clean(served, penguins(first_key=5001, year=[2009]).head(5))
    answer(served.stage, served.platform, rows, every_minute(5, BEGIN + 30 * HOUR))
    others = rows.slice(0, 3)
    answer(served.stage, served.platform, others, every_minute(3, BEGIN + 31 * HOUR), version=99)
    ((window,), asked) = tick(served)
    assert asked == []
    assert look(served, window).success
    drift = facts(served, "traffic_drift", window)
    assert drift["verdict"] == "undefined"
    assert facts(served, "traffic", window)["versions"] == {str(CHAMPION): 5, "99": 3}
    assert drift["predictions"]["rows"] == 5, "what another release says is not held against it"
    measured = content(served, "traffic_performance", window)["releases"]
    assert list(measured) == [str(CHAMPION)], "nobody knows what version 99 was fitted on"
    assert "30 are needed" in drift["reason"]
    assert drift["incident"] is None
    assert facts(served, "traffic_performance", window)["maturity"] == 0
    assert causes(served, window) == set()


@pytest.mark.usefixtures("judged")
def test_conditions_ask_for_each_window_once(served: Graph) -> None:
    conditions = Conditions(served)
    conditions.requested()
    rows = clean(served, penguins(first_key=6001, year=[2009]).head(5))
    answer(served.stage, served.platform, rows, every_minute(5, BEGIN + 60 * HOUR))
    ((window,), _) = tick(served)
    assert conditions.requested() == {node: [window] for node in ("traffic", *JUDGED)}
    assert conditions.requested() == {}
