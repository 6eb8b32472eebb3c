"""The folder of `leeway dev` goes with it: at its end, or when the next one starts."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from cli.socket_folder import folder_for_socket

PROGRAM = """
import sys
from pathlib import Path
from cli.socket_folder import folder_for_socket
with folder_for_socket(Path(sys.argv[1])) as folder:
    print(folder, flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(home: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A process that has a folder until it ends."""
    command = [sys.executable, "-c", PROGRAM, str(home)]
    environment = os.environ | {"TMPDIR": tempfile.gettempdir()}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        yield process, Path(process.stdout.readline().strip())
        process.kill()


@pytest.fixture(autouse=True)
def _own_temporary_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))


def homes(folder: Path, *names: str) -> list[Path]:
    for name in names:
        (folder / name).mkdir()
    return [folder / name for name in names]


def test_a_folder_is_gone_at_the_end_of_its_block(tmp_path: Path) -> None:
    (home,) = homes(tmp_path, "home")
    with folder_for_socket(home) as folder:
        assert folder.stat().st_mode & 0o077 == 0, "nobody else may connect"
        assert len(str(folder.relative_to(tmp_path / "tmp") / "code")) < 40, "short, for a socket"
        (folder / "workspace.yaml").touch()
    assert not folder.exists()


def test_what_a_killed_one_left_is_removed_by_the_next_and_what_lives_is_kept(
    tmp_path: Path,
) -> None:
    """Guards: a `leeway dev` that was killed left its folder for ever."""
    home, other = homes(tmp_path, "home", "other")
    with ExitStack() as stack:
        killed, stale = stack.enter_context(holder(home))
        _, living = stack.enter_context(holder(home))
        elsewhere, of_other = stack.enter_context(holder(other))
        for process in (killed, elsewhere):
            process.kill()
            process.wait()
        (stale / "workspace.yaml").touch()
        assert stale.exists(), "the control: nobody removed it yet"
        with folder_for_socket(home) as own:
            assert own.exists()
            assert not stale.exists()
            assert living.exists()
            assert of_other.exists(), "another installation's is not ours to judge"
