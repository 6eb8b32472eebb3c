"""Which batches are of one season.

Belongs here: the calendar month of a batch. Does not belong here: reading batches
(`assets.reference`), or comparing them (`leeway.drift.verdict`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

Span = Mapping[str, float | None]  # `since` and `until`, in seconds since 1970


def month_of(span: Span) -> tuple[int, int] | None:
    """Year and month of the middle of a batch, in UTC; None where no time column tells."""
    since, until = span["since"], span["until"]
    if since is None or until is None:
        return None
    middle = datetime.fromtimestamp((since + until) / 2, UTC)
    return middle.year, middle.month


def is_earlier_season(span: Span, other: Span) -> bool:
    """Whether `other` is of the same month of an earlier year."""
    mine, theirs = month_of(span), month_of(other)
    return mine is not None and theirs is not None and mine[1] == theirs[1] and theirs[0] < mine[0]
