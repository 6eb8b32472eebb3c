"""The embedded PostgreSQL starts, whenever the process that made it for the first time was killed.

5 moments by default; `LEEWAY_KILLS=50 .venv/bin/pytest -k first_start` tries 50 of them.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from resources.postgres import embedded_url
from tests.embedded import stop_embedded
from tests.faults.harness import PROGRAMS, figure, hear, kill, seeded, times, zero
from tests.project_copy import child_environment

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1800)]

MOMENTS = (0.02, 0.25, 0.5)  # seconds into the first start, of which initdb takes the first one


@pytest.fixture
def folder() -> Iterator[Path]:
    found = Path(tempfile.mkdtemp(prefix="leeway-"))  # short, for the socket of PostgreSQL
    yield found
    shutil.rmtree(found, ignore_errors=True)


def begin(home: Path, how: str) -> subprocess.Popen[str]:
    """A process, in a group of its own, that is about to make the server."""
    home.mkdir(exist_ok=True)
    child = subprocess.Popen(
        [sys.executable, str(PROGRAMS / "start_server.py"), str(home), how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=child_environment(),
        start_new_session=True,
    )
    hear(child, "ready")
    return child


def kill_a_first_start(home: Path, how: str, seconds: float) -> None:
    """Kills the process, with all that it started in its group, after so many seconds."""
    child = begin(home, how)
    time.sleep(seconds)
    os.killpg(child.pid, signal.SIGKILL)
    kill(child)


def test_a_first_start_that_was_killed_leaves_nothing_in_the_way(folder: Path) -> None:
    rng, n, cut_off = seeded("first start"), times(3), 0
    moments = [*MOMENTS, *(rng.uniform(0, 1.5) for _ in range(n - len(MOMENTS)))]
    for number, moment in enumerate(moments):
        home = folder / str(number)
        kill_a_first_start(home, "ours", moment)
        cut_off += not (home / "postgres").exists()
        psycopg2.connect(embedded_url(home).replace("/leeway?", "/postgres?")).close()
        assert not list(home.glob("postgres.new-*")), "what was left is removed"
        stop_embedded(home, "immediate")
        shutil.rmtree(home)
    figure(f"first start: {zero(n, 'kills of its group kept the server from starting later')}")
    assert cut_off, "no kill hit the making of the folder: the test proved nothing"


def test_a_data_folder_that_is_made_in_place_is_not_mended_by_another_start(folder: Path) -> None:
    """The control: the same kills, and a start that takes what they left for a data folder."""
    stuck = 0
    for number, moment in enumerate((0.1, 0.25, 0.5, 0.75)):
        home = folder / str(number)
        kill_a_first_start(home, "naive", moment)
        again = begin(home, "naive")
        assert again.stdout is not None
        stuck += not again.stdout.readline().startswith("started")
        os.killpg(again.pid, signal.SIGKILL)
        kill(again)
        if stuck:
            break
        stop_embedded(home, "immediate")
    figure(
        f"first start, control: {stuck} of {number + 1} kills of a naive one stopped it for good"
    )
    assert stuck
