"""An object is whole or absent, whenever its writer is killed.

30 kills by default; the figure of the release: `LEEWAY_KILLS=500 .venv/bin/pytest -k store_kills`.
"""

from __future__ import annotations

import hashlib
import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from resources.store import LocalStore
from tests.faults.harness import (
    enough,
    figure,
    finish,
    hear,
    kill_within,
    seeded,
    start,
    times,
    zero,
)

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1800)]

BYTES = 8_000_000
SECONDS = 0.3  # several objects are written in this time
OLD = b"the old object" * 1000


def partial_objects(root: Path) -> list[str]:
    """Names of files that a reader can find and whose bytes are not those the name promises."""
    found = []
    for path in root.glob("*/*/[!.]*"):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if path.name != f"{digest}.parquet":
            found.append(path.name)
    return found


def temporary_files(root: Path) -> int:
    return len(list(root.glob("*/*/.writing-*")))


def kill_a_writer(root: Path, how: str, moment: random.Random) -> LocalStore:
    """Stores an old object, kills a writer of new ones, and returns the store."""
    shutil.rmtree(root, ignore_errors=True)
    store = LocalStore(root)
    old = store.put("clean", "penguins", "parquet", OLD)
    child = start("write_objects", str(root), how, str(BYTES), "0")
    hear(child, "ready")
    kill_within(child, SECONDS, moment)
    assert store.get(old.uri, old.digest) == OLD
    return store


def test_a_writer_killed_at_any_moment_leaves_no_partial_object(tmp_path: Path) -> None:
    rng, n, cut_off, swept, objects = seeded("store"), 0, 0, 0, 0
    while not enough(n, times(12), cut_off):
        n += 1
        store = kill_a_writer(tmp_path / "store", "atomic", rng)
        assert partial_objects(store.root) == []
        objects += len(list(store.root.glob("*/*/[!.]*")))
        left = temporary_files(store.root)
        cut_off += left > 0
        assert store.sweep(3600, time.time()) == 0, "a file that was begun just now is not stale"
        swept += store.sweep(0, time.time() + 1)
        assert temporary_files(store.root) == 0
    figure(
        f"store: {zero(n, 'kill -9 at a random moment left a partial object')}; {objects} objects "
        f"verified; {cut_off} kills hit a write, {swept} stale files found and swept"
    )
    assert cut_off, "no kill hit a write: the test proved nothing"


def test_the_checker_finds_the_partial_objects_of_a_naive_writer(tmp_path: Path) -> None:
    rng, n, caught = seeded("naive store"), 0, 0
    while not enough(n, max(10, times(12) // 6), caught):
        n += 1
        caught += bool(partial_objects(kill_a_writer(tmp_path / "store", "naive", rng).root))
    figure(f"store, control: a writer without the rename left a partial object {caught} of {n}")
    assert caught


@pytest.mark.parametrize("point", ["store.half_written", "store.before_rename"])
def test_a_writer_killed_at_a_fault_point_leaves_the_old_object(point: str, tmp_path: Path) -> None:
    n = max(2, times(12) // 8)
    for trial in range(n):
        root = tmp_path / str(trial)
        store = LocalStore(root)
        old = store.put("clean", "penguins", "parquet", OLD)
        child = start(
            "write_objects", str(root), "atomic", str(BYTES), "1", LEEWAY_FAULTS=f"{point}:kill"
        )
        code, _, err = finish(child)
        assert code == -signal.SIGKILL, err
        assert store.get(old.uri, old.digest) == OLD
        assert [path.name for path in root.glob("*/*/[!.]*")] == [Path(old.uri).name]
        assert temporary_files(root) == 1
        assert store.sweep(0, time.time() + 1) == 1
        code, _, err = finish(start("write_objects", str(root), "atomic", str(BYTES), "1"))
        assert code == 0, err
        assert partial_objects(root) == []
        assert len(list(root.glob("*/*/*"))) == 2
    figure(f"store: {zero(n, f'kill -9 at {point} left a partial object')}")
