"""Which offsets of a topic are which batch: recorded once, before any of them is stored.

Belongs here: the table leeway.topic_ranges. Does not belong here: choosing the offsets
(`resources.sources.topic`). Ranges of a partition follow each other without a gap or an overlap, so
that each message is in one batch, whatever is killed and however often a batch is read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from resources.postgres import transaction
from resources.settings import Settings


@dataclass(frozen=True)
class Range:
    """Offsets of one partition, from `first` up to and without `after`."""

    partition: int
    first: int
    after: int


def batch_id(topic: str, ranges: Sequence[Range]) -> str:
    """The id that ranges of a topic have: how many offsets lie before them, and their digest."""
    listed = sorted((each.partition, each.first, each.after) for each in ranges)
    digest = hashlib.sha256(json.dumps([topic, listed]).encode()).hexdigest()
    return f"{sum(first for _, first, _ in listed):012d}-{digest[:12]}"


def recorded(group: str, topic: str, settings: Settings | None = None) -> dict[str, list[Range]]:
    """The ranges of each batch of a group, oldest batch first."""
    with transaction(settings) as cursor:
        cursor.execute(
            "select batch, partition, first_offset, after_offset from ("
            "select *, min(ordinal) over (partition by batch) as place from leeway.topic_ranges "
            "where reader = %s and topic = %s) found order by place, partition",
            (group, topic),
        )
        found: dict[str, list[Range]] = {}
        for batch, *range_ in cursor.fetchall():
            found.setdefault(batch, []).append(Range(*range_))
        return found


def record(
    group: str, topic: str, ranges: Sequence[Range], settings: Settings | None = None
) -> bool:
    """Makes ranges a batch; False when another process made one of the same offsets before."""
    from psycopg2 import errors

    batch = batch_id(topic, ranges)
    try:
        with transaction(settings) as cursor:
            for each in ranges:
                cursor.execute(
                    "insert into leeway.topic_ranges "
                    "(reader, topic, partition, first_offset, after_offset, batch) "
                    "values (%s, %s, %s, %s, %s, %s)",
                    (group, topic, each.partition, each.first, each.after, batch),
                )
    except errors.UniqueViolation:
        return False
    return True


def stored(group: str, topic: str, settings: Settings | None = None) -> dict[int, int]:
    """Of each partition, the offset up to which every message is stored in `raw`."""
    with transaction(settings) as cursor:
        cursor.execute(
            "select partition, coalesce(min(first_offset) filter (where not kept), "
            "max(after_offset)) from (select partition, first_offset, after_offset, "
            "exists (select 1 from leeway.current where node = 'raw' "
            "and current.batch = topic_ranges.batch) as kept "
            "from leeway.topic_ranges where reader = %s and topic = %s) found "
            "group by partition having bool_or(kept)",
            (group, topic),
        )
        return dict(cursor.fetchall())
