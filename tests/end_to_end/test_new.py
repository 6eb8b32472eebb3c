"""A use case that `leeway new` made of a file is one: it runs to a champion, and stays as it is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.batches import LEAVERS, write_leavers
from tests.installed import Complete
from tests.project_copy import SEARCH, environment_of

pytestmark = pytest.mark.timeout(300)


def dg_check(installed: Complete) -> subprocess.CompletedProcess[str]:
    """Dagster's own check of the YAML and the definitions, on an instance of its own."""
    instance = installed.project.parent / "instance"
    instance.mkdir(exist_ok=True)
    (instance / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    return subprocess.run(
        [Path(sys.executable).with_name("dg"), "check", "defs"],
        capture_output=True, text=True, check=False, timeout=120, cwd=installed.project,
        env=environment_of(installed.project, installed.home) | {"DAGSTER_HOME": str(instance)},
    )  # fmt: skip


def test_a_file_becomes_a_use_case_with_a_champion(installed: Complete) -> None:
    data = installed.project.parent / "leavers.csv"
    write_leavers(data)
    arguments = ["new", "leavers", "--data", str(data), "--target", "left"]
    first = installed.leeway(*arguments, "--json")
    assert first.code == 0, first.err
    assert len(first.json["written"]) == 2
    second = installed.leeway(*arguments)
    assert (second.code, "nothing was changed" in second.err) == (0, True)

    checked = dg_check(installed)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    for what in ("component YAML validated", "definitions loaded"):
        assert f"All {what} successfully" in checked.stdout

    defs = installed.project / "orchestration" / "defs" / "leavers" / "defs.yaml"
    defs.write_text(f"{defs.read_text()}  search: {SEARCH}\n")
    run = installed.leeway("run", "leavers", "--json")
    assert run.code == 0, run.err
    assert (run.json["decision"], run.json["checks"]["failed"]) == ("promoted", [])
    status = installed.leeway("status", "leavers", "--json").json["use_cases"]["leavers"]
    assert (status["data"]["rows"], status["data"]["rejected"]) == (LEAVERS, 0)
    assert status["champion"]["version"] == 1
    assert status["metrics"]["macro_f1"]["value"] > 0.6

    third = installed.leeway(*arguments)
    assert third.code == 1
    assert "kept as it was: orchestration/defs/leavers/defs.yaml differs" in third.err
