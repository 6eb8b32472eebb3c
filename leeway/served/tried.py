"""What a challenger did with a request, as rows of the log of trials.

Belongs here: which columns a row has, and rows as PostgreSQL's COPY reads them. Does not belong
here: the table (`resources.tried`), or who writes it (`serving.trials`).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Literal, NamedTuple

COLUMNS = (
    "request_id",
    "trial",
    "at",
    "role",
    "latency_seconds",
    "prediction_ids",
    "key_at",
    "answers",
    "error",
)
Role = Literal["shadow", "challenger", "champion"]
LONGEST_ERROR = 500


class Request(NamedTuple):
    """One request of a trial; `at` in seconds since 1970, UTC.

    `role` is shadow, or who was to answer; `prediction_ids` are of the answer that went out.
    `key_at` is the number of the instance, from 1, whose key decided; None: no instance had one.
    `answers` are those of a shadow, a JSON list. `error` says why the challenger has none.
    """

    trial: int
    at: float
    role: Role
    latency_seconds: float | None
    prediction_ids: Sequence[str]
    key_at: int | None
    answers: bytes | None = None
    error: str | None = None

    @property
    def rows(self) -> int:
        """Of the log."""
        return 1


def as_copied(requests: Iterable[Request]) -> bytes:
    """A row for each, as CSV without a header, in the order of `COLUMNS`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for each in requests:
        writer.writerow(
            (
                each.prediction_ids[0],
                each.trial,
                datetime.fromtimestamp(each.at, UTC).isoformat(),
                each.role,
                None if each.latency_seconds is None else repr(each.latency_seconds),
                f"{{{','.join(each.prediction_ids)}}}",
                each.key_at,
                None if each.answers is None else each.answers.decode(),
                None if each.error is None else _plain(each.error),
            )
        )
    return text.getvalue().encode()


def _plain(error: str) -> str:
    """As PostgreSQL takes it: no NUL, no half of a character, and not without end."""
    text = error.replace("\0", "").encode(errors="replace").decode()
    return text[:LONGEST_ERROR] or "unknown"
