"""The log of answers when its folder or its rows are odd, or other processes share the folder.

Belongs here: queue, threads and files, with a database that is a function. Does not belong here:
PostgreSQL (tests/contract/test_inference_log.py).
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from leeway.served.contract import Classes, Classified
from leeway.served.logged import Answered, as_copied
from resources.inference_log import Unwritable
from serving.inference_log import AWAY_SECONDS, MOST_ROWS, InferenceLog
from serving.spool import MEASURED_EVERY, Chunk, Spool
from tests.faults.harness import until

SECONDS = 10.0


def answered(rows: int = 1, value: Any = 1.0) -> Answered:
    given = [Classified(uuid.uuid4().hex, "owl", {"owl": 1.0}, ["owl"], []) for _ in range(rows)]
    answers = Classes(
        use_case="birds", target="species", unit=None, coverage=0.9, model_version=3,
        release="sha256:abc", predictions=given,
    )  # fmt: skip
    return Answered(time.time(), 0.002, [{"wing": value}] * rows, answers)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


@contextmanager
def running(write: Callable[[bytes], None], spool: Spool) -> Iterator[InferenceLog]:
    found = InferenceLog(write, spool)
    found.start()
    try:
        yield found
    finally:
        found.end()


def put(spool: Spool, rows: int = 1) -> Path:
    """A chunk on the disk, and its file, which is newer than those before."""
    before = set(spool.folder.glob("*"))
    assert spool.put(Chunk(rows, as_copied([answered(rows)])))
    (file,) = set(spool.folder.glob("*")) - before
    return file


def vanished(spool: Spool) -> None:
    """A file that is listed and not there: as one that another process has just written."""
    file = put(spool)
    file.unlink()
    file.symlink_to(file.with_suffix(".gone"))


def test_a_file_that_goes_while_it_is_looked_at_keeps_no_chunk_away(spool: Spool) -> None:
    vanished(spool)
    put(Spool(spool.folder), 7)
    found = spool.oldest()
    assert found is not None
    assert found[1].rows == 7


def test_a_full_spool_takes_again_what_fits_once_another_process_emptied_it(tmp_path: Path) -> None:
    small, other = Spool(tmp_path, most_bytes=1000), Spool(tmp_path)
    kept = 0
    while small.put(Chunk(1, b"x" * 100)):
        kept += 1
    assert kept == 10
    found = other.oldest()
    assert found is not None
    assert other.remove(found[0])
    assert not Spool(tmp_path).remove(found[0])
    assert small.put(Chunk(1, b"x" * 100))


def test_the_bound_holds_where_many_processes_fill_the_spool(tmp_path: Path) -> None:
    size = 100
    most = 3 * MEASURED_EVERY * size
    spools = [Spool(tmp_path, most_bytes=most) for _ in range(2)]
    for _ in range(4 * MEASURED_EVERY):
        for each in spools:
            each.put(Chunk(1, b"x" * size))
    used = sum(each.stat().st_size for each in tmp_path.glob("*.rows"))
    assert most <= used <= most + len(spools) * MEASURED_EVERY * size


def test_the_writer_goes_on_after_a_refused_chunk_is_gone_already(spool: Spool) -> None:
    file, taken = put(spool), []

    def write(rows: bytes) -> None:
        if file.exists():
            file.unlink()  # another process has put it aside
            raise Unwritable("never")
        taken.append(rows)

    with running(write, spool) as log:
        assert until(lambda: not file.exists(), SECONDS) is not None
        log.offer(answered())
        assert until(lambda: log.counts.written == 1, SECONDS) is not None
    assert (len(taken), log.counts.refused) == (1, 0)


def test_files_that_are_no_chunks_are_left_alone(spool: Spool) -> None:
    spool.folder.mkdir()
    odd = [spool.folder / name for name in ("odd.rows", "1-x-2.rows")]
    for each in odd:
        each.write_text("mine")
    put(spool)
    with running(lambda rows: None, spool) as log:
        assert until(lambda: log.counts.written == 1, SECONDS) is not None
        log.offer(answered())
        assert until(lambda: log.counts.written == 2, SECONDS) is not None
    assert [each.read_text() for each in odd] == ["mine", "mine"]


def test_a_chunk_that_cannot_be_read_holds_up_neither_those_behind_it_nor_live_ones(
    spool: Spool, caplog: pytest.LogCaptureFixture
) -> None:
    file = put(spool)
    file.unlink()
    file.mkdir()  # for root, too, it cannot be read
    put(spool, 3)
    with running(lambda rows: None, spool) as log:
        assert until(lambda: log.counts.written == 3, SECONDS) is not None
        log.offer(answered())
        assert until(lambda: log.counts.written == 4, SECONDS) is not None
        time.sleep(0.3)
        assert log.problem is None
    assert len([each for each in caplog.messages if str(file) in each]) == 1


def test_an_answer_that_is_no_row_is_counted_and_the_next_is_written(spool: Spool) -> None:
    with running(lambda rows: None, spool) as log:
        log.offer(answered(2, value=object()))
        assert until(lambda: log.counts.dropped == 2, SECONDS) is not None
        log.offer(answered())
        assert until(lambda: log.counts.written == 1, SECONDS) is not None


def test_a_chunk_that_two_processes_write_at_once_is_counted_once(spool: Spool) -> None:
    put(spool, 5)
    both = threading.Barrier(2)

    def write(rows: bytes) -> None:
        both.wait(SECONDS)

    with (
        running(write, Spool(spool.folder)) as one,
        running(write, Spool(spool.folder)) as other,
    ):
        assert until(lambda: spool.oldest() is None, SECONDS) is not None
        assert until(lambda: one.counts.written + other.counts.written > 0, SECONDS) is not None
    assert one.counts.written + other.counts.written == 5


def test_while_the_database_is_away_a_file_holds_the_answers_of_seconds(spool: Spool) -> None:
    def write(rows: bytes) -> None:
        raise OSError("away")

    with running(write, spool) as log:
        log.offer(answered())
        assert until(lambda: log.counts.spooled == 1, SECONDS) is not None
        began = time.monotonic()
        while time.monotonic() < began + AWAY_SECONDS * 0.9:
            log.offer(answered())
            time.sleep(0.02)
        assert len(list(spool.folder.glob("*.rows"))) <= 3
    kept = [int(each.name.split("-")[1]) for each in spool.folder.glob("*.rows")]
    assert sum(kept) == log.counts.spooled > 20
    assert log.counts.dropped == 0


def test_the_queue_is_bounded_in_rows(spool: Spool) -> None:
    log = InferenceLog(lambda rows: None, spool)  # nobody has begun to write
    request = answered(100)
    for _ in range(MOST_ROWS // 100 + 3):
        log.offer(request)
    assert log.counts.dropped == 300


def test_the_disk_is_emptied_while_answers_keep_coming(spool: Spool) -> None:
    """Once only a moment without any was used for that, which a busy service does not have."""
    for _ in range(5):
        put(spool)
    with running(lambda _: None, spool) as log:
        ended = time.monotonic() + SECONDS
        while list(spool.folder.glob("*.rows")) and time.monotonic() < ended:
            log._writer.take(Chunk(1, b"x"))
            time.sleep(0.02)
    assert list(spool.folder.glob("*.rows")) == []
    assert log.counts.spooled == 0
