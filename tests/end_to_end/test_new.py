"""A use case that `leeway new` made of a file is one: it runs to a champion, and stays as it is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.batches import age
from tests.installed import Complete
from tests.project_copy import SEARCH, environment_of

pytestmark = pytest.mark.timeout(300)
ROWS = 240


def write_table(path: Path) -> None:
    """No key; names and values that are awkward in SQL, YAML and Jinja; codes, a date, a text."""
    random = np.random.default_rng(1)
    mass = random.normal(100, 10, ROWS).round(1)
    table = {
        "Body Mass (g)": np.where(np.arange(ROWS) % 40 == 3, -999, mass),
        "order": random.integers(0, 9, ROWS),
        "values": random.choice(["O'Brien", 'a "b"', "no"], ROWS),
        "tricky {{ 1/0 }}": random.choice(["{{ 1/0 }}", "{% raw %}", "x"], ROWS),
        "flag": random.choice([True, False], ROWS),
        "day": [f"2024-01-{row % 28 + 1:02d}" for row in range(ROWS)],
        "Last Name": [f"name {row}" for row in range(ROWS)],
        "left": np.where(mass + random.normal(0, 3, ROWS) > 100, "yes", "no"),
    }
    pd.DataFrame(table).to_csv(path, index=False)
    age(path)


def dg_check(installed: Complete, what: str) -> subprocess.CompletedProcess[str]:
    """Dagster's own check of the project, on an instance of its own."""
    instance = installed.project.parent / "instance"
    instance.mkdir(exist_ok=True)
    (instance / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    return subprocess.run(
        [Path(sys.executable).with_name("dg"), "check", what],
        capture_output=True, text=True, check=False, timeout=120, cwd=installed.project,
        env=environment_of(installed.project, installed.home) | {"DAGSTER_HOME": str(instance)},
    )  # fmt: skip


def test_a_file_becomes_a_use_case_with_a_champion(installed: Complete) -> None:
    data = installed.project.parent / "leavers.csv"
    write_table(data)
    arguments = ["new", "leavers", "--data", str(data), "--target", "left"]
    first = installed.leeway(*arguments, "--json")
    assert first.code == 0, first.err
    assert len(first.json["written"]) == 2
    second = installed.leeway(*arguments)
    assert (second.code, "nothing was changed" in second.err) == (0, True)

    for what in ("yaml", "defs"):  # as `make check` asks for both
        checked = dg_check(installed, what)
        assert checked.returncode == 0, checked.stdout + checked.stderr

    defs = installed.project / "orchestration" / "defs" / "leavers" / "defs.yaml"
    defs.write_text(f"{defs.read_text()}  search: {SEARCH}\n")
    run = installed.leeway("run", "leavers", "--json")
    assert run.code == 0, run.err
    assert (run.json["decision"], run.json["checks"]["failed"]) == ("promoted", [])
    status = installed.leeway("status", "leavers", "--json").json["use_cases"]["leavers"]
    assert (status["data"]["rows"], status["data"]["rejected"]) == (ROWS, 0)
    assert status["champion"]["version"] == 1
    assert status["metrics"]["macro_f1"]["value"] > 0.6

    third = installed.leeway(*arguments)
    assert third.code == 1
    assert "kept as it was: orchestration/defs/leavers/defs.yaml differs" in third.err
