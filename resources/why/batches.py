"""What was recorded of one batch, and of what rests on it.

Belongs here: the rows of a batch. Does not belong here: one prediction of it
(`resources.why.predictions`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from leeway.why.batch import BatchStory
from leeway.why.facts import History, Lineage
from resources.settings import Settings
from resources.why.commits import current, raw_of
from resources.why.later import incidents, looks_of_batch, scored
from resources.why.reading import NotRecorded
from resources.why.runs import runs_of

if TYPE_CHECKING:
    import psycopg2.extensions

SHOWN = 8  # batches that a refusal names


def batch_of(
    cursor: psycopg2.extensions.cursor, settings: Settings, history: History, batch: str
) -> BatchStory:
    """The story of a batch.

    Raises:
        NotRecorded: when it was never found, with the newest that were.
    """
    name = history.use_case
    cursor.execute(
        "select batch from leeway.batches where use_case = %s order by ordinal desc", (name,)
    )
    known = [found for (found,) in cursor.fetchall()]
    if batch not in known:
        newest = ", ".join(known[:SHOWN]) or "none"
        more = f", and {len(known) - SHOWN} older ones" if len(known) > SHOWN else ""
        raise NotRecorded(
            f"{name} has no batch {batch!r}; the newest are {newest}{more}. `leeway run {name}` "
            "looks for new ones"
        )
    clean = current(cursor, name, "clean", batch)
    lineage = raw_of(cursor, name, {batch: clean} if clean else {})
    cursor.execute(
        "select version from leeway.releases where use_case = %s and facts -> 'batches' ? %s "
        "order by version",
        (name, batch),
    )
    trained = [version for (version,) in cursor.fetchall()]
    return BatchStory(
        history,
        batch,
        lineage if clean else Lineage(),
        trained,
        looks_of_batch(cursor, name, batch),
        incidents(cursor, name, "batch", batch),
        scored(cursor, name, "batch", batch),
        runs_of(settings, [clean.run_id] if clean else []),
    )
