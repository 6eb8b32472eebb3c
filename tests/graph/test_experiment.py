"""An experiment as a graph: runs come in replicates, and what they say is exact and told once."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from cli.demo import _table
from cli.run import RunReport
from cli.status import status_of
from leeway.graph import graph_of
from leeway.spec import FileSource
from orchestration.use_cases import load_use_cases
from resources.postgres import transaction
from tests.batches import age
from tests.conftest import used_installation
from tests.graph.conftest import Graph, check_results, opened
from tests.service.pages import drawn
from tests.service.pages import opened as opened_page
from tests.service.service import Here, serving

NAME = "tool_life"
FACTORS = ("cutting_speed", "tool_geometry", "cutting_angle")
EFFECTS = {"A": 0.0, "B": 12.0, "AB": 0.0, "C": 6.0, "AC": -9.0, "BC": 0.0, "ABC": 0.0}
WHOLE_NODES = ("experiment", "effects", "savings")
NOISE = {1: -1.0, 2: 1.0, 3: 0.0}  # of each run of a replicate: pure error, and no effect


class Experiment(Graph):
    """The graph of tool_life on a folder with a file for each replicate."""

    def rows(self, table: str) -> list[dict[str, Any]]:
        with transaction(self.platform.settings) as cursor:
            cursor.execute(f"select * from {NAME}.{table}")  # noqa: S608  # of this test
            names = [column.name for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


@pytest.fixture(scope="module")
def graph(server_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Experiment]:
    folder = tmp_path_factory.mktemp("replicates")
    with used_installation(server_home, tmp_path_factory.mktemp("home")):
        source = FileSource(kind="file", path=str(folder))
        use_case = load_use_cases()[NAME].model_copy(update={"source": source})
        with opened(NAME, use_case, folder) as found:
            yield Experiment(**vars(found))


def replicate(number: int) -> pd.DataFrame:
    """One run of each cell, in no order; the mean is 40 and the effects are EFFECTS."""
    runs: list[dict[str, float]] = []
    for c, b, a in product((-1, 1), repeat=3):
        life = 40 + (12 * b + 6 * c - 9 * a * c) / 2 + NOISE[number]
        run: dict[str, float] = {"replicate": number, **dict(zip(FACTORS, (a, b, c), strict=True))}
        runs.append(run | {"std_order": len(runs) + 1, "life_hours": life})
    return pd.DataFrame(runs).sample(frac=1, random_state=number)


def error_of(result: dg.ExecuteInProcessResult) -> str:
    """What the run said when it failed."""
    from cli.execution import failure_of

    assert not result.success
    return failure_of(result.all_events)


@pytest.mark.timeout(600)
def test_an_experiment_is_analysed_again_with_each_replicate(graph: Experiment) -> None:
    graph.write("r1", replicate(1))
    graph.write("r2", replicate(2))
    first = graph.materialize(["r1", "r2"])
    assert first.success
    assert all(check.passed for check in check_results(first).values())
    names = {node.name for node in graph_of(graph.stage.use_case)}
    assert {key.path[-1] for key in made(first)} == names

    status = status_of(NAME)["use_cases"][NAME]
    champion = status["champion"]
    assert champion["design"] == "full 2^3 design, 2 replicates"
    assert champion["setting"] == dict(zip(FACTORS, (-1, 1, 1), strict=True))
    assert list(champion["setting"]) == list(FACTORS)
    assert champion["terms"] == ["A", "B", "C", "AC"]
    found = {each["name"]: each for each in status["effects"]}
    assert {name: each["estimate"] for name, each in found.items()} == pytest.approx(EFFECTS)
    # Each pair of runs is one below and one above its mean: 8 x 2 / 8 is the variance of a run.
    margin = 2.306004 * (2 / 4) ** 0.5
    assert found["B"]["low"] == pytest.approx(12 - margin, abs=1e-5)
    assert found["B"]["high"] == pytest.approx(12 + margin, abs=1e-5)
    life = status["metrics"]["predicted_life_hours"]
    assert life["value"] == pytest.approx(40 + 6 + 3 + 4.5)
    assert life["unit"] == "h"
    assert status["drift"]["verdict"] == "undefined"
    assert status["last_run"]["decision"] is None
    assert status["data"]["rows"] == 16

    # What a unit costs, by hand: 3 for the machine's time, 2/60 h of wear at 30 a tool.
    (row,) = graph.rows("cost_savings")
    assert row["life_hours_before"] == pytest.approx(40 - 6 - 3 - 4.5)
    assert row["cost_per_unit_before"] == pytest.approx(3 + 1 / 26.5)
    assert row["cost_per_unit_after"] == pytest.approx(3 + 1 / 53.5)
    saving = 500_000 * (1 / 26.5 - 1 / 53.5)
    assert row["saving_per_year"] == pytest.approx(saving)
    assert row["roi_per_year"] == pytest.approx(saving / 10_000)
    assert row["roi_per_year_low"] < row["roi_per_year"] < row["roi_per_year_high"]
    assert row["setting_after"] == champion["setting"]
    assert status["metrics"]["roi_per_year"]["low"] == row["roi_per_year_low"]

    # The table of `leeway demo` names the setting.
    table = _table({"use_cases": {NAME: status}}, [RunReport(NAME, "success")])
    cells = [next(iter(column.cells)) for column in table.columns]
    assert cells[3] == "cutting_speed -1, tool_geometry 1, cutting_angle 1"
    assert str(cells[4]).startswith("predicted_life_hours 53.500 [")

    # Made again it is the same, and no row is there twice.
    before = digests(graph)
    assert graph.materialize(["r1", "r2"], WHOLE_NODES).success
    assert digests(graph) == before
    assert len(graph.rows("cost_savings")) == 1
    results = graph.rows("experiment_results")
    assert len(results) == 16
    assert {(r["treatment"], r["standard_order"]) for r in results} >= {("(1)", 1), ("abc", 8)}

    for node in ("effects", "savings"):
        assert f"/reports/{NAME}/" in graph.platform.ledger.require(NAME, node).uri

    # A third replicate belongs to the same experiment.
    graph.write("r3", replicate(3))
    assert graph.materialize(["r3"]).success
    status = status_of(NAME)["use_cases"][NAME]
    assert status["champion"]["design"] == "full 2^3 design, 3 replicates"
    assert len(graph.rows("experiment_results")) == 24

    # A run that is lost, or at no level, is refused by name; what was known stays.
    known = digests(graph)
    lost = replicate(3)
    lost["life_hours"] = lost["life_hours"].where(np.arange(len(lost)) != 2)
    graph.write("r4", lost)
    assert graph.materialize(["r4"], ["raw"]).success
    refused = error_of(graph.materialize(["r4"], ["experiment"]))
    assert refused.startswith("tool_life, batch r4: 1 of 8 runs were rejected, allowed are 0.0%")
    between = replicate(3)
    between["tool_geometry"] = between["tool_geometry"].where(np.arange(len(between)) != 4, 0)
    graph.write("r4", between)
    refused = error_of(graph.materialize(["r4"]))
    assert "tool_geometry is at its centre 0 and cutting_speed is not" in refused
    assert "is run_id r4-5 of batch r4" in refused
    assert digests(graph) == known
    assert len(graph.rows("experiment_results")) == 24


def asked(graph: Experiment, cursor: Any) -> tuple[set[str], Any]:
    """Whole nodes that a tick of the daemon asks for, and the next cursor."""
    found = dg.evaluate_automation_conditions(graph.definitions, graph.instance, cursor=cursor)
    keys = [result.key for result in found.results if found.get_num_requested(result.key)]
    nodes = {key.path[-1] for key in keys if isinstance(key, dg.AssetKey)}
    return nodes & set(WHOLE_NODES), found.cursor


def tell(graph: Experiment, *nodes: str, batch: str | None = None) -> None:
    """Tells Dagster that nodes were materialized."""
    for node in nodes:
        event = dg.AssetMaterialization(graph.stage.key(node), partition=batch)
        graph.instance.report_runless_asset_event(event)


def test_the_effects_show_their_plots_and_tables(graph: Experiment) -> None:
    shown = graph.instance.get_latest_materialization_event(dg.AssetKey([NAME, "effects"]))
    assert shown is not None
    assert shown.asset_materialization is not None
    metadata = shown.asset_materialization.metadata
    for plot in ("half_normal", "pareto"):
        assert str(metadata[plot].value).startswith("![plot](data:image/png;base64,")
    assert metadata["curvature"].value == "undefined: no centre point was run"
    assert metadata["aliases"].value == "none: every effect stands alone"
    yates = metadata["yates"]
    assert isinstance(yates, dg.TableMetadataValue)
    assert [record.data["treatment"] for record in yates.records][:4] == ["(1)", "a", "b", "ab"]


def test_the_dashboard_shows_effects_best_setting_and_savings(
    graph: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(Here()) as client:
        monkeypatch.setenv("LEEWAY_API_URL", f"http://127.0.0.1:{client.port}")
        shown = opened_page()
        assert not shown.exception
        assert shown.header[0].value == f"Experiment {NAME}"
        ((*_, rows),) = drawn(shown)
        estimates = {each["effect"]: each["estimate"] for each in rows}
        assert estimates["B: tool_geometry"] == pytest.approx(EFFECTS["B"])
        values = {each.label: each.value for each in shown.metric}
        assert "tool_geometry" in values["Setting"]
        _, told = client.get(f"/api/v1/{NAME}/experiment")
        assert values["Saving per year"].endswith(told["savings"]["currency"])


def test_an_analysis_follows_its_runs_once_each(graph: Experiment) -> None:
    for batch in graph.instance.get_dynamic_partitions(f"{NAME}_batches"):
        tell(graph, "raw", "staged", "clean", batch=batch)
    tell(graph, *WHOLE_NODES)
    nodes, cursor = asked(graph, None)
    assert nodes == set(), "what was there when the daemon first looked"
    graph.instance.add_dynamic_partitions(f"{NAME}_batches", ["r5", "r6"])
    nodes, cursor = asked(graph, cursor)
    tell(graph, "raw", "staged", "clean", batch="r5")
    nodes, cursor = asked(graph, cursor)
    assert nodes == set(), "not while another batch is missing"
    tell(graph, "raw", "staged", "clean", batch="r6")
    nodes, cursor = asked(graph, cursor)
    assert nodes == {"experiment"}
    nodes, cursor = asked(graph, cursor)
    assert nodes == set(), "asked for, and perhaps failing: not again"
    tell(graph, "experiment")
    nodes, cursor = asked(graph, cursor)
    assert nodes == {"effects", "savings"}, "in one run"
    tell(graph, "effects", "savings")
    nodes, cursor = asked(graph, cursor)
    assert nodes == set()
    tell(graph, "clean", batch="r6")
    tell(graph, *WHOLE_NODES)
    assert asked(graph, cursor)[0] == set(), "made by hand together with its runs"


def made(result: dg.ExecuteInProcessResult) -> set[dg.AssetKey]:
    events = result.get_asset_materialization_events()
    return {key for event in events if (key := event.asset_key) is not None}


def digests(graph: Experiment) -> dict[str, str]:
    return {node: graph.platform.ledger.require(NAME, node).digest for node in WHOLE_NODES}


def test_a_file_of_replicates_below_the_data_folder_is_what_ships(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shipped source, on a table of the same design."""
    from resources.settings import get_settings
    from resources.sources import SourceError, open_source

    use_case = load_use_cases()[NAME]
    assert isinstance(use_case.source, FileSource)
    monkeypatch.delenv("LEEWAY_DATA_DIR", raising=False)
    get_settings.cache_clear()
    with pytest.raises(SourceError, match="LEEWAY_DATA_DIR \\(not set\\)"):
        open_source(use_case).batches()
    path = tmp_path / use_case.source.path
    path.parent.mkdir(parents=True)
    pd.concat([replicate(number) for number in (1, 2, 3)]).to_csv(path, index=False)
    age(path)
    monkeypatch.setenv("LEEWAY_DATA_DIR", str(tmp_path))
    get_settings.cache_clear()
    source = open_source(use_case)
    assert source.batches() == ["replicate-1", "replicate-2", "replicate-3"]
    assert source.read("replicate-2").num_rows == 8
    get_settings.cache_clear()
