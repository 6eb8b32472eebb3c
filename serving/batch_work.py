"""Predicting a batch in a worker: read, judge, predict, log, write.

Belongs here: these five, one after the other. Does not belong here: what each is (`leeway.served`,
`resources.files`, `serving.spool`), or HTTP.

All rows are judged before one is predicted, and all are predicted before the service sends one: a
batch is answered as a whole or refused as a whole. Answers go to the log by way of its files on the
disk, from which the service writes them: a batch may have more than a queue holds.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import pyarrow as pa
from msgspec import Struct

from leeway.served.batch_answers import rows_of, writer_of
from leeway.served.batches import batch_of, instances, judge
from leeway.served.contract import BadRequest, Problem
from leeway.served.logged import Answered, as_copied
from resources.files import read_data
from resources.settings import Settings, instead
from serving.loading import Loaded
from serving.messages import Job
from serving.spool import Chunk, Spool

_BODY = "the body"
log = logging.getLogger("leeway.serving.worker")


class Predicted(Struct, frozen=True):
    """How many rows were predicted and not logged, and which columns were not read."""

    rows: int
    unlogged: int
    ignored: tuple[str, ...]


def predict_batch(
    loaded: Loaded,
    job: Job,
    body: bytes,
    settings: Settings,
    spool: Spool,
    send: Callable[[bytes], object],
) -> Predicted:
    """Predicts each row of a body, logs and sends the answers.

    Raises:
        BadRequest: names what is wrong with which row.
        resources.files.SourceError: when the body is not in its format, or too large.
    """
    batch = batch_of(_table(job.given, body, settings), loaded.inputs)
    judge(batch)
    writer = writer_of(job.wanted, loaded.manifest["classes"], send)
    first, unlogged = 1, 0
    for rows in instances(batch):
        given = [loaded.contract.instance(**each) for each in rows]
        at, began = time.time(), time.perf_counter()
        answers = loaded.predict(given)
        keys = loaded.contract.keys(given)
        answered = Answered(at, time.perf_counter() - began, given, answers, keys)
        writer.write(rows_of(answers, first))
        unlogged += 0 if _kept(spool, answered) else len(rows)
        first += len(rows)
    writer.end()
    pa.default_memory_pool().release_unused()
    return Predicted(first - 1, unlogged, batch.ignored)


def _kept(spool: Spool, answered: Answered) -> bool:
    try:
        return spool.put(Chunk(answered.rows, as_copied([answered])))
    except OSError as error:
        log.error("the spool cannot be written: %s", error)
        return False


def _table(suffix: str, body: bytes, settings: Settings) -> pa.Table:
    """As a source reads a file, with the limit of batches in place of that of files."""
    names = body[: 2**16].partition(b"\n")[0]
    if suffix == ".csv" and b";" in names and b"," not in names:
        told = "the names are separated by semicolons"
        raise BadRequest(Problem(_BODY, told, None, "values that are separated by commas"))
    largest = settings.model_copy(update={"max_file_mb": settings.max_batch_mb})
    with instead(largest):
        return read_data(f"body{suffix}", body, _BODY)
