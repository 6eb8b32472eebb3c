"""A rehearsal that is killed leaves a folder and a server: the next one takes both away.

And nothing of one that still works. That an interrupted one leaves nothing is in
tests/end_to_end/test_rehearsal.py.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.faults.harness import figure, finish, hear, kill, start, times, zero

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1800)]


@pytest.fixture
def temporary() -> Iterator[Path]:
    found = Path(tempfile.mkdtemp(prefix="leeway-"))  # short, for the socket of PostgreSQL
    found.chmod(0o711)  # as root, the server is another user's process
    yield found
    shutil.rmtree(found, ignore_errors=True)


def servers(temporary: Path) -> list[int]:
    """PostgreSQL processes that work in a folder below it."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        words = process.info["cmdline"] or []
        if any(str(temporary) in word for word in words) and "postgres" in words[0]:
            found.append(process.pid)
    return found


def test_what_a_killed_rehearsal_left_is_taken_away_by_the_next_and_nothing_else(
    temporary: Path,
) -> None:
    at, n = {"TMPDIR": str(temporary)}, times(1)
    working = start("private_copy", **at)
    home = Path(hear(working, "in"))
    for _ in range(n):
        killed = start("private_copy", **at)
        left = Path(hear(killed, "in"))
        kill(killed)
        os.utime(left, (0, 0))  # a folder that was made just now is left alone
        assert servers(left), "the control: it would be seen"
        code, _, said = finish(start("private_copy", "sweep", **at))
        assert code == 0, said
        assert not left.exists()
        assert servers(left) == []
        assert servers(home), "that one is in use"
    working.terminate()
    finish(working)
    assert list(temporary.glob("leeway-rehearsal-*")) == []
    assert servers(temporary) == []
    figure(f"rehearsal: {zero(n, 'kills left a folder or a server after the next one began')}")
