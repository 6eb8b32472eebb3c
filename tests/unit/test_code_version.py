"""A node's version changes with the code and the fields its result depends on, and no others."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from leeway import code_version as versioning
from leeway.code_version import code_version, with_upstream
from leeway.graph import LABELS, Node, graph_of, nodes_of
from leeway.node_code import CODE
from leeway.spec import UseCase
from orchestration.use_cases import load_use_cases

NODES = nodes_of("classification")
USE_CASES = load_use_cases()
# What they do shows in the fields that a node lists, in the form of the digests, or in pictures.
SHARED = {
    "assets/columns.py",
    "assets/requested.py",
    "assets/stage.py",
    "assets/released.py",
    "leeway/choice_plots.py",
    "leeway/code_version.py",
    "leeway/controller/facts.py",
    "leeway/data/lineage.py",
    "leeway/data/tables.py",
    "leeway/digests.py",
    "leeway/graph.py",
    "leeway/identifiers.py",
    "leeway/plan.py",
    "leeway/plots.py",
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the files that nodes name, which a test may change."""
    for each in NODES:
        for pattern in CODE[each.name]:
            for path in versioning.PROJECT.glob(pattern.format(name="penguins")):
                copy = tmp_path / path.relative_to(versioning.PROJECT)
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(path.read_bytes())
    monkeypatch.setattr(versioning, "PROJECT", tmp_path)
    versioning._code_digest.cache_clear()
    yield tmp_path
    versioning._code_digest.cache_clear()


def versions(use_case: UseCase) -> dict[str, str]:
    versioning._code_digest.cache_clear()  # a process reads each file once: these tests change them
    return {each.name: code_version("penguins", use_case, each) for each in NODES}


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {name for name, version in after.items() if version != before[name]}


def test_versions_do_not_depend_on_where_the_project_is(project: Path) -> None:
    copied = versions(USE_CASES["penguins"])
    versioning.PROJECT = Path(__file__).resolve().parents[2]
    assert versions(USE_CASES["penguins"]) == copied


@pytest.mark.parametrize(
    ("file", "nodes"),
    [
        ("leeway/data/validation.py", {"raw"}),
        ("resources/parser_process.py", {"raw"}),
        ("resources/text_formats.py", {"raw"}),
        ("leeway/evidence.py", {"release"}),
        ("assets/training.py", {"model_selection", "tuned_model"}),
        ("dbt_project/models/penguins/marts/penguins_clean.sql", {"clean"}),
        ("dbt_project/models/penguins/staging/penguins_staged.sql", {"staged", "clean"}),
        ("dbt_project/macros/batches.sql", {"staged", "clean"}),
        ("leeway/explainers/shapley.py", {"explainers"}),
        ("leeway/drift/effects.py", {"reference_profile", "drift", "report", "predictions"}),
        ("leeway/drift/rule.py", {"drift", "report", "predictions"}),
        ("leeway/explainers/conformal.py", {"explainers", "release", "predictions", "damage"}),
    ],
)
def test_a_changed_file_changes_the_version_of_the_nodes_that_name_it(
    project: Path, file: str, nodes: set[str]
) -> None:
    before = versions(USE_CASES["penguins"])
    with (project / file).open("a") as opened:
        opened.write("\n")
    assert changed(before, versions(USE_CASES["penguins"])) == nodes


def test_a_new_dbt_model_changes_the_version_even_when_its_name_is_taken_elsewhere(
    project: Path,
) -> None:
    before = versions(USE_CASES["penguins"])
    (project / "dbt_project/macros/penguins_clean.sql").write_text("select 1")
    assert changed(before, versions(USE_CASES["penguins"])) == {"staged", "clean"}


@pytest.mark.parametrize(
    ("field_name", "value", "nodes"),
    [
        ("title", "Other", {"release", "report"}),
        ("owners", ("team:x",), set()),
        ("required_any", (), {"raw"}),
        ("max_rejected", 0.5, {"training_set", "report"}),
        ("split", {"test": 0.3}, {"training_set"}),
        ("search", {"trials": 3}, {"model_selection", "tuned_model"}),
        ("imputation", {"number": "mean"}, {"model_selection", "tuned_model"}),
        ("explanation", {"neighbours": 3}, {"explainers", "predictions"}),
        ("gates", (), {"release", "performance", "report"}),
        ("promotion", "manual", {"release"}),
        ("retraining", {"non_inferiority": 0.1}, {"release"}),
        ("retraining", {"cooldown": "9d"}, set()),
        ("drift", {"effect": 0.3}, {"drift", "damage", "predictions"}),
        ("damage", {"tolerance": 0.3}, {"damage"}),
        ("monitoring", {"segments": ()}, {"performance", "release"}),
        ("freshness", None, set()),
    ],
)
def test_a_changed_field_changes_the_version_of_the_nodes_that_use_it(
    field_name: str, value: object, nodes: set[str]
) -> None:
    penguins = USE_CASES["penguins"]
    fields = penguins.model_dump() | {field_name: value}
    assert changed(versions(penguins), versions(UseCase.model_validate(fields))) == nodes


OF_USE_CASES = [(name, each) for name in USE_CASES for each in graph_of(USE_CASES[name])]
OF_USE_CASES.append(("penguins", LABELS))


def test_every_node_has_its_files_and_nothing_else_has() -> None:
    assert set(CODE) == {each.name for _, each in OF_USE_CASES}


@pytest.mark.parametrize(
    ("name", "each"), [pytest.param(n, e, id=f"{n}-{e.name}") for n, e in OF_USE_CASES]
)
def test_each_file_that_a_node_names_exists(each: Node, name: str) -> None:
    for pattern in CODE[each.name]:
        assert list(versioning.PROJECT.glob(pattern.format(name=name))), pattern


OURS = ("leeway", "assets")


class Running(ast.NodeTransformer):
    """Leaves out what only a type checker reads."""

    def visit_If(self, node: ast.If) -> ast.AST | None:
        return None if ast.unparse(node.test) == "TYPE_CHECKING" else self.generic_visit(node)


def imported(file: str) -> set[str]:
    """Modules of Leeway that a file imports when it runs, as files."""
    found: set[str] = set()
    for each in ast.walk(Running().visit(ast.parse((versioning.PROJECT / file).read_text()))):
        if isinstance(each, ast.ImportFrom) and (each.module or "").startswith(OURS):
            base = (each.module or "").replace(".", "/")
            names = [f"{base}.py", *(f"{base}/{alias.name}.py" for alias in each.names)]
            found |= {name for name in names if (versioning.PROJECT / name).exists()}
    return found


@pytest.mark.parametrize(
    "each", [pytest.param(e, id=name) for name, e in {e.name: e for _, e in OF_USE_CASES}.items()]
)
def test_a_node_names_every_module_that_its_own_modules_import(each: Node) -> None:
    """Regression: a change of `leeway/training/tuning.py` left every tuned model up to date."""
    todo = [name for name in CODE[each.name] if name.startswith(OURS)]
    assert any(name.startswith("assets/") for name in todo), "how the node is made"
    needed: set[str] = set()
    while todo:
        file = todo.pop()
        if file not in needed:
            needed.add(file)
            todo += imported(file) - SHARED
    assert needed - set(CODE[each.name]) == set()


def test_a_change_reaches_the_versions_that_dagster_sees_of_all_that_rests_on_it() -> None:
    before = {each.name: each.name for each in NODES}
    shown = with_upstream(NODES, before)
    moved = changed(shown, with_upstream(NODES, before | {"explainers": "new"}))
    judged = {"drift", "damage", "predictions", "performance", "report"}
    assert moved == {"explainers", "release", *judged}
    everything = changed(shown, with_upstream(NODES, before | {"raw": "new"}))
    assert everything == {each.name for each in NODES}
