"""Ten tables that `leeway new` was not written for, each run to a champion, as a person would.

    LEEWAY_KILLS=1 .venv/bin/pytest tests/end_to_end/test_own_tables.py

prints one line a table; docs/new.md has the last ones. The search is a short one, of two
candidates. Without LEEWAY_KILLS each table is only inferred, by tests/unit/test_own_tables.py.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import age
from tests.embedded import stop_embedded
from tests.faults.harness import LONG, figure
from tests.installed import Installed
from tests.own_tables import KINDS
from tests.project_copy import SEARCH, copy_project

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.skipif(not LONG, reason="takes minutes: LEEWAY_KILLS=1"),
]


@pytest.fixture(scope="module")
def installed() -> Iterator[Installed]:
    """A fresh installation, beside the files of a user."""
    folder = Path(tempfile.mkdtemp(prefix="leeway-"))  # short, for the socket of PostgreSQL
    copy_project(folder / "project")
    found = Installed(folder / "project", folder / "home")
    yield found
    if (found.home / "postgres").exists():
        stop_embedded(found.home, "immediate")
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("name", KINDS)
def test_a_table_has_a_champion_after_two_commands(installed: Installed, name: str) -> None:
    kind = KINDS[name]
    path = kind.make(installed.project.parent)
    age(path)
    made = installed.leeway("new", name, "--data", str(path), "--target", kind.target)
    assert made.code == 0, made.err
    defs = installed.project / "orchestration" / "defs" / name / "defs.yaml"
    text = re.sub("  search: .*\n", "", defs.read_text())
    short = (
        SEARCH if kind.task == "classification" else SEARCH | {"candidates": ["ridge", "xgboost"]}
    )
    defs.write_text(f"{text}  search: {short}\n")
    run = installed.leeway("run", name, "--json")
    assert run.code == 0, run.err
    assert (run.json["decision"], run.json["checks"]["failed"]) == ("promoted", []), run.err
    status = installed.leeway("status", name, "--json").json["use_cases"][name]
    assert (status["data"]["rows"], status["data"]["rejected"]) == (kind.rows, 0)
    metric, judged = next(iter(status["metrics"].items()))
    figure(
        f"{name}: {kind.rows} rows of {kind.file}, {kind.task}, "
        f"{status['champion']['algorithm']}, {metric} {judged['value']:.4g} "
        f"[{judged['low']:.4g}, {judged['high']:.4g}], {run.json['checks']['passed']} checks passed"
    )
