"""The tables of the schema `monitoring`: scoring runs and metrics by segment.

Belongs here: writing their rows inside the transaction that commits a node. Does not belong here:
making the tables (`monitoring.sql`, with those of the ledger), or computing anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psycopg2.extensions

    from leeway.metrics.evaluation import Metric


def record_scoring_run(
    cursor: psycopg2.extensions.cursor,
    *,
    use_case: str,
    batch: str,
    run_id: str,
    version: int,
    release_digest: str,
    rows: int,
) -> None:
    """Records that a run scored a batch; the same run again replaces its row."""
    cursor.execute(
        """
        insert into monitoring.scoring_runs
            (use_case, batch, run_id, version, release_digest, rows)
        values (%s, %s, %s, %s, %s, %s)
        on conflict (use_case, batch, run_id) do update
        set version = excluded.version, release_digest = excluded.release_digest,
            rows = excluded.rows, scored_at = now()
        """,
        (use_case, batch, run_id, version, release_digest, rows),
    )


def replace_segment_metrics(
    cursor: psycopg2.extensions.cursor,
    *,
    use_case: str,
    batch: str,
    version: int,
    run_id: str,
    segments: Mapping[str, Mapping[str, Metric]],
) -> None:
    """Replaces the metrics of a batch under a release, also those of segments that are gone."""
    cursor.execute(
        "delete from monitoring.segment_metrics "
        "where use_case = %s and batch = %s and version = %s",
        (use_case, batch, version),
    )
    cursor.executemany(
        """
        insert into monitoring.segment_metrics
            (use_case, batch, version, segment, metric, value, low, high, unit, rows, reason,
             run_id)
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        [
            (use_case, batch, version, segment, name, metric.value, metric.low, metric.high,
             metric.unit, metric.rows, metric.reason, run_id)
            for segment, metrics in segments.items()
            for name, metric in metrics.items()
        ],
    )  # fmt: skip
