"""Mistakes of older systems that can be read from the source: a rule each, tried on the mistake.

Belongs here: traps that are a wrong call, wherever it stands. Does not belong here: those that show
in numbers, which stand beside the tests of what computes them (docs/capabilities.md names each).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

from resources.settings import PROJECT

LAYERS = ("leeway", "resources", "serving", "assets", "orchestration", "cli")
MODULES = sorted(path for layer in LAYERS for path in (PROJECT / layer).rglob("*.py"))
# They stop a process by a signal, which reaches its main thread alone: a worker's call goes on.
ALARMS = {"alarm", "setitimer", "pthread_kill", "ITIMER_REAL"}
# They lose rows without a word, or make the columns of the rows that happen to be there.
CARELESS = {"dropna", "get_dummies"}
SPLIT = {"part_of", "read_part"}  # functions whose second argument is a part of a training set
# Those that may see held-out rows: where they are split off and counted, and where they judge.
JUDGES = {
    "leeway/data/training_set.py",
    "assets/training_set.py",
    "assets/release.py",
    "assets/damage.py",  # of a model that was released: its losses on rows that it has not seen
    "leeway/backtest/models.py",  # the gate of a release that is replayed
    "leeway/backtest/recorded.py",
}
RAW_PATH = re.compile(r"\burl\b|\bpath\b|raw_path")  # a route's template is `route.path_format`
TEXTS = {".md", ".py", ".toml", ".yaml", ".yml", ".sql", ".sh", ".example", ""}
KNOWN_PASSWORDS = re.compile(
    r"admin123|minio123|minioadmin|airflow:airflow|admin[:/]admin\b|postgres:postgres"
    r"|allow-unauthenticated|anonymous set (public|download)"
)


@cache
def nodes(source: str) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(ast.parse(source)))


@cache
def sources() -> dict[str, str]:
    """Our modules by path."""
    return {str(path.relative_to(PROJECT)): path.read_text() for path in MODULES}


def where(rule: Callable[[str], list[str]]) -> dict[str, list[str]]:
    """What a rule finds in our modules, by path."""
    found = {path: rule(source) for path, source in sources().items()}
    return {path: lines for path, lines in found.items() if lines}


def names(source: str) -> Iterator[tuple[int, str]]:
    """Line and name of whatever is imported, called or looked up."""
    for node in nodes(source):
        if isinstance(node, ast.Attribute):
            yield node.lineno, node.attr
        elif isinstance(node, ast.Name):
            yield node.lineno, node.id
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, alias.name) for alias in node.names)


def uses(source: str, forbidden: set[str]) -> list[str]:
    return [f"line {line}: {name}" for line, name in names(source) if name in forbidden]


def opened_parts(source: str) -> list[str]:
    """Calls that take another part of a training set than TRAIN."""
    found = []
    for node in nodes(source):
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else node.func
            called = called.id if isinstance(called, ast.Name) else called
            if called in SPLIT and [ast.unparse(each) for each in node.args[1:]] != ["TRAIN"]:
                found.append(f"line {node.lineno}: {ast.unparse(node)}")
    return found


def labelled_by_path(source: str) -> list[str]:
    """Labels of metrics that are the path of a request, of which there is no end."""
    found = []
    for node in nodes(source):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".labels"):
            given = [ast.unparse(each) for each in (*node.args, *(k.value for k in node.keywords))]
            if any(RAW_PATH.search(each) for each in given):
                found.append(f"line {node.lineno}: {ast.unparse(node)}")
    return found


def methods_of_mlflow() -> dict[str, bool]:
    """The methods of MLflow's client, and whether they are deprecated; nothing is imported."""
    spec = find_spec("mlflow")
    assert spec is not None
    assert spec.origin is not None
    source = (Path(spec.origin).parent / "tracking" / "client.py").read_text(encoding="utf-8")
    (client,) = (
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.ClassDef) and node.name == "MlflowClient"
    )
    return {
        node.name: any(ast.unparse(each).startswith("deprecated(") for each in node.decorator_list)
        for node in client.body
        if isinstance(node, ast.FunctionDef)
    }


def calls_of_a_client(source: str) -> set[str]:
    """Names of what is called on something called `client`."""
    return {
        node.func.attr
        for node in nodes(source)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and ast.unparse(node.func.value).endswith("client")
    }


def test_nothing_waits_for_an_alarm() -> None:
    """Time-outs are those of each client: they hold in every thread."""
    assert where(lambda source: uses(source, ALARMS)) == {}


def test_no_row_is_dropped_and_no_column_made_up_by_the_way() -> None:
    assert where(lambda source: uses(source, CARELESS)) == {}


def test_no_metric_is_labelled_by_the_path_of_a_request() -> None:
    """Trap 206: of paths there is no end, and each would be a series for ever."""
    assert where(labelled_by_path) == {}


def test_only_what_judges_a_model_opens_the_test_part() -> None:
    opening = set(where(opened_parts))
    assert opening <= JUDGES
    assert "assets/release.py" in opening, "the rule sees the one that may"
    assert "assets/training.py" in sources()


def test_mlflow_is_asked_for_nothing_that_it_does_not_have_or_will_drop() -> None:
    """Stages are on their way out: aliases say who is champion, and the ledger who moved them."""
    methods = methods_of_mlflow()
    called = set().union(*(calls_of_a_client(source) for source in sources().values()))
    assert {"set_registered_model_alias", "create_model_version"} <= called
    assert {name for name in called if methods.get(name, True)} == set()
    assert "list_experiments" not in methods, "the control: what an older system calls is gone"
    assert methods["transition_model_version_stage"], "the control: and this will be"


def texts() -> Iterator[tuple[str, str]]:
    """Every text that is given to users, by its path."""
    folders = [".ci", ".github", "benchmarks", "dbt_project", "deploy", "docs", *LAYERS]
    found = [path for name in folders for path in (PROJECT / name).rglob("*")]
    for path in [*PROJECT.iterdir(), *found]:
        if path.is_file() and path.suffix in TEXTS and path.name not in (".env", ".coverage"):
            yield str(path.relative_to(PROJECT)), path.read_text(encoding="utf-8")


def test_no_text_has_a_password_that_everyone_knows_or_a_door_left_open() -> None:
    read = dict(texts())
    assert {"README.md", ".env.example", "resources/settings.py"} <= set(read)
    found = {path: KNOWN_PASSWORDS.findall(text) for path, text in read.items()}
    assert {path: words for path, words in found.items() if words} == {}


@pytest.mark.parametrize(
    "line",
    [
        "import signal\nsignal.alarm(10)",
        "from signal import setitimer",
    ],
)
def test_the_rule_on_alarms_finds(line: str) -> None:
    assert uses(line, ALARMS)


@pytest.mark.parametrize("line", ["df = df.dropna()", "import pandas as pd\npd.get_dummies(df)"])
def test_the_rule_on_careless_calls_finds(line: str) -> None:
    assert uses(line, CARELESS)


@pytest.mark.parametrize(
    "line",
    [
        "REQUESTS.labels(request.method, request.url.path).inc()",
        "latency.labels(path=scope['path']).observe(1)",
    ],
)
def test_the_rule_on_labels_finds(line: str) -> None:
    assert labelled_by_path(line)
    assert not labelled_by_path("REQUESTS.labels(request.method, route.path_format).inc()")


@pytest.mark.parametrize(
    "line",
    ["read_part(work, TEST)", "split.part_of(table, 'test')", "part_of(table, part=TEST)"],
)
def test_the_rule_on_the_test_part_finds(line: str) -> None:
    assert opened_parts(line)
    assert not opened_parts("read_part(work, TRAIN)")


@pytest.mark.parametrize(
    "line",
    ["login: admin/admin123", "MINIO=minioadmin", "gcloud run --allow-unauthenticated"],
)
def test_the_rule_on_passwords_finds(line: str) -> None:
    assert KNOWN_PASSWORDS.search(line)
