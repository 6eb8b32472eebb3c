"""What the service and a worker say to each other over a pipe.

Belongs here: the messages and their frames. Does not belong here: processes (`serving.pool`), or
what a worker does (`serving.worker`).

The service sends a job and the bytes of its body; the worker sends parts of an answer, if it has
any, and one end. Nothing of it is a pickle: what comes from a worker is data.
"""

from __future__ import annotations

import struct
from typing import Any, BinaryIO, Literal

import msgspec
from msgspec import Struct

from leeway.served.contract import Problem
from serving.loading import Pointer

PART, END = b"P", b"E"
HEADER = struct.Struct(">cI")  # which of both, and the bytes that follow
Kind = Literal["explain", "neighbours", "map", "batch", "shadow"]


class Job(Struct, frozen=True):
    """One thing to do with one release.

    `answers` are those of the instances, as MessagePack. Of a batch, `given` and `wanted` are the
    formats of the body, which has `size` bytes, and of the answer. Of shadows, `bodies` are those
    of the requests.
    """

    kind: Kind
    pointer: Pointer
    instances: list[dict[str, Any]] = []
    answers: bytes = b""
    given: str = ""
    wanted: str = ""
    size: int = 0
    bodies: list[bytes] = []


class Refused(Struct, frozen=True):
    """The job cannot be done, by no fault of the worker."""

    status: int
    why: str | Problem


class Done(Struct, frozen=True):
    """The end of a job; `refused` says why there is no content, `failed` that nobody knows why.

    `used_bytes` is the memory that the worker has.
    """

    content: bytes = b""
    refused: Refused | None = None
    failed: bool = False
    used_bytes: int = 0


_encode = msgspec.msgpack.Encoder().encode
_decode_job = msgspec.msgpack.Decoder(Job).decode
_decode_done = msgspec.msgpack.Decoder(Done).decode


def framed(content: bytes, kind: bytes = END) -> bytes:
    """The content, and before it what it is and how long."""
    return HEADER.pack(kind, len(content)) + content


def job_frame(job: Job) -> bytes:
    """The job, to be sent to a worker."""
    return framed(_encode(job))


def done_frame(done: Done) -> bytes:
    """The end of a job, to be sent to the service."""
    return framed(_encode(done))


def done_of(content: bytes) -> Done:
    """The end of a job, from its frame."""
    return _decode_done(content)


def read_job(file: BinaryIO) -> tuple[Job, bytes] | None:
    """The next job and its body; None when the service has ended."""
    header = file.read(HEADER.size)
    if len(header) < HEADER.size:
        return None
    job = _decode_job(file.read(HEADER.unpack(header)[1]))
    body = file.read(job.size)
    return (job, body) if len(body) == job.size else None
