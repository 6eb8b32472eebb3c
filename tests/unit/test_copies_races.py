"""The copies of what is served, where other processes share the folder or the disk takes no more.

Belongs here: what goes wrong with copies and their record. Does not belong here: what they are for
(tests/unit/test_copies.py).
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from leeway.digests import canonical_json
from resources.store import LocalStore
from serving.champions import UNREAD_SECONDS, Copies
from serving.keeper import Keeper
from serving.loading import Pointer
from tests.unit.test_loading import NAME, Released


def test_a_sweep_passes_by_what_another_process_renames_or_removes(tmp_path: Path) -> None:
    copies = Copies(tmp_path, LocalStore(tmp_path / "store"))
    objects = tmp_path / "objects"
    objects.mkdir()
    for name in ("a", "c"):
        (objects / name).write_text("old")
    for name in (".writing-1", "b"):
        (objects / name).symlink_to(objects / "gone")  # listed, and not there
    copies.sweep([], time.time() + UNREAD_SECONDS + 60)
    assert {each.name for each in objects.iterdir()} == {".writing-1", "b"}


def test_what_the_store_gives_is_served_where_no_copy_can_be_kept(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    (tmp_path / "serving").write_text("no folder")
    stored = store.put("models", "u", "json", b"right")
    assert Copies(tmp_path / "serving", store).get(stored.uri, stored.digest) == b"right"


def test_a_copy_that_cannot_be_read_gives_way_to_the_store(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    copies = Copies(tmp_path / "serving", store)
    stored = store.put("models", "u", "json", b"right")
    (tmp_path / "serving" / "objects" / stored.digest.removeprefix("sha256:")).mkdir(parents=True)
    assert copies.get(stored.uri, stored.digest) == b"right"


def test_a_record_that_the_disk_refused_is_written_when_it_takes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.keeper.REMEMBER_SECONDS", 0.0)
    released = Released(tmp_path)
    manifest = released.store.put("models", NAME, "json", canonical_json(released.manifest))
    champion = Pointer(NAME, 1, manifest.digest, manifest.uri)
    folder = tmp_path / "serving"
    folder.write_text("no folder")
    copies = Copies(folder, released.store)
    keeper = Keeper(copies, lambda: {NAME: champion})
    keeper.refresh()
    assert NAME in keeper.state.served
    folder.unlink()
    keeper.refresh()
    assert copies.last() == {NAME: champion}
