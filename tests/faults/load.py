"""A constant load on a service from another process, and what came back.

Belongs here: starting and ending it, and the numbers of its answers. Does not belong here: the load
itself (`programs/constant_load.py`), or what should hold of it.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.faults.harness import finish, hear, start
from tests.service.service import PREDICT


class Asked(NamedTuple):
    """A request: due at (seconds since 1970), sent and answered so many seconds after that.

    `status` is -1 where no connection was to be had, -2 where it ended without an answer, -3 where
    none came within 10 s.
    """

    due: float
    sent: float
    seconds: float
    status: int
    row: int
    text: str

    @property
    def answered(self) -> float:
        """When it was answered, seconds since 1970."""
        return self.due + self.seconds


class Load:
    """All that was asked; complete once its block has ended."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []

    def failed(self) -> list[Asked]:
        return [each for each in self.asked if each.status != 200]

    def between(self, begin: float, end: float) -> list[Asked]:
        """What was due then, in seconds since 1970."""
        return [each for each in self.asked if begin <= each.due < end]


def quantile(asked: Sequence[Asked], share: float) -> float:
    """Of the seconds to an answer."""
    seconds = sorted(each.seconds for each in asked)
    return seconds[min(len(seconds) - 1, int(share * len(seconds)))]


@contextmanager
def load(
    port: int, bodies: Sequence[bytes], per_second: int, folder: Path, connections: int = 8
) -> Iterator[Load]:
    """Predictions are asked for while the block runs."""
    given, out = folder / "bodies.jsonl", folder / "asked.jsonl"
    given.write_bytes(b"\n".join(bodies))
    arguments = (str(port), PREDICT, str(given), str(per_second), str(out), str(connections))
    process: subprocess.Popen[str] = start("constant_load", *arguments)
    found = Load()
    try:
        hear(process, "started")
        yield found
    finally:
        code, _, said = finish(process)
    assert code == 0, said
    found.asked = [Asked(*json.loads(line)) for line in out.read_text().splitlines()]
