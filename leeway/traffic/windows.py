"""Windows of live traffic: which answers of a service are looked at together.

Belongs here: when a window is closed, its name, and for how long it is kept up to date. Does not
belong here: recording windows (`resources.traffic`), or reading what is in one.

Windows follow each other without a gap: one begins where the one before it ended, so that an answer
that is logged late belongs to exactly one of them, and the bounds of a closed one never change.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

Span = Literal["hour", "day"]

# Of fewer, a change of half a standard deviation is seldom proven (docs/drift.md): the window goes
# on, but not for ever.
ENOUGH_ROWS = 500
_LENGTH = {"hour": timedelta(hours=1), "day": timedelta(days=1)}
_LONGEST = {"hour": timedelta(days=1), "day": timedelta(days=7)}
GRACE = timedelta(minutes=1)  # a service writes its log ten times a second
# Later a window is looked at again for labels alone, whatever else comes late.
KEPT_UP = timedelta(days=30)
_NAME = re.compile(r"traffic-\d{4}-\d\d-\d\dT\d\d")


@dataclass(frozen=True)
class Window:
    """Answers from `since` on and before `until`; None: from the first one on."""

    since: datetime | None
    until: datetime

    @property
    def name(self) -> str:
        """That of its last hour: `traffic-2026-11-23T09` ended at ten o'clock UTC."""
        last = self.until.astimezone(UTC) - _LENGTH["hour"]
        return f"traffic-{last:%Y-%m-%dT%H}"


def is_window(batch: str) -> bool:
    """Whether it is the name of a window, which no batch of a source may have."""
    return _NAME.fullmatch(batch) is not None


def closed_windows(
    answers: Mapping[datetime, int], after: datetime | None, now: datetime, span: Span
) -> list[Window]:
    """The windows that have come to their end, oldest first.

    A window ends with the first hour (or day, UTC) after which it has enough answers, at the latest
    a day (or a week) after its first one. Where there is no answer there is no window.

    Args:
        answers: how many there are, by the hour in which they were given, none before `after`.
        after: the end of the last window; None where there is none.
        now: what still goes on then is not closed.
        span: what windows are made of.
    """
    counts: Counter[datetime] = Counter()
    for hour, count in answers.items():
        moment = hour.astimezone(UTC)
        counts[moment if span == "hour" else moment.replace(hour=0)] += count
    ends: list[datetime] = []
    first: datetime | None = None
    rows = 0
    for start in sorted(counts):
        if first is not None and start >= first + _LONGEST[span]:
            ends.append(first + _LONGEST[span])
            first, rows = None, 0
        first, rows = first or start, rows + counts[start]
        if rows >= ENOUGH_ROWS:
            ends.append(start + _LENGTH[span])
            first, rows = None, 0
    if first is not None:
        ends.append(first + _LONGEST[span])
    past = [end for end in ends if end + GRACE <= now]
    return [Window(*each) for each in zip([after, *past], past, strict=False)]
