"""The latest result of each asset check, as Dagster recorded it.

Belongs here: reading check executions. Does not belong here: running them (`cli.check`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestration.build import cached_defs

if TYPE_CHECKING:
    import dagster as dg


@dataclass(frozen=True)
class CheckResult:
    """What a check said when it last ran."""

    passed: bool
    severity: str
    description: str


def latest_checks(name: str, instance: dg.DagsterInstance) -> dict[dg.AssetCheckKey, CheckResult]:
    """Results of the checks of a use case that have run, by key."""
    keys = [
        key
        for key in cached_defs().resolve_asset_graph().asset_check_keys
        if key.asset_key.path[0] == name
    ]
    found = instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    results = {}
    for key, record in found.items():
        event = record.event.dagster_event if record.event else None
        if event is None or event.event_type_value != "ASSET_CHECK_EVALUATION":
            continue
        evaluation = event.asset_check_evaluation_data
        results[key] = CheckResult(
            evaluation.passed, evaluation.severity.value, evaluation.description or ""
        )
    return results
