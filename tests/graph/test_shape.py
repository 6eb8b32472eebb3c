"""The shape of the whole graph: its names are stable, and each node says what it is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster.components.core.component_tree import ComponentTreeException
from dagster.components.testing import create_defs_folder_sandbox

from cli.checks import checks_of
from leeway.graph import graph_of
from leeway.spec import UseCase
from orchestration.build import build_defs, default_resources
from orchestration.use_cases import DEFS, load_use_cases
from resources.dbt import InvalidDbtProject, manifest, manifest_of
from resources.platform import Platform
from resources.settings import get_settings

SNAPSHOT = Path(__file__).parent / "asset_keys.txt"
OTHERS = Path(__file__).parent / "other_names.txt"
UPDATE = "UPDATE_SNAPSHOTS"
KINDS = {
    "traffic": {"parquet", "postgres"},
    "traffic_drift": {"json"},
    "traffic_performance": {"json"},
    "raw": {"parquet", "postgres"},
    "staged": {"dbt", "postgres"},
    "clean": {"dbt", "postgres"},
    "training_set": {"parquet"},
    "model_selection": {"scikitlearn"},
    "tuned_model": {"scikitlearn", "optuna"},
    "explainers": {"shap"},
    "release": {"mlflow"},
    "predictions": {"parquet"},
    "performance": {"json"},
    "profile": {"arrow"},
    "reference_profile": {"arrow"},
    "drift": {"json"},
    "damage": {"json"},
    "experiment": {"parquet", "postgres"},
    "effects": {"json"},
    "savings": {"json", "postgres"},
    "report": {"html"},
}
USE_CASES = load_use_cases()
NODES = [(name, node.name) for name, use_case in USE_CASES.items() for node in graph_of(use_case)]
each_node = pytest.mark.parametrize(("name", "node"), NODES)
each_use_case = pytest.mark.parametrize(("name", "use_case"), USE_CASES.items())


@pytest.fixture(scope="module", autouse=True)
def _home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Where dbt leaves its manifest; nothing here asks for a database."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEEWAY_ENVIRONMENT", "test")
        patch.setenv("LEEWAY_HOME", str(tmp_path_factory.mktemp("home")))
        get_settings.cache_clear()
        yield
    get_settings.cache_clear()


@pytest.fixture(scope="module")
def definitions(_home: None) -> dg.Definitions:
    return build_defs()


@pytest.fixture(scope="module")
def specs(definitions: dg.Definitions) -> dict[tuple[str, ...], dg.AssetSpec]:
    return {tuple(spec.key.path): spec for spec in definitions.resolve_all_asset_specs()}


def is_as_recorded(snapshot: Path, found: list[str]) -> bool:
    """Compares with the committed file, or writes it when a person asks for that."""
    if os.environ.get(UPDATE):
        snapshot.write_text("\n".join(found) + "\n", encoding="utf-8")
    recorded = snapshot.read_text(encoding="utf-8").splitlines()
    lost, new = sorted(set(recorded) - set(found)), sorted(set(found) - set(recorded))
    assert recorded == found, (
        f"{snapshot.name}: gone {lost}, new {new}. Names are what users, saved runs and other "
        f"tools hold on to. If the change is meant, set {UPDATE}=1 and commit the file."
    )
    return True


def test_asset_keys_are_those_that_were_recorded(definitions: dg.Definitions) -> None:
    keys = definitions.resolve_asset_graph().get_all_asset_keys()
    assert is_as_recorded(SNAPSHOT, sorted(key.to_user_string() for key in keys))


def test_names_of_checks_jobs_and_sensors_are_those_that_were_recorded(
    definitions: dg.Definitions,
) -> None:
    repository = definitions.get_repository_def()
    checks = definitions.resolve_asset_graph().asset_check_keys
    found = [f"check {key.asset_key.to_user_string()}:{key.name}" for key in checks]
    # Dagster makes a job of its own for each sensor that has a target; its name is not ours.
    found += [f"job {job.name}" for job in repository.get_all_jobs() if job.name[:2] != "__"]
    found += [f"sensor {sensor.name}" for sensor in repository.sensor_defs]
    found += [f"schedule {schedule.name}" for schedule in repository.schedule_defs]
    assert is_as_recorded(OTHERS, sorted(found))


def test_a_use_case_without_its_sql_is_refused_with_where_it_belongs(
    definitions: dg.Definitions,
) -> None:
    """Regression: a YAML alone loaded, with a node that nothing makes."""
    with pytest.raises(InvalidDbtProject, match="models/flowers has no model for staged and clean"):
        manifest_of("flowers")


def test_the_definitions_can_be_loaded(definitions: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(definitions)


def test_the_graph_has_the_nodes_that_the_plan_knows_and_no_other(
    specs: dict[tuple[str, ...], dg.AssetSpec],
) -> None:
    assert sorted(specs) == sorted(NODES)


@each_node
def test_a_node_says_what_it_is_whose_and_made_by_which_code(
    specs: dict[tuple[str, ...], dg.AssetSpec], name: str, node: str
) -> None:
    spec = specs[(name, node)]
    assert len(spec.description or "") > 20
    assert list(spec.owners) == list(USE_CASES[name].owners)
    assert spec.group_name == name
    assert len(spec.code_version or "") == 16
    assert spec.kinds == KINDS[node]


@each_use_case
def test_nodes_read_what_the_plan_says_they_read(
    specs: dict[tuple[str, ...], dg.AssetSpec], name: str, use_case: UseCase
) -> None:
    for node in graph_of(use_case):
        read = {dep.asset_key.path[-1] for dep in specs[(name, node.name)].deps}
        if node.name == "staged":
            assert read == {"raw"}
        else:
            assert read == set(node.upstream), node.name


@each_use_case
def test_exactly_the_batch_nodes_have_the_batches_or_windows_of_their_use_case(
    specs: dict[tuple[str, ...], dg.AssetSpec], name: str, use_case: UseCase
) -> None:
    for node in graph_of(use_case):
        partitions = specs[(name, node.name)].partitions_def
        if not node.per_batch:
            assert partitions is None, node.name
            continue
        assert isinstance(partitions, dg.DynamicPartitionsDefinition), node.name
        assert partitions.name == f"{name}_{'traffic' if node.live else 'batches'}"


@each_use_case
def test_batch_nodes_and_experiments_follow_new_batches_and_no_model_does(
    specs: dict[tuple[str, ...], dg.AssetSpec], name: str, use_case: UseCase
) -> None:
    following = {
        node.name
        for node in graph_of(use_case)
        if specs[(name, node.name)].automation_condition is not None
    }
    experiment = use_case.task == "experiment"
    assert following == {n.name for n in graph_of(use_case) if n.per_batch or experiment}


@each_use_case
def test_freshness_is_watched_where_the_use_case_says_so(
    specs: dict[tuple[str, ...], dg.AssetSpec], name: str, use_case: UseCase
) -> None:
    watched = specs[(name, "raw")].freshness_policy is not None
    assert watched == (use_case.freshness is not None)


@each_use_case
def test_checks_of_clean_are_the_tests_that_dbt_runs_on_it(
    definitions: dg.Definitions, name: str, use_case: UseCase
) -> None:
    model = f"model.leeway.{name}_clean"
    tests = {
        content["name"]
        for content in manifest()["nodes"].values()
        if content["resource_type"] == "test" and content.get("attached_node") == model
    }
    of_dbt = definitions.resolve_assets_def(dg.AssetKey([name, "clean"]))
    assert of_dbt.node_def.name == f"{name}_dbt"
    clean = {key.name for key in of_dbt.check_keys if key.asset_key.path[-1] == "clean"}
    every = {
        key.name
        for key in definitions.resolve_asset_graph().asset_check_keys
        if key.asset_key.path == [name, "clean"]
    }
    assert clean == every
    stored = [c for c in use_case.columns if c.role != "ignored"]
    assert clean == tests
    assert len(clean) >= sum(c.required or c.role == "key" for c in stored)
    assert (f"{name}_clean_within_ranges" in clean) == any(c.range for c in stored)
    assert (f"{name}_clean_among_values" in clean) >= any(c.values for c in stored)


@each_use_case
def test_the_checks_that_status_reads_are_those_of_the_graph(
    definitions: dg.Definitions, name: str, use_case: UseCase
) -> None:
    keys = definitions.resolve_asset_graph().asset_check_keys
    assert sorted(checks_of(name, use_case)) == sorted(
        (key.asset_key.path[-1], key.name) for key in keys if key.asset_key.path[0] == name
    )


def test_a_resource_can_be_replaced_by_name_and_the_others_stay() -> None:
    mine = Platform()
    replaced, ordinary = build_defs(resources={"platform": mine}), build_defs()
    assert replaced.resources is not None
    assert ordinary.resources is not None
    assert replaced.resources["platform"] is mine
    assert ordinary.resources["platform"] is not mine
    assert set(replaced.resources) == set(ordinary.resources) == {"platform", "dbt"}


@pytest.fixture
def sandbox() -> Iterator[Any]:
    """A folder of definitions that is thrown away."""
    with create_defs_folder_sandbox() as found:
        yield found


def content() -> dict[str, Any]:
    """The YAML of penguins."""
    loaded: dict[str, Any] = yaml.safe_load((DEFS / "penguins" / "defs.yaml").read_text())
    return loaded


def build_from(sandbox: Any, yaml_content: dict[str, Any]) -> dg.Definitions:
    """Definitions of a folder whose only use case is penguins, written like this."""
    folder = sandbox.defs_folder_path / "penguins"
    folder.mkdir()
    (folder / "defs.yaml").write_text(yaml.safe_dump(yaml_content))
    with sandbox.build_all_defs() as definitions:
        found: dg.Definitions = definitions
        return found


def test_the_name_of_the_folder_is_the_name_of_the_use_case(sandbox: Any) -> None:
    with_resources = dg.Definitions(resources=default_resources())
    whole = dg.Definitions.merge(build_from(sandbox, content()), with_resources)
    found = whole.resolve_all_asset_specs()
    assert {spec.key.path[0] for spec in found} == {"penguins"}


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("retrainning", {"on": ["drift"]}, "retrainning"),
        ("drift", {"effect": 5}, "effect"),
        ("drift", {"efect": 0.1}, "efect"),
        ("task", "clasification", "task"),
        ("owners", [], "owners"),
        ("gates", [{"metric": "macro_f2", "at_least": 0.9}], "macro_f2"),
        ("freshness", {"warn_after": "2 weeks", "fail_after": "800d"}, "warn_after"),
        ("required_any", ["bill_length"], "bill_length"),
        ("columns", [{"name": "a", "type": "numbr", "description": "a"}], "type"),
    ],
)
def test_a_mistake_in_the_yaml_stops_the_component_and_names_the_field(
    sandbox: Any, field: str, value: Any, named: str
) -> None:
    wrong = content()
    wrong["attributes"][field] = value
    with pytest.raises(ComponentTreeException) as caught:
        build_from(sandbox, wrong)
    told = str(caught.value.__cause__)
    assert named in told
    assert "defs.yaml:" in told, "the line of the file is missing"
