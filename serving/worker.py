"""The process that explains, predicts batches and answers in the shadow: one job after the other.

Belongs here: reading jobs, handing them to what does them, and what is said when one fails. Does
not belong here: what is done (`serving.explainable`, `serving.batch_work`,
`serving.shadow_work`), or starting and ending processes (`serving.pool`).

It takes releases from the same verified copies as the service, and proves them as it does. From its
second job on it has a lower priority than the service. What libraries print goes to the log.

    python -m serving.worker PARENT < JOBS > ANSWERS
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable
from typing import TypeVar

import msgspec
import psutil

from leeway.served.contract import BadRequest
from resources.files import SourceError, TooLarge
from resources.processes import die_with_parent
from resources.settings import Settings, get_settings
from resources.store import CorruptObject
from serving.batch_work import predict_batch
from serving.champions import copies_of
from serving.explainable import Explainable
from serving.loading import Loaded, Pointer, load, without_path
from serving.loading import Refused as Unloadable
from serving.messages import PART, Done, Job, Refused, done_frame, framed, read_job
from serving.shadow_work import Shadows, shadowed
from serving.spool import spool_of

NICE = 5  # a third of the processor where the service wants all of it, else whatever is free
KEPT = 8  # releases; their memory is bounded by that of the process (`serving.pool`)
log = logging.getLogger("leeway.serving.worker")
Send = Callable[[bytes], object]
Held = TypeVar("Held")


class Desk:
    """Does jobs, with the releases that it has loaded for them."""

    def __init__(self, settings: Settings) -> None:
        self._settings, self._copies = settings, copies_of(settings)
        self._spool = spool_of(settings)
        self._loaded: dict[Pointer, Loaded] = {}
        self._explainable: dict[Pointer, Explainable] = {}

    def done(self, job: Job, body: bytes, send: Send) -> Done:
        """Does a job; parts of its answer are sent, the rest is its content."""
        try:
            content, refused, failed = self._answer(job, body, send), None, False
        except BadRequest as error:
            status = 422 if error.readable else 400
            content, refused, failed = b"", Refused(status, error.problem), False
        except TooLarge:
            told = f"the body has more than {self._settings.max_batch_mb} MB, packed or unpacked"
            told += "; cut it, or raise LEEWAY_MAX_BATCH_MB where the memory allows it"
            content, refused, failed = b"", Refused(413, told), False
        except SourceError as error:
            content, refused, failed = b"", Refused(400, str(error)), False
        except Unloadable as error:
            content, refused, failed = b"", Refused(503, str(error)), False
        except (OSError, CorruptObject) as error:
            log.error("%s of %s: %s", job.kind, job.pointer.use_case, error)
            content, refused, failed = b"", Refused(503, without_path(error)), False
        except Exception:
            log.exception("%s of %s failed", job.kind, job.pointer.use_case)
            content, refused, failed = b"", None, True
        return Done(content, refused, failed, psutil.Process().memory_info().rss)

    def _answer(self, job: Job, body: bytes, send: Send) -> bytes:
        if job.kind == "batch":
            loaded = self._release(job.pointer)
            done = predict_batch(loaded, job, body, self._settings, self._spool, send)
            return msgspec.json.encode(done)
        if job.kind == "shadow":
            return msgspec.msgpack.encode(self._shadowed(job))
        explainable = self._explained(job.pointer)
        if job.kind == "map":
            return msgspec.json.encode(explainable.map())
        answers = msgspec.msgpack.decode(job.answers, type=explainable.loaded.answers)
        does = explainable.explain if job.kind == "explain" else explainable.neighbours
        return msgspec.json.encode(does(job.instances, answers))

    def _shadowed(self, job: Job) -> Shadows:
        try:
            loaded = self._release(job.pointer)
        except OSError as error:  # it may be there later
            return Shadows(away=str(error))
        except Exception as error:  # whatever a file that is no model makes of it
            return Shadows(unproven=f"{type(error).__name__}: {error}")
        return shadowed(loaded, job.bodies)

    def _explained(self, pointer: Pointer) -> Explainable:
        return _kept(
            self._explainable, pointer, lambda: Explainable(self._release(pointer), self._copies)
        )

    def _release(self, pointer: Pointer) -> Loaded:
        return _kept(self._loaded, pointer, lambda: load(pointer, self._copies))


def _kept(kept: dict[Pointer, Held], pointer: Pointer, make: Callable[[], Held]) -> Held:
    """What is kept for a release, or made now; of the others, those that were used last stay."""
    found = kept.pop(pointer) if pointer in kept else make()
    kept[pointer] = found
    while len(kept) > KEPT:
        kept.pop(next(iter(kept)))
    return found


def main(parent: int) -> None:
    """Does jobs until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the service, which ends us
    die_with_parent(parent)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    reading = sys.stdin.buffer
    with os.fdopen(os.dup(1), "wb") as writing:
        os.dup2(2, 1)

        def send(part: bytes) -> None:
            writing.write(framed(part, PART))

        desk, priority = Desk(get_settings()), NICE
        while (found := read_job(reading)) is not None:
            writing.write(done_frame(desk.done(*found, send)))
            writing.flush()
            # Not before: a first job loads libraries and a release within the time of a request.
            os.nice(priority)
            priority = 0


if __name__ == "__main__":
    main(int(sys.argv[1]))
