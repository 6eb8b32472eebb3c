"""The inference log against PostgreSQL: each answer once, whatever happens on its way.

Belongs here: queue, spool and table together. Does not belong here: HTTP (tests/service).
"""

from __future__ import annotations

import errno
import os
import shlex
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from threading import Timer
from typing import Any

import psycopg2
import pytest

from leeway.served.contract import Classes, Classified, Estimated, Estimates, Warned
from leeway.served.logged import Answered, as_copied
from resources.inference_log import Unwritable, find, newest, summary, write
from resources.postgres import dsn, transaction
from resources.settings import Settings
from serving.inference_log import InferenceLog
from serving.spool import Chunk, Spool
from tests.faults.harness import LONG, figure, seeded, times, until

WHO: dict[str, Any] = {
    "use_case": "birds",
    "target": "species",
    "unit": None,
    "coverage": 0.9,
    "model_version": 3,
    "release": "sha256:abc",
}
WAIT = 20.0


def answered(rows: int, *, latency: float = 0.002, text: str = "a") -> Answered:
    """A request of as many instances."""
    warned = [Warned("island", "unseen_category", 'says "x", and\nmore')]
    given = [
        Classified(uuid.uuid4().hex, "owl", {"owl": 0.9, "tit": 0.1}, ["owl"], warned)
        for _ in range(rows)
    ]
    instances = [{"island": text, "mass": None, "wing": 0.1} for _ in range(rows)]
    return Answered(time.time(), latency, instances, Classes(**WHO, predictions=given))


def ids(requests: list[Answered]) -> set[str]:
    return {str(uuid.UUID(a.prediction_id)) for r in requests for a in r.answers.predictions}


def logged(settings: Settings) -> list[str]:
    with transaction(settings) as cursor:
        cursor.execute("select prediction_id::text from monitoring.inference_log")
        return [row[0] for row in cursor.fetchall()]


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


@contextmanager
def running(settings: Settings, spool: Spool) -> Iterator[InferenceLog]:
    found = InferenceLog(partial(write, settings), spool)
    found.start()
    try:
        yield found
    finally:
        found.end()


@contextmanager
def away(settings: Settings) -> Iterator[None]:
    """The database takes no connection."""
    name = psycopg2.extensions.parse_dsn(dsn(settings=settings))["dbname"]
    other = psycopg2.extensions.make_dsn(dsn(settings=settings), dbname="postgres")

    def allow(allowed: str) -> None:
        connection = psycopg2.connect(other)
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f'alter database "{name}" with allow_connections {allowed}')
        connection.close()

    allow("false")
    try:
        yield
    finally:
        allow("true")


def test_an_answer_is_there_as_it_was_given(settings: Settings, spool: Spool) -> None:
    request = answered(2, text='it, "is"\n\\ here ü')._replace(row_keys=["17, or ü", None])
    with running(settings, spool) as log:
        log.offer(request)
    one, two = newest(settings, "birds", 10, None)
    first = request.answers.predictions[0]
    assert isinstance(first, Classified)
    with transaction(settings) as cursor:
        found = find(cursor, first.prediction_id)
        assert find(cursor, uuid.uuid4().hex) is None
    assert found in (one, two)
    assert found is not None
    assert found.inputs == request.instances[0]
    assert found.row_key == "17, or ü"
    assert {one.row_key, two.row_key} == {found.row_key, None}
    assert found.answer["probabilities"] == {"owl": 0.9, "tit": 0.1}
    assert found.answer["warnings"][0]["message"] == 'says "x", and\nmore'
    assert (found.version, found.release, found.latency_seconds) == (3, "sha256:abc", 0.002)
    assert found.at.timestamp() == pytest.approx(request.at, abs=1e-5)
    assert (log.counts.written, log.counts.spooled, log.counts.dropped) == (2, 0, 0)


def test_a_chunk_that_is_written_again_is_no_news(settings: Settings) -> None:
    rows = as_copied([answered(3)])
    write(settings, rows)
    write(settings, rows)
    assert len(logged(settings)) == 3


@pytest.mark.faults
def test_while_the_database_is_away_answers_wait_on_the_disk(
    settings: Settings, spool: Spool
) -> None:
    requests = [answered(2) for _ in range(30)]
    with running(settings, spool) as log:
        with away(settings):
            for each in requests:
                log.offer(each)
            assert until(lambda: log.counts.spooled == 60, WAIT) is not None
            assert log.problem is not None
        assert until(lambda: len(logged(settings)) == 60, WAIT) is not None
        assert until(lambda: log.problem is None and spool.oldest() is None, WAIT) is not None
    assert sorted(logged(settings)) == sorted(ids(requests))


@pytest.mark.faults
def test_a_service_that_ends_without_the_database_leaves_them_to_the_next(
    settings: Settings, spool: Spool
) -> None:
    request = answered(5)
    with away(settings), running(settings, spool) as log:
        log.offer(request)
    assert log.counts.spooled == 5
    with running(settings, spool):
        assert until(lambda: set(logged(settings)) == ids([request]), WAIT) is not None


def test_a_chunk_that_arrived_and_stayed_on_the_disk_is_not_written_twice(
    settings: Settings, spool: Spool
) -> None:
    """As a kill between the commit and the end of the file leaves it; two processes find it."""
    request = answered(4)
    rows = as_copied([request])
    write(settings, rows)
    spool.put(Chunk(4, rows))
    with running(settings, spool), running(settings, spool):
        assert until(lambda: spool.oldest() is None, WAIT) is not None
    assert sorted(logged(settings)) == sorted(ids([request]))


@pytest.mark.faults
def test_a_database_that_hangs_holds_no_answer_up_and_each_arrives_once(
    settings: Settings, spool: Spool
) -> None:
    requests = [answered(1) for _ in range(12_000)]
    with running(settings, spool) as log, transaction(settings) as cursor:
        cursor.execute("lock table monitoring.inference_log")
        seconds = []
        for number, each in enumerate(requests):
            begun = time.perf_counter()
            log.offer(each)
            seconds.append(time.perf_counter() - begun)
            if number % 1000 == 0:
                time.sleep(0.15)  # a thousand requests at a time: more than the chunks in memory
        assert until(lambda: log.counts.spooled > 0, WAIT) is not None
        assert log.counts.written == 0, "the control: the table was locked"
    figure(
        f"inference log, its table locked: of {len(seconds):,} offers half took "
        f"{median(seconds) * 1e6:.1f} µs at most, the longest {max(seconds) * 1e6:.0f} µs"
    )
    assert median(seconds) < 1e-3
    assert max(seconds) < (0.1 if LONG else 3), "of a statement that is cut off after 10 s"
    with running(settings, spool):
        assert until(lambda: spool.oldest() is None, WAIT) is not None
    assert log.counts.dropped == 0
    assert sorted(logged(settings)) == sorted(ids(requests))


def test_what_neither_database_nor_disk_take_is_dropped_and_counted(
    settings: Settings, tmp_path: Path
) -> None:
    small = Spool(tmp_path / "spool", most_bytes=1000)
    with away(settings), running(settings, small) as log:
        for _ in range(10):
            log.offer(answered(1))
            time.sleep(0.12)  # each a chunk of its own
    assert log.counts.spooled + log.counts.dropped == 10
    assert 1 <= log.counts.spooled <= 3
    with running(settings, small):
        assert until(lambda: len(logged(settings)) == log.counts.spooled, WAIT) is not None


def test_a_queue_that_is_full_drops_what_comes_and_counts_it(
    settings: Settings, spool: Spool
) -> None:
    log = InferenceLog(partial(write, settings), spool)  # nobody has begun to write
    for _ in range(10_003):
        log.offer(answered(2))
    assert log.counts.dropped == 6


def test_rows_that_are_never_taken_are_put_aside_and_the_others_follow(
    settings: Settings, spool: Spool
) -> None:
    bad, good = answered(2, text="no\0name"), answered(1)
    with pytest.raises(Unwritable):
        write(settings, as_copied([bad]))
    spool.put(Chunk(2, as_copied([bad])))
    spool.put(Chunk(1, as_copied([good])))
    with running(settings, spool) as log:
        assert until(lambda: set(logged(settings)) == ids([good]), WAIT) is not None
    assert log.counts.refused == 2
    assert [each.suffix for each in spool.folder.iterdir()] == [".refused"]


def test_an_installation_without_the_table_gets_it(settings: Settings) -> None:
    with transaction(settings) as cursor:
        cursor.execute("drop table monitoring.inference_log")
    write(settings, as_copied([answered(1)]))
    assert len(logged(settings)) == 1


_LOG = """
import sys, time
from functools import partial
from pathlib import Path
from resources.inference_log import write
from resources.settings import get_settings
from serving.inference_log import InferenceLog
from serving.spool import Spool
from tests.contract.test_inference_log import answered
folder = Path(sys.argv[1])
log = InferenceLog(partial(write, get_settings()), Spool(folder))
log.start()
"""
_OFFERS = """
while True:
    request = answered(1)
    print(request.answers.predictions[0].prediction_id, time.time(), flush=True)
    log.offer(request)
    time.sleep(0.001)
"""


def killed(folder: Path, seconds: float) -> tuple[float, dict[str, float]]:
    """When a process was killed, so long after its first chunk, and when it offered each answer."""
    command = [sys.executable, "-c", _LOG + _OFFERS, str(folder)]
    spool, lines, due = Spool(folder), [], float("inf")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while time.time() < due:
            lines.append(process.stdout.readline())
            if due == float("inf") and spool.oldest() is not None:
                due = time.time() + seconds
        at = time.time()
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.readlines()[:-1]  # the last may be half of one
    found = (line.split() for line in lines)
    return at, {str(uuid.UUID(each)): float(offered) for each, offered in found}


@pytest.mark.faults
def test_a_kill_loses_at_most_the_last_moment_and_leaves_nothing_twice(
    settings: Settings, spool: Spool
) -> None:
    draw, kills, answers = seeded("log"), min(times(2), 20), 0
    lost: list[float] = []
    for _ in range(kills):
        with away(settings):
            at, offered = killed(spool.folder, draw.uniform(1, 3))
        with running(settings, spool):
            assert until(lambda: spool.oldest() is None, WAIT) is not None
        found = logged(settings)
        assert len(found) == len(set(found))
        assert at - min(offered.values()) > 1, "the control: there were older ones"
        lost += [at - offered[each] for each in offered.keys() - set(found)]
        answers += len(offered)
    figure(
        f"inference log: {kills} kill -9 lost {len(lost)} of {answers:,} answers, all of the last "
        f"{max(lost, default=0.0):.2f} s"
    )
    assert max(lost, default=0.0) < (0.5 if LONG else 2)


_FULL = """
filler = folder / "filler"
with filler.open("wb", buffering=0) as file:
    try:
        while True:
            file.write(bytes(4096))
    except OSError as error:
        print(error.errno, flush=True)
    file.truncate(filler.stat().st_size - 8 * 4096)

def offer(times):
    for _ in range(times):
        log.offer(answered(1, text="x" * 9_000))  # three pages of a disk
        time.sleep(0.15)  # each a chunk of its own
    while log.counts.spooled + log.counts.dropped < before + times:
        time.sleep(0.01)

before = 0
offer(6)
print(log.counts.spooled, log.counts.dropped, flush=True)
print([each.name for each in folder.iterdir() if each.suffix != ".rows"], flush=True)
filler.unlink()
before = 6
offer(6)
print(log.counts.spooled, log.counts.dropped, flush=True)
for _ in sys.stdin:
    pass
"""


@pytest.mark.faults
def test_a_disk_that_is_full_drops_and_counts_what_neither_takes_and_goes_on_once_it_is_not(
    settings: Settings, tmp_path: Path
) -> None:
    """A file system of 256 kB, which the child alone sees."""
    folder = tmp_path / "spool"
    folder.mkdir()
    alone = ["unshare", "--mount", *(["--map-root-user"] if os.getuid() else [])]
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(folder)]
    if subprocess.run([*alone, *mount], check=False, capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a file system of his own")
    program = [sys.executable, "-c", _LOG + _FULL, str(folder)]
    command = [*alone, "sh", "-c", f"{shlex.join(mount)} && exec {shlex.join(program)}"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        timer = Timer(60, process.kill)  # else a child that hangs is waited for
        timer.start()
        assert process.stdin is not None
        assert process.stdout is not None
        with away(settings):
            told = [process.stdout.readline().strip() for _ in range(4)]
        assert until(lambda: len(logged(settings)) == 8, 40) is not None
        process.stdin.close()
        process.wait()
        timer.cancel()
    assert told[0] == str(errno.ENOSPC)
    assert told[1] == "2 4", "as many as there was room for"
    assert told[2] == "['filler']", "nothing is left of those that were not written whole"
    assert told[3] == "8 4", "all that came later"
    assert len(logged(settings)) == len(set(logged(settings))) == 8


def test_history_is_read_page_by_page_and_summed_up(settings: Settings, spool: Spool) -> None:
    numbers = Estimates(
        **{**WHO, "use_case": "houses", "unit": "$"},
        predictions=[Estimated(uuid.uuid4().hex, float(n), (0.0, 9.0), []) for n in range(5)],
    )
    requests = [answered(3, latency=0.001), answered(2, latency=0.003)]
    write(settings, as_copied([*requests, Answered(time.time(), 0.5, [{}] * 5, numbers)]))
    pages, before = [], None
    while page := newest(settings, "birds", 2, before):
        pages.append(page)
        before = page[-1].prediction_id
    assert [len(page) for page in pages] == [2, 2, 1]
    assert {each.prediction_id for page in pages for each in page} == ids(requests)
    (birds,) = summary(settings, "birds", 1)
    assert (birds["version"], birds["predictions"], birds["classes"]) == (3, 5, {"owl": 5})
    assert birds["predictions_with_warnings"] == 5
    assert birds["latency_seconds"]["p50"] == 0.001
    assert birds["numbers"] is None
    (houses,) = summary(settings, "houses", 1)
    assert houses["classes"] is None
    assert houses["numbers"]["mean"] == houses["numbers"]["median"] == 2
    assert (houses["numbers"]["min"], houses["numbers"]["max"]) == (0, 4)
    assert summary(settings, "birds", 1e-9) == []
