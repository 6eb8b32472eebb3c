"""A command that is cut into several runs of Dagster: they are known to belong together."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

from cli.execution import execute
from cli.run import RunReport
from leeway.plan import Step
from orchestration.jobs import COMMAND_TAG
from orchestration.use_cases import find_use_case
from resources.instance import open_instance
from resources.ledger import Ledger
from resources.reaper import PID
from resources.settings import get_settings
from resources.stand_ins import reading_of
from tests.conftest import used_installation
from tests.graph.test_experiment import NAME, replicate


def test_all_runs_of_a_command_have_its_tag_and_that_of_their_process(
    server_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two replicates with a third between them that is left alone are two runs."""
    use_case = find_use_case(NAME)
    data = tmp_path / "doe_factorial" / "tool_life_2p3_r3.csv"
    for folder in (data.parent, tmp_path / "home"):
        folder.mkdir()
    pd.concat(map(replicate, (1, 2, 3))).to_csv(data, index=False)
    monkeypatch.setenv("LEEWAY_DATA_DIR", str(tmp_path))
    with used_installation(server_home, tmp_path / "home") as settings, open_instance() as instance:
        found = reading_of(NAME, use_case, get_settings()).source.batches()
        Ledger(settings).register_batches(NAME, found)
        steps = [Step("raw", each, True, "new") for each in ("replicate-1", "replicate-3")]
        report = RunReport(NAME, "success")
        execute(NAME, use_case, steps, report, "one")
        assert (report.error, len(report.ran)) == (None, 2)
        runs = instance.get_runs(dg.RunsFilter(tags={COMMAND_TAG: "one"}))
    assert len(runs) == 2
    assert runs[0].run_id == report.run_id
    assert all(PID in run.tags for run in runs)
