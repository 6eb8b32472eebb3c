"""The latest result of each asset check, as Dagster recorded it.

Belongs here: reading check executions. Does not belong here: running them (`cli.check`).

Which checks there are is read from the graph and from dbt's manifest, because building Dagster's
definitions would take longer than all the rest of `leeway status`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from leeway.graph import graph_of
from leeway.spec import UseCase
from resources.dbt import manifest

if TYPE_CHECKING:
    import dagster as dg


@dataclass(frozen=True)
class CheckResult:
    """What a check said when it last ran."""

    passed: bool
    severity: str
    description: str


def checks_of(name: str, use_case: UseCase) -> list[tuple[str, str]]:
    """Node and name of each check of a use case: Leeway's own, and dbt's tests of its models."""
    own = [(node.name, check) for node in graph_of(use_case) for check in node.checks]
    models = {f"model.leeway.{name}_{node}": node for node in ("staged", "clean")}
    tests = [
        (models[each["attached_node"]], each["name"])
        for each in manifest()["nodes"].values()
        if each["resource_type"] == "test" and each.get("attached_node") in models
    ]
    return own + tests


def latest_checks(
    name: str, use_case: UseCase, instance: dg.DagsterInstance
) -> dict[dg.AssetCheckKey, CheckResult]:
    """Results of the checks of a use case that have run, by key."""
    import dagster as dg

    keys = [
        dg.AssetCheckKey(dg.AssetKey([name, node]), check)
        for node, check in checks_of(name, use_case)
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
