"""Objects of the store are immutable, whole, and verified when they are read."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from resources.faults import FaultInjected
from resources.store import CorruptObject, LocalStore, StoredObject

DATA = b"some bytes" * 100

Together = Callable[..., list[Any]]


@pytest.fixture(params=["store", "a store", "größe%20", "st#re?x"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / request.param)


def put(store: LocalStore, data: bytes = DATA) -> StoredObject:
    return store.put("raw", "penguins", "parquet", data)


def path_of(store: LocalStore, stored: StoredObject) -> Path:
    return store.root / "raw" / "penguins" / f"{stored.digest.removeprefix('sha256:')}.parquet"


def files(store: LocalStore) -> list[Path]:
    return [path for path in store.root.rglob("*") if path.is_file()]


@pytest.mark.parametrize("data", [b"", b"x", DATA, bytes(range(256)) * 5000])
def test_what_was_put_is_got(store: LocalStore, data: bytes) -> None:
    """Regression: an object under a folder with a space in its name was never found again."""
    stored = put(store, data)
    assert store.get(stored.uri, stored.digest) == data
    assert stored.digest == f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert stored.size_bytes == len(data)


def test_the_same_bytes_twice_are_one_object_that_is_not_written_again(store: LocalStore) -> None:
    first = put(store)
    before = path_of(store, first).stat()
    assert put(store) == first
    after = path_of(store, first).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert len(files(store)) == 1


def test_other_bytes_are_another_object(store: LocalStore) -> None:
    one, other = put(store), put(store, b"other")
    assert one.uri != other.uri
    assert store.get(one.uri, one.digest) == DATA


@pytest.mark.parametrize("position", [0, 500, len(DATA) - 1])
def test_one_changed_byte_is_found(store: LocalStore, position: int) -> None:
    stored = put(store)
    path = path_of(store, stored)
    damaged = bytearray(DATA)
    damaged[position] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(CorruptObject, match="Remove it and materialize its node again"):
        store.get(stored.uri, stored.digest)


def test_a_truncated_object_is_found_and_mended_by_putting_it_again(store: LocalStore) -> None:
    stored = put(store)
    path_of(store, stored).write_bytes(DATA[:50])
    with pytest.raises(CorruptObject):
        store.get(stored.uri, stored.digest)
    put(store)
    assert store.get(stored.uri, stored.digest) == DATA


def test_an_object_that_is_not_there_is_an_error(store: LocalStore) -> None:
    stored = put(store)
    path_of(store, stored).unlink()
    with pytest.raises(FileNotFoundError, match="leeway run NAME --select NODE"):
        store.get(stored.uri, stored.digest)


@pytest.mark.parametrize("address", ["{root}/../secret", "{root}/raw/../../secret", "/etc/passwd"])
@pytest.mark.parametrize("scheme", ["file://", ""])
def test_an_address_outside_the_store_is_refused(
    store: LocalStore, address: str, scheme: str
) -> None:
    put(store)
    (store.root.parent / "secret").write_bytes(DATA)
    with pytest.raises(ValueError, match="is not inside the object store"):
        store.get(scheme + address.format(root=store.root), f"sha256:{'0' * 64}")


def test_an_escaped_address_outside_the_store_is_refused(store: LocalStore) -> None:
    put(store)
    with pytest.raises(ValueError, match="is not inside the object store"):
        store.get(f"{store.root.as_uri()}/%2e%2e/secret", f"sha256:{'0' * 64}")


def test_a_link_out_of_the_store_is_refused(store: LocalStore, tmp_path: Path) -> None:
    stored = put(store)
    path = path_of(store, stored)
    outside = tmp_path / "outside"
    outside.write_bytes(DATA)
    path.unlink()
    path.symlink_to(outside)
    with pytest.raises(ValueError, match="is not inside the object store"):
        store.get(stored.uri, stored.digest)


def test_a_store_that_is_itself_a_link_works(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    store = LocalStore(tmp_path / "link")
    stored = put(store)
    assert store.get(stored.uri, stored.digest) == DATA


@pytest.mark.parametrize("name", ["../penguins", "a/b", "..", "", "/tmp", "a b"])  # noqa: S108
def test_a_use_case_that_is_no_name_is_refused(store: LocalStore, name: str) -> None:
    with pytest.raises(ValueError, match="is not a name"):
        store.put("raw", name, "parquet", DATA)
    assert not store.root.exists()


@pytest.mark.parametrize("point", ["store.half_written", "store.before_rename"])
def test_a_write_that_fails_leaves_nothing(
    store: LocalStore, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEEWAY_FAULTS", f"{point}:raise")
    with pytest.raises(FaultInjected):
        put(store)
    assert files(store) == []


def test_a_sweep_removes_what_killed_writers_left_and_nothing_else(store: LocalStore) -> None:
    stored = put(store)
    folder = path_of(store, stored).parent
    now = path_of(store, stored).stat().st_mtime
    for name, age in ((".writing-old", 100), (".writing-new", 5), ("kept", 100)):
        (folder / name).write_bytes(b"half")
        os.utime(folder / name, (now - age, now - age))
    os.utime(path_of(store, stored), (now - 1000, now - 1000))
    assert store.sweep(60, now) == 1
    assert sorted(path.name for path in files(store)) == sorted(
        [".writing-new", "kept", path_of(store, stored).name]
    )
    assert store.sweep(60, now) == 0


def test_a_sweep_of_a_store_without_objects_finds_nothing(store: LocalStore) -> None:
    assert store.sweep(0, 0) == 0


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What is asked of the disk, in order, as (call, name); each call is carried out.

    A kill does not lose what the system holds in memory; a power cut does, which no test can make.
    """
    found: list[tuple[str, str]] = []
    fsync, replace, mkdir = os.fsync, Path.replace, Path.mkdir

    def name_of(path: Path | str) -> str:
        name = Path(path).name
        return "temporary" if name.startswith(".writing-") else name

    def fsync_too(descriptor: int) -> None:
        found.append(("fsync", name_of(Path(f"/proc/self/fd/{descriptor}").readlink())))
        if found[-1][1] == "temporary":
            assert os.fstat(descriptor).st_size == len(DATA), "all is written before it is flushed"
        fsync(descriptor)

    def replace_too(self: Path, target: Path) -> Path:
        found.append(("replace", name_of(target)))
        return replace(self, target)

    def mkdir_too(self: Path, *arguments: Any, **named: Any) -> None:
        found.append(("mkdir", name_of(self)))
        mkdir(self, *arguments, **named)

    monkeypatch.setattr(os, "fsync", fsync_too)
    monkeypatch.setattr(Path, "replace", replace_too)
    monkeypatch.setattr(Path, "mkdir", mkdir_too)
    return found


UP = [("fsync", "penguins"), ("fsync", "raw"), ("fsync", "store")]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="names of descriptors are Linux's")
def test_an_object_and_its_folders_are_on_the_disk_in_this_order_before_put_returns(
    tmp_path: Path, calls: list[tuple[str, str]]
) -> None:
    """Regression: a new folder's own name was never flushed, and the object was gone with it."""
    stored = put(LocalStore(tmp_path / "home" / "store"))
    name = Path(stored.uri).name
    assert calls == [
        ("mkdir", "home"), ("fsync", tmp_path.name),
        ("mkdir", "store"), ("fsync", "home"),
        ("mkdir", "raw"), ("fsync", "store"),
        ("mkdir", "penguins"), ("fsync", "raw"),
        ("fsync", "temporary"), ("replace", name), *UP,
    ]  # fmt: skip


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="names of descriptors are Linux's")
def test_an_object_that_another_writer_has_just_renamed_is_flushed_before_put_returns(
    tmp_path: Path, calls: list[tuple[str, str]]
) -> None:
    """Regression: it was taken for stored, and its writer had not flushed the folder yet."""
    store = LocalStore(tmp_path / "store")
    put(store)
    calls.clear()
    put(store)
    assert calls == UP


def write_and_read(root: Path, worker: int) -> list[str]:
    """Puts objects that all workers put, and some of its own, and reads each at once."""
    store = LocalStore(root)
    digests = []
    for number in range(40):
        shared = put(store, bytes([number]) * 100_000)
        own = put(store, f"{worker}/{number}".encode() * 1000)
        for stored in (shared, own):
            store.get(stored.uri, stored.digest)
        store.sweep(3600, 0)
        digests.append(shared.digest)
    return digests


def test_processes_that_write_at_once_never_see_half_an_object(
    tmp_path: Path, together: Together
) -> None:
    found = together(write_and_read, [(tmp_path / "store", worker) for worker in range(4)])
    assert all(digests == found[0] for digests in found)
    stored = files(LocalStore(tmp_path / "store"))
    assert len(stored) == 40 + 4 * 40
    assert not [path for path in stored if path.name.startswith(".writing")]
    assert all(hashlib.sha256(path.read_bytes()).hexdigest() == path.stem for path in stored)
