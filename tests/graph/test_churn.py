"""Churn by the day: customers of a folder are trained on, and those who come later are scored.

The rows are made up, as those that stand in, and the search is short. What is new is checked,
scored and watched by the jobs of the schedules, as these carry them out.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pyarrow.csv as csv
import pytest
import yaml

from leeway.data.synthetic import synthetic_table
from leeway.data.tables import from_parquet
from leeway.spec import FileSource, Scheduled, UseCase
from orchestration.jobs import SCHEDULED_NODES, schedule_job_name
from orchestration.schedules import schedule_tick
from orchestration.use_cases import load_use_cases
from resources.postgres import transaction
from tests.conftest import used_installation
from tests.graph.answered import assert_service_agrees
from tests.graph.conftest import Graph, opened

NAME = "churn"
KNOWN, NEW = "2024-01-01", "2024-01-02"
ROWS = {KNOWN: 200, NEW: 80}


def short(use_case: UseCase, folder: Path) -> UseCase:
    """As docs/sources.md has it for daily data, with two candidates and trials, of three folds."""
    candidates = ("logistic_regression", "decision_tree")
    search = use_case.search.model_copy(update={"candidates": candidates, "trials": 2, "folds": 3})
    source = FileSource(kind="file", path=str(folder))
    return use_case.model_copy(update={"source": source, "search": search})


def customers(batch: str) -> pa.Table:
    """Rows of a day, with ids of their own and the source's names."""
    return synthetic_table(load_use_cases()[NAME], batch, list(ROWS).index(batch), ROWS[batch])


def csv_of(table: pa.Table) -> bytes:
    written = io.BytesIO()
    csv.write_csv(table, written)
    return written.getvalue()


def by_the_clock(graph: Graph, part: Scheduled) -> dg.ExecuteInProcessResult:
    """Does what a tick of the schedule asks for."""
    asked = schedule_tick(graph.stage, part, graph.instance, graph.platform)
    assert isinstance(asked, dg.RunRequest), asked
    job = schedule_job_name(NAME, part)
    return graph.carry_out(dg.RunRequest(job_name=job, partition_key=asked.partition_key))


@pytest.fixture(scope="module")
def graph(server_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Graph]:
    """A first day with labels, which was trained on, and a second without, of which is known."""
    home, folder = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("customers")
    with (
        used_installation(server_home, home),
        opened(NAME, short(load_use_cases()[NAME], folder), folder) as found,
    ):
        found.write_bytes(KNOWN, csv_of(customers(KNOWN)))
        assert found.materialize([KNOWN]).success
        unlabelled = customers(NEW).drop_columns(["churn"])
        unlabelled = unlabelled.append_column("churn", pa.nulls(ROWS[NEW], pa.bool_()))
        found.write_bytes(NEW, csv_of(unlabelled))
        found.instance.add_dynamic_partitions(f"{NAME}_batches", [NEW])
        yield found


def test_the_sources_of_daily_data_are_ones_of_churn() -> None:
    guide = Path(__file__).parents[2] / "docs" / "sources.md"
    section = guide.read_text(encoding="utf-8").partition("## Churn by the day")[2]
    blocks = re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)
    content = load_use_cases()[NAME].model_dump()
    found = [UseCase.model_validate(content | yaml.safe_load(block)).source for block in blocks]
    assert [each.kind for each in found] == ["file", "sql"]


def stored(graph: Graph, node: str, batch: str = "") -> bytes:
    commit = graph.platform.ledger.require(NAME, node, batch)
    return graph.platform.store.get(commit.uri, commit.digest)


def query(graph: Graph, text: str) -> list[tuple[object, ...]]:
    with transaction(graph.platform.settings) as cursor:
        cursor.execute(text)
        return list(cursor.fetchall())


@pytest.fixture(scope="module")
def scored(graph: Graph) -> Graph:
    """The second day was checked and scored, each by the job of its schedule."""
    parts: tuple[Scheduled, ...] = ("quality", "scoring")
    for part in parts:
        result = by_the_clock(graph, part)
        assert result.success
        assert materialized(result) == set(SCHEDULED_NODES[part])
    return graph


def materialized(result: dg.ExecuteInProcessResult) -> set[str]:
    events = result.get_asset_materialization_events()
    return {event.asset_key.path[-1] for event in events if event.asset_key is not None}


def test_customers_of_a_day_are_scored_without_a_label(scored: Graph) -> None:
    ledger, champion = scored.platform.ledger, scored.platform.releases.champion(NAME)
    assert champion is not None
    assert ledger.require(NAME, "raw", NEW).facts["rejected"] == 0
    assert ledger.require(NAME, "drift", NEW).facts["verdict"] != "undefined"
    predictions = from_parquet(stored(scored, "predictions", NEW))
    assert predictions["customer_id"].to_pylist() == customers(NEW)["Customer_ID"].to_pylist()
    assert query(scored, "select batch, rows, version from monitoring.scoring_runs order by 1") == [
        (batch, rows, champion.version) for batch, rows in ROWS.items()
    ]
    assert ledger.require(NAME, "performance", NEW).rows == 0, "nothing is known of them yet"


def test_the_threshold_of_the_costs_decides(scored: Graph) -> None:
    (record,) = scored.instance.fetch_materializations(scored.stage.key("explainers"), 1).records
    assert record.asset_materialization is not None
    shown = record.asset_materialization.metadata["decision_threshold"].value
    release = json.loads(stored(scored, "release"))
    assert release["threshold"] == {"positive": "true", "value": shown}
    predictions = from_parquet(stored(scored, "predictions", NEW)).to_pydict()
    reached = [each >= shown for each in predictions["probability_true"]]
    assert [each == "true" for each in predictions["prediction"]] == reached
    half = [each >= 0.5 for each in predictions["probability_true"]]
    assert half != reached, "the control: an offer is cheaper than a loss"


def test_the_service_decides_by_the_threshold_as_the_graph_does(scored: Graph) -> None:
    """Guards: with a threshold, no answer could be written as JSON."""
    assert_service_agrees(scored.platform, NAME, NEW)


def test_the_day_with_labels_is_judged_by_area_and_ethnic_group(scored: Graph) -> None:
    found = query(
        scored,
        "select distinct batch, split_part(segment, '=', 1) from monitoring.segment_metrics "
        "where rows > 0 order by 1, 2",
    )
    assert found == [(KNOWN, "all rows"), (KNOWN, "area"), (KNOWN, "ethnic")]


def test_the_clock_watches_the_day_that_was_scored(scored: Graph) -> None:
    before = scored.platform.ledger.require(NAME, "report", NEW)
    result = by_the_clock(scored, "monitoring")
    assert result.success
    assert materialized(result) == set(SCHEDULED_NODES["monitoring"])
    page = stored(scored, "report", NEW).decode()
    assert f"batch {NEW}" in page
    assert scored.platform.ledger.require(NAME, "report", NEW).digest == before.digest
