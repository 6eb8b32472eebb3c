"""A link that leads out of its folder, a pipe and a file beyond all sizes are never read."""

from __future__ import annotations

import itertools
import os
import threading
import time
import tracemalloc
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from resources.files import SourceError, read_file
from resources.opening import LinkOutside, read_inside
from resources.sources import Folder, open_source
from tests.batches import age
from tests.contract.file_sources import CSV, of_path, write
from tests.faults.harness import figure
from tests.reference import asking_this_machine


@pytest.mark.parametrize("how", ["file", "folder", "relative"])
def test_a_link_that_leads_out_of_the_folder_is_refused(tmp_path: Path, how: str) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.mkdir()
    write(outside / "2009.csv", CSV)
    if how == "folder":
        (inside / "there").symlink_to(outside)
    target = {"file": outside, "folder": inside / "there", "relative": Path("../out")}[how]
    (inside / "2009.csv").symlink_to(target / "2009.csv")
    with pytest.raises(SourceError, match=r"in/2009\.csv: a link that leads out of the folder"):
        Folder(inside).batches()
    (inside / "2009.csv").unlink()
    write(inside / "first.bin", CSV)
    (inside / "2009.csv").symlink_to("first.bin")
    assert Folder(inside).batches() == ["2009"], "a link within the folder is a batch"


@pytest.mark.parametrize("name", ["2009.csv", "other.csv"])
def test_a_link_that_leads_to_itself_is_refused(tmp_path: Path, name: str) -> None:
    """Regression: Python 3.11 and 3.12 raise RuntimeError for it, which was a traceback."""
    (tmp_path / "2009.csv").symlink_to(name)
    (tmp_path / "other.csv").symlink_to("2009.csv")
    with pytest.raises(SourceError, match=r"2009\.csv: a link that leads .* to itself"):
        Folder(tmp_path).batches()
    with pytest.raises(SourceError, match=r"2009\.csv: no such file or folder"):
        open_source(of_path(str(tmp_path / "2009.csv"))).batches()
    with pytest.raises(LinkOutside, match="to itself"):
        read_inside(tmp_path / "2009.csv", tmp_path)


def test_a_link_that_leads_out_of_the_data_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    write(tmp_path / "secret.csv", CSV)
    (tmp_path / "data" / "t.csv").symlink_to(tmp_path / "secret.csv")
    source = of_path("t.csv").source.model_copy(update={"below": "data_dir"})
    with (
        asking_this_machine(tmp_path / "home", DATA_DIR=str(tmp_path / "data")),
        pytest.raises(SourceError, match="leads out of LEEWAY_DATA_DIR"),
    ):
        open_source(of_path("t.csv").model_copy(update={"source": source}))


@pytest.mark.parametrize("swapped", ["file", "folder"])
def test_what_is_swapped_for_a_link_after_it_was_looked_at_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, swapped: str
) -> None:
    """The swap comes between the resolving of the path and the first opening, where it hurts."""
    inside, outside = tmp_path / "in", tmp_path / "out"
    for folder in (inside / "month", outside):
        folder.mkdir(parents=True)
        write(folder / "t.csv", CSV)
    before, path = os.open, inside / "month" / "t.csv"

    def opened(*arguments: Any, **named: Any) -> int:
        monkeypatch.setattr(os, "open", before)
        if swapped == "file":
            path.unlink()
            path.symlink_to(outside / "t.csv")
        else:
            (inside / "month").rename(inside / "old")
            (inside / "month").symlink_to(outside)
        return before(*arguments, **named)

    monkeypatch.setattr(os, "open", opened)
    with pytest.raises(SourceError, match="swapped for a link while it was read; copy the file"):
        read_file(path, inside=inside)
    assert read_file(path).num_rows > 0, "the control: without a folder it must be in, it is read"


def test_a_link_that_changes_all_the_time_never_leads_out(tmp_path: Path) -> None:
    """Beside a reader without the guard, which it does lead out."""
    inside, secret = tmp_path / "in", tmp_path / "secret.csv"
    inside.mkdir()
    (inside / "own.bin").write_bytes(b"own")
    secret.write_bytes(b"secret")
    path, done = inside / "t.csv", threading.Event()
    path.symlink_to("own.bin")

    def swap() -> None:
        for number in itertools.count():
            (inside / "next").symlink_to(("own.bin", str(secret))[number % 2])
            (inside / "next").rename(path)
            if done.is_set():
                return

    swapper = threading.Thread(target=swap)
    swapper.start()
    read: Counter[bytes] = Counter()
    unguarded: Counter[bytes] = Counter()
    try:
        while read.total() < 2000 or not unguarded[b"secret"]:
            with suppress(LinkOutside):
                read[read_inside(path, inside)] += 1
            if path.resolve().is_relative_to(inside.resolve()):
                unguarded[path.read_bytes()] += 1
    finally:
        done.set()
        swapper.join()
    assert set(read) == {b"own"}
    figure(f"{sum(read.values())} readings of a link that changes all the time: 0 lead out; "
           f"{unguarded[b'secret']} of {unguarded.total()} without the guard")  # fmt: skip


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_ten_gigabytes_of_nothing_are_refused_by_their_size_and_never_read(
    tmp_path: Path, kind: str
) -> None:
    """Regression: the fingerprint of a file, which is asked for first, read all of it."""
    path = tmp_path / "t-1.csv"
    with path.open("wb") as file:
        file.truncate(10 * 2**30)  # takes no room on the disk
    age(path)
    source = Folder(tmp_path) if kind == "folder" else open_source(of_path(str(path)))
    tracemalloc.start()
    started = time.process_time()
    try:
        assert source.batches() == ["t-1"]
        before = source.fingerprint("t-1")
        with pytest.raises(SourceError, match=r"too large: 10240 MB of .* MB at most"):
            source.read("t-1")
        assert tracemalloc.get_traced_memory()[1] < 2**24
        assert time.process_time() - started < 1, "to go through it piece by piece takes longer"
    finally:
        tracemalloc.stop()
    with path.open("ab") as file:
        file.write(b"1")
    age(path)
    assert source.fingerprint("t-1") != before, "that it changed is noticed"


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "t.csv")
    age(tmp_path / "t.csv")
    source = Folder(tmp_path)
    for asked in (source.read, source.fingerprint):
        with pytest.raises(SourceError, match=r"t\.csv: it cannot be read: it is no regular file"):
            asked("t")
