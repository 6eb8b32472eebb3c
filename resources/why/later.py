"""What happened under a version, or to a batch: looks, metrics, predictions and incidents.

Belongs here: rows that name a version or a batch. Does not belong here: what made a version
(`resources.why.stories`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from leeway.why.facts import ALL_ROWS, Commit, Incident, Metric, Scored
from resources.why.commits import COMMIT

if TYPE_CHECKING:
    import psycopg2.extensions

LOOKS = ["drift", "damage", "performance"]
# Of each batch the newest under a version, in the order in which the batches were found.
_LOOKS = f"""
    select {COMMIT} from (
        select distinct on (node, batch, facts ->> 'version') * from leeway.commits
        where use_case = %s and node = any(%s) and {{column}} = %s
        order by node, batch, facts ->> 'version', committed_at desc) as looks
    join leeway.batches using (use_case, batch)
    order by ordinal, committed_at
"""  # noqa: S608
_INCIDENTS = (
    "select i.digest, i.batch, i.columns, i.release_digest, i.run_id, found_at, cause, origin, "
    "r.version from leeway.incidents as i left join leeway.releases as r "
    "on (r.use_case, r.digest) = (i.use_case, i.release_digest) "
    "where i.use_case = %s and i.{column} = %s order by i.seq"
)
_SCORED = (
    "select batch, run_id, version, release_digest, rows, scored_at from monitoring.scoring_runs "
    "where use_case = %s and {column} = %s order by scored_at"
)
_METRICS = (
    "select batch, version, segment, metric, value, low, high, unit, rows "
    "from monitoring.segment_metrics where use_case = %s and version = %s and batch = %s "
    "and segment = %s order by metric"
)


def looks_at(cursor: psycopg2.extensions.cursor, use_case: str, version: int) -> list[Commit]:
    """Drift, damage and performance of batches under a version."""
    cursor.execute(_LOOKS.format(column="facts ->> 'version'"), (use_case, LOOKS, str(version)))
    return [Commit(*row) for row in cursor.fetchall()]


def looks_of_batch(cursor: psycopg2.extensions.cursor, use_case: str, batch: str) -> list[Commit]:
    """Drift, damage and performance of one batch, under each version."""
    cursor.execute(_LOOKS.format(column="batch"), (use_case, LOOKS, batch))
    return [Commit(*row) for row in cursor.fetchall()]


def incidents(
    cursor: psycopg2.extensions.cursor,
    use_case: str,
    column: Literal["digest", "batch", "release_digest"],
    value: str,
) -> list[Incident]:
    """The incidents of which a column has a value, in the order in which they were recorded."""
    cursor.execute(_INCIDENTS.format(column=column), (use_case, value))
    return [Incident(*row) for row in cursor.fetchall()]


def scored(
    cursor: psycopg2.extensions.cursor,
    use_case: str,
    column: Literal["version", "batch"],
    value: int | str,
) -> list[Scored]:
    """The scoring runs of which a column has a value, oldest first."""
    cursor.execute(_SCORED.format(column=column), (use_case, value))
    return [Scored(*row) for row in cursor.fetchall()]


def metrics_of(
    cursor: psycopg2.extensions.cursor, use_case: str, version: int, looks: Sequence[Commit]
) -> list[Metric]:
    """The metrics of the newest batch that was measured under a version."""
    measured = [each.batch for each in looks if each.node == "performance"]
    if not measured:
        return []
    cursor.execute(_METRICS, (use_case, version, measured[-1], ALL_ROWS))
    return [Metric(*row) for row in cursor.fetchall()]
