"""Answers as rows of the inference log.

Belongs here: which columns a row has, and rows as PostgreSQL's COPY reads them. Does not belong
here: the table, or who writes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

if TYPE_CHECKING:  # they read NumPy and Arrow, for which who needs the columns alone has no use
    from leeway.served.contract import Classes, Classified, Estimated, Estimates

COLUMNS = (
    "prediction_id",
    "use_case",
    "version",
    "release_digest",
    "at",
    "latency_seconds",
    "row_key",
    "inputs",
    "answer",
)
_ESCAPES = (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r"))  # backslashes first
_lines = msgspec.json.Encoder().encode_lines


class Answered(NamedTuple):
    """One request that was answered; `at` in seconds since 1970, UTC.

    An instance is whatever JSON makes an object of, by the names of the inputs. `row_keys` are what
    the client calls the rows; None where it calls none of them anything.
    """

    at: float
    latency_seconds: float
    instances: Sequence[Any]
    answers: Classes | Estimates
    row_keys: Sequence[str | None] | None = None

    @property
    def rows(self) -> int:
        """Of the log."""
        return len(self.instances)


def as_copied(answered: Iterable[Answered]) -> bytes:
    """A row for each instance in COPY's text format, in the order of `COLUMNS`.

    This runs beside the requests, and so is not written a value at a time.
    """
    return b"".join(row for each in answered for row in _rows(each))


def _rows(each: Answered) -> Iterator[bytes]:
    answers, at = each.answers, datetime.fromtimestamp(each.at, UTC).isoformat()
    given: Sequence[Classified | Estimated] = answers.predictions
    keys = each.row_keys or [None] * len(given)
    names = (answers.use_case, str(answers.model_version), answers.release)
    same = "\t".join([*map(_escaped, names), at, repr(each.latency_seconds)]).encode()
    parts = zip(given, keys, _objects(each.instances), _objects(given), strict=True)
    for answer, key, asked, said in parts:
        named = b"\\N" if key is None else _escaped(key).encode()
        who = answer.prediction_id.encode()
        yield b"%b\t%b\t%b\t%b\t%b\n" % (who, same, named, asked, said)


def _objects(values: Sequence[Any]) -> list[bytes]:
    """Each as JSON, which has no tabs and line breaks, and backslashes as COPY doubles them."""
    return _lines(values).replace(b"\\", b"\\\\").splitlines()


def _escaped(text: str) -> str:
    for character, written in _ESCAPES:
        text = text.replace(character, written)
    return text
