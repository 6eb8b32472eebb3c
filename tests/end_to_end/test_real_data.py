"""The demo as it ships, on the published data of all five use cases, and without a network.

    LEEWAY_KILLS=1 LEEWAY_DATA_DIR=... .venv/bin/pytest tests/end_to_end/test_real_data.py

prints one line a use case; README.md has the last ones.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.demo import SHOWN, metric_text
from resources.settings import PROJECT
from tests.embedded import stop_embedded
from tests.faults.harness import LONG, figure
from tests.installed import Installed

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(not LONG, reason="minutes: make proof"),
    pytest.mark.skipif(not os.environ.get("LEEWAY_DATA_DIR"), reason="LEEWAY_DATA_DIR is not set"),
    pytest.mark.timeout(3600),
]


@pytest.fixture
def shipped() -> Iterator[Installed]:
    """The project itself, with a home of its own."""
    home = Path(tempfile.mkdtemp(prefix="leeway-"))  # short, for the socket of PostgreSQL
    yield Installed(PROJECT, home)
    if (home / "postgres").exists():
        stop_embedded(home, "immediate")
    shutil.rmtree(home, ignore_errors=True)


def test_all_five_end_with_a_champion_on_real_rows_without_a_network(shipped: Installed) -> None:
    # No host may be asked, so that whatever is not in the folder is not read.
    done = shipped.leeway("demo", "--json", seconds=3000, LEEWAY_SOURCE_HOSTS="none.invalid")
    assert done.code == 0, done.err
    runs = {run["use_case"]: run for run in done.json["runs"]}
    found = shipped.leeway("status", "--json").json["use_cases"]
    assert tuple(runs) == SHOWN
    for name, run in runs.items():
        each = found[name]
        figure(
            f"{name}: {each['data']['rows']} {each['data']['origin']} rows, "
            f"{each['data']['rejected']} rejected, {metric_text(each['metrics'])}, "
            f"{run['seconds']:.0f} s"
        )
        assert each["data"]["origin"] == "real", name
        assert each["champion"] is not None, run
        assert run["checks"]["failed"] == [], name
    assert found["penguins"]["metrics"]["macro_f1"]["value"] >= 0.95
    assert len(found["tool_life"]["effects"]) > 0
    assert found["tool_life"]["metrics"]["saving_per_year"]["low"] is not None
