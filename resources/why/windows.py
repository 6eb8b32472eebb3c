"""What was recorded of a window of live traffic.

Belongs here: finding it, by its name or by the time of an answer. Does not belong here: the answers
in it (`resources.why.predictions`).
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from leeway.why.facts import Gone
from leeway.why.window import Looked, WindowStory
from resources.postgres import has_table
from resources.why.commits import current
from resources.why.later import incidents
from resources.why.reading import NotRecorded

if TYPE_CHECKING:
    import psycopg2.extensions

_LOOKS = ("traffic_drift", "traffic_performance")
_SHOWN = 8  # windows that a refusal names
_OLDER = "the ledger is of an older Leeway; `leeway status` brings it up to date"


def window_at(cursor: psycopg2.extensions.cursor, use_case: str, at: datetime) -> Looked | Gone:
    """The window that an answer of that time is in, with what readers see of it."""
    if not has_table(cursor, "leeway.windows"):
        return Gone(_OLDER)
    cursor.execute(
        "select batch from leeway.windows where use_case = %s and until > %s "
        "order by until limit 1",
        (use_case, at),
    )
    closed = cursor.fetchone()
    if closed is None:
        return Gone("its window is not closed yet: windows of live traffic last an hour or more")
    return _looked(cursor, use_case, closed[0])


def window_of(cursor: psycopg2.extensions.cursor, use_case: str, name: str) -> WindowStory:
    """The story of a window.

    Raises:
        NotRecorded: when there is none of that name, with the newest that there are.
    """
    if not has_table(cursor, "leeway.windows"):
        raise NotRecorded(_OLDER)
    cursor.execute(
        "select batch, since, until from leeway.windows where use_case = %s "
        "order by batch = %s desc, until desc limit %s",
        (use_case, name, _SHOWN),
    )
    found = cursor.fetchall()
    if not found or found[0][0] != name:
        newest = ", ".join(batch for batch, *_ in found) or "none"
        raise NotRecorded(
            f"{use_case} has no window {name!r}; the newest are {newest}. `leeway run {use_case}` "
            "closes those that have come to their end"
        )
    _, since, until = found[0]
    answers = current(cursor, use_case, "traffic", name)
    looked = _looked(cursor, use_case, name)
    return WindowStory(looked, since, until, answers, incidents(cursor, use_case, "batch", name))


def _looked(cursor: psycopg2.extensions.cursor, use_case: str, name: str) -> Looked:
    drift, performance = (current(cursor, use_case, node, name) for node in _LOOKS)
    return Looked(use_case, name, drift, performance)
