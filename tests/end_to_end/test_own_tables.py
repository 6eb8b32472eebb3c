"""Ten tables that `leeway new` was not written for, each run to a champion.

    LEEWAY_KILLS=1 .venv/bin/pytest tests/end_to_end/test_own_tables.py

prints one line a table; docs/new.md has the last ones. The search is a short one, of two
candidates. Without LEEWAY_KILLS each table is only inferred, by tests/unit/test_own_tables.py.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.batches import age
from tests.embedded import stop_embedded
from tests.faults.harness import LONG, figure
from tests.own_tables import KINDS, Kind
from tests.project_copy import SEARCH, copy_project, environment_of

CANDIDATES = {
    "classification": ["logistic_regression", "xgboost"],
    "regression": ["ridge", "xgboost"],
}
# All in one process, as `leeway demo` does it: what each imports is imported once.
PROGRAM = """
import json, sys
from cli.main import cli
for arguments in json.loads(sys.stdin.read()):
    code = 0
    try:
        cli(arguments, standalone_mode=False)
    except SystemExit as ended:
        code = ended.code
    print(json.dumps({"exit": code}))
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A copy of the project, beside the files of a user."""
    found = Path(tempfile.mkdtemp(prefix="leeway-"))  # short, for the socket of PostgreSQL
    copy_project(found / "project")
    yield found
    if (found / "home" / "postgres").exists():
        stop_embedded(found / "home", "immediate")
    shutil.rmtree(found, ignore_errors=True)


def leeway(folder: Path, commands: list[list[str]]) -> list[Any]:
    """What each of some commands says as JSON, and its exit code after it."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps(commands),
        stdout=subprocess.PIPE,  # standard error is shown: it takes minutes
        text=True,
        check=False,
        cwd=folder / "project",
        env=environment_of(folder / "project", folder / "home"),
    )
    said, text = [], done.stdout.strip()
    while text:
        found, end = json.JSONDecoder().raw_decode(text)
        said.append(found)
        text = text[end:].strip()
    assert [each["exit"] for each in said[1::2]] == [0] * len(commands), said
    return said[::2]


def shorten(defs: Path, kind: Kind) -> None:
    """Gives the use case a short search."""
    search = SEARCH | {"candidates": CANDIDATES[kind.task]}
    text = re.sub("  search: .*\n", "", defs.read_text())
    defs.write_text(f"{text}  search: {search}\n")


def line(name: str, kind: Kind, run: dict[str, Any], found: dict[str, Any]) -> str:
    """What a person wants to know of one table."""
    said = f"{name}: {kind.rows} rows of {kind.file}, {kind.task}: {run['decision']}"
    if found["champion"] is None:
        return f"{said}: {run['error']}"
    metric, judged = next(iter(found["metrics"].items()))
    value, low, high = (
        "undefined" if judged[each] is None else f"{judged[each]:.3g}"  # few rows have no interval
        for each in ("value", "low", "high")
    )
    return (
        f"{said}, {found['champion']['algorithm']}, {metric} {value} [{low}, {high}], "
        f"{found['data']['rejected']} rejected, "
        f"{run['checks']['passed']} checks passed, {len(run['checks']['failed'])} failed"
    )


@pytest.mark.timeout(3600)
@pytest.mark.faults
@pytest.mark.skipif(not LONG, reason="minutes: make proof")
def test_each_table_has_a_champion_after_two_commands(folder: Path) -> None:
    made = []
    for name, kind in KINDS.items():
        path = kind.make(folder)
        age(path)
        made.append(["new", name, "--data", str(path), "--target", kind.target, "--json"])
    leeway(folder, made)
    for name, kind in KINDS.items():
        shorten(folder / "project" / "orchestration" / "defs" / name / "defs.yaml", kind)
    *runs, status = leeway(
        folder, [*(["run", name, "--json"] for name in KINDS), ["status", "--json"]]
    )
    for (name, kind), run in zip(KINDS.items(), runs, strict=True):
        figure(line(name, kind, run, status["use_cases"][name]))
    assert [run["decision"] for run in runs] == ["promoted"] * len(KINDS)
    assert [run["checks"]["failed"] for run in runs] == [[]] * len(KINDS)
    rows = {name: found["data"] for name, found in status["use_cases"].items() if name in KINDS}
    assert {name: (each["rows"], each["rejected"]) for name, each in rows.items()} == {
        name: (kind.rows, 0) for name, kind in KINDS.items()
    }
