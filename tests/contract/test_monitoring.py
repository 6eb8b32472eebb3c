"""What was scored, and how good it was, is in tables that may be made and written repeatedly."""

from __future__ import annotations

from typing import Any

import pytest

from leeway.metrics.evaluation import Metric
from resources.ledger import Ledger, StaleAttempt
from resources.monitoring import record_scoring_run, replace_segment_metrics
from resources.postgres import transaction
from resources.settings import Settings

DEFINED = Metric(0.5, 0.4, 0.6, "fraction", 20)
UNDEFINED = Metric(None, None, None, "score", 3, "there is only one class")


def rows_of(settings: Settings, columns: str, table: str) -> list[tuple[Any, ...]]:
    with transaction(settings) as cursor:
        # Both are literals of this module.
        cursor.execute(f"select {columns} from monitoring.{table} order by {columns}")  # noqa: S608
        return cursor.fetchall()


def scored(cursor: Any, run_id: str, version: int, rows: int) -> None:
    record_scoring_run(
        cursor, use_case="u", batch="1", run_id=run_id, version=version,
        release_digest="sha256:0", rows=rows,
    )  # fmt: skip


def test_the_tables_are_made_again_without_losing_a_row(settings: Settings) -> None:
    with transaction(settings) as cursor:
        scored(cursor, "r1", 1, 10)
    Ledger(settings).prepare()
    assert rows_of(settings, "run_id, version, rows", "scoring_runs") == [("r1", 1, 10)]


def test_a_run_that_scores_a_batch_again_replaces_its_row_and_no_other(settings: Settings) -> None:
    with transaction(settings) as cursor:
        scored(cursor, "r1", 1, 10)
        scored(cursor, "r2", 1, 10)
        scored(cursor, "r2", 2, 11)
    found = rows_of(settings, "run_id, version, rows", "scoring_runs")
    assert found == [("r1", 1, 10), ("r2", 2, 11)]


def test_metrics_of_a_batch_are_replaced_with_those_of_segments_that_are_gone(
    settings: Settings,
) -> None:
    def written(version: int, segments: dict[str, dict[str, Metric]]) -> None:
        with transaction(settings) as cursor:
            replace_segment_metrics(
                cursor, use_case="u", batch="1", version=version, run_id="r", segments=segments
            )

    written(1, {"all rows": {"accuracy": DEFINED}})
    written(2, {"all rows": {"accuracy": DEFINED}, "site=x": {"accuracy": DEFINED}})
    written(2, {"all rows": {"accuracy": DEFINED, "roc_auc": UNDEFINED}})
    columns = "version, segment, metric, value, reason"
    assert rows_of(settings, columns, "segment_metrics") == [
        (1, "all rows", "accuracy", 0.5, None),
        (2, "all rows", "accuracy", 0.5, None),
        (2, "all rows", "roc_auc", None, "there is only one class"),
    ]


def test_what_may_not_be_committed_is_not_in_the_tables_either(settings: Settings) -> None:
    ledger = Ledger(settings)
    old = ledger.begin("u", "predictions", "1", "r1")
    ledger.begin("u", "predictions", "1", "r2")
    with pytest.raises(StaleAttempt):
        ledger.commit(
            old, input_digest="i", digest="sha256:0", uri="u", rows=1, facts={},
            also=lambda cursor: scored(cursor, "r1", 1, 10),
        )  # fmt: skip
    assert rows_of(settings, "run_id", "scoring_runs") == []
