"""What a module may import, read from its syntax tree: the layers, no pickle, no clock.

Each rule is also tried on a line that breaks it, so that a rule that finds nothing is seen.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from resources.settings import PROJECT

# Outermost last; each may import itself and those before it.
LAYERS = ("leeway", "resources", "serving", "assets", "orchestration", "cli")
MODULES = sorted(path for layer in LAYERS for path in (PROJECT / layer).rglob("*.py"))
PURE = [path for path in MODULES if path.relative_to(PROJECT).parts[0] == "leeway"]
PICKLES = {"pickle", "cPickle", "joblib", "cloudpickle", "dill"}
PLATFORM = {"dagster", "dagster_dbt", "dagster_mlflow", "dagster_postgres", "sqlalchemy"}
PLATFORM |= {"psycopg2", "adbc_driver_postgresql", "mlflow", "boto3"}
NETWORK = {"socket", "urllib.request", "http", "requests", "httpx", "aiohttp"}
CLOCK = {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "datetime.today"}
CLOCK |= {"date.today", "Timestamp.now", "Timestamp.today", "Timestamp.utcnow"}
ALLOWED = "# reads the clock:"  # and the reason, on the same line
HEAVY = {"dagster", "pandas", "numpy", "pyarrow", "sklearn", "mlflow", "shap", "optuna"}
HEAVY |= {"matplotlib", "psycopg2", "sqlalchemy", "scipy", "xgboost", "duckdb", "dbt"}


def imported(source: str) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything that is imported, wherever in the module."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield node.lineno, module
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def within(name: str, modules: set[str]) -> bool:
    """Whether the name is one of the modules, or inside one."""
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def forbidden_imports(source: str, modules: set[str]) -> list[str]:
    return [f"line {line}: {name}" for line, name in imported(source) if within(name, modules)]


def dotted(node: ast.expr) -> str:
    """`a.b.c` of an attribute of an attribute of a name; the unknown parts are empty."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def attributes(source: str) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            yield node.lineno, dotted(node)


def unsafe(source: str) -> list[str]:
    """Ways to run code that a file brings along."""
    found = forbidden_imports(source, PICKLES)
    names = [*imported(source), *attributes(source)]
    return found + [
        f"line {line}: {name}"
        for line, name in names
        if name.startswith("mlflow.") and name.endswith(".load_model")
    ]


def clock_reads(source: str) -> list[str]:
    lines = source.splitlines()
    return [
        f"line {line}: {name}"
        for line, name in [*attributes(source), *imported(source)]
        if any(name == read or name.endswith(f".{read}") for read in CLOCK)
        and ALLOWED not in lines[line - 1]
    ]


def outward(layer: str, source: str) -> list[str]:
    """Imports of layers further out."""
    return forbidden_imports(source, set(LAYERS[LAYERS.index(layer) + 1 :]) | {"tests"})


def each(modules: list[Path]) -> pytest.MarkDecorator:
    names = [str(path.relative_to(PROJECT)) for path in modules]
    return pytest.mark.parametrize("path", modules, ids=names)


@each(MODULES)
def test_nothing_reads_a_format_that_can_carry_code(path: Path) -> None:
    assert unsafe(path.read_text()) == []


@each(MODULES)
def test_imports_point_inwards(path: Path) -> None:
    assert outward(path.relative_to(PROJECT).parts[0], path.read_text()) == []


@each(PURE)
def test_pure_code_knows_no_platform_and_no_network(path: Path) -> None:
    assert forbidden_imports(path.read_text(), PLATFORM | NETWORK) == []


@each(PURE)
def test_pure_code_reads_no_clock(path: Path) -> None:
    assert clock_reads(path.read_text()) == []


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from joblib import load",
        "def f():\n    import cloudpickle as c",
        "from mlflow.sklearn import load_model",
        "import mlflow\nmlflow.pyfunc.load_model('x')",
    ],
)
def test_the_rule_on_formats_finds(line: str) -> None:
    assert unsafe(line)


@pytest.mark.parametrize(
    "line",
    [
        "import time\ntime.time()",
        "from time import time",
        "from datetime import datetime\ndatetime.now(UTC)",
        "import datetime\ndatetime.date.today()",
        "import pandas as pd\npd.Timestamp.now()",
    ],
)
def test_the_rule_on_clocks_finds(line: str) -> None:
    assert clock_reads(line)
    explained = "\n".join(f"{each}  {ALLOWED} a reason" for each in line.splitlines())
    assert clock_reads(explained) == []


def test_the_rules_on_imports_find() -> None:
    assert outward("leeway", "from resources import ledger")
    assert outward("resources", "def f():\n    import cli.main")
    assert outward("orchestration", "from cli import run")
    assert not outward("cli", "from orchestration import build")
    assert forbidden_imports("from mlflow import MlflowClient", PLATFORM)
    assert not forbidden_imports("import mlflowish", PLATFORM)


def loaded_after(statement: str) -> set[str]:
    """Top names of all modules that a fresh Python has after the statement."""
    program = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=PROJECT
    )
    return {name.partition(".")[0] for name in json.loads(done.stdout)}


def test_the_command_line_begins_without_a_heavy_library() -> None:
    assert loaded_after("import cli.main") & (HEAVY | {"pydantic"}) == set()


def test_a_verb_that_finds_nothing_to_do_needs_no_dagster() -> None:
    """`leeway run` of an up-to-date use case answers in a second: Dagster alone takes more."""
    loaded = loaded_after("import cli.main, cli.run, cli.champion, cli.recovery")
    assert loaded & HEAVY == set()
    assert "dagster" in loaded_after("import cli.execution"), "the control: it would be seen"


def test_why_is_answered_without_a_heavy_library() -> None:
    """What it takes is imports; SQLAlchemy alone was a third of it."""
    assert loaded_after("import cli.main, cli.why, resources.postgres") & HEAVY == set()
