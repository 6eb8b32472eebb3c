"""Answers as rows of the inference log.

Belongs here: which columns a row has, and rows as PostgreSQL's COPY reads them. Does not belong
here: the table, or who writes it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
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
_encode = msgspec.json.Encoder().encode


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
    """A row for each instance, as CSV without a header, in the order of `COLUMNS`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for each in answered:
        answers, at = each.answers, datetime.fromtimestamp(each.at, UTC).isoformat()
        given: Sequence[Classified | Estimated] = answers.predictions
        keys = each.row_keys or [None] * len(given)
        for instance, answer, key in zip(each.instances, given, keys, strict=True):
            writer.writerow(
                (
                    answer.prediction_id,
                    answers.use_case,
                    answers.model_version,
                    answers.release,
                    at,
                    repr(each.latency_seconds),
                    key,
                    _encode(instance).decode(),
                    _encode(answer).decode(),
                )
            )
    return text.getvalue().encode()
