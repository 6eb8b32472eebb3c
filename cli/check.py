"""`leeway check`: run the asset checks alone, for CI.

Belongs here: the run of checks and its exit code. Does not belong here: any check.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from typing import Any

import dagster as dg

from cli.checks import latest_checks
from cli.collector import collect_from_here
from cli.execution import carry_out, log_of
from cli.output import emit, say
from cli.quiet import output_to
from leeway.graph import graph_of
from leeway.spec import UseCase
from orchestration.build import cached_defs
from orchestration.jobs import CHECKS_TAG, graph_job_name, traffic_job_name
from orchestration.use_cases import find_use_case, load_use_cases
from resources.instance import open_instance
from resources.ledger import Ledger

TABLES = ("staged", "clean")  # dbt tests these where they are: in the warehouse


def check(name: str | None, as_json: bool) -> int:
    """Runs the checks of one use case or of all.

    Returns:
        1 if a check of severity ERROR fails, if a run of checks does, or if what was asked for was
        never materialized: of that, nothing is known. Of all, some may never have been.
    """
    chosen = {name: find_use_case(name)} if name else load_use_cases()
    collect_from_here()
    instance, ledger = open_instance(), Ledger()
    committed = {each: {node for node, _ in ledger.every_current(each)} for each in chosen}
    report = {
        each: _checked(each, use_case, instance, committed[each])
        for each, use_case in chosen.items()
    }
    if as_json:
        emit({"use_cases": report})
    known = [each for name, each in report.items() if committed[name]]
    severities = [found["severity"] for each in known for found in each["failed"]]
    passed = known and "ERROR" not in severities and not any(each["error"] for each in known)
    return 0 if passed else 1


def _checked(
    name: str, use_case: UseCase, instance: dg.DagsterInstance, committed: Collection[str]
) -> dict[str, Any]:
    """Runs the checks of one use case and says what they found; also returns it, for JSON."""
    if not committed:
        nothing = f"never materialized; run `leeway run {name}`"
        say(f"{name}: {nothing}")
        return {"passed": 0, "failed": [], "error": nothing}
    missing = [node for node in TABLES if node not in committed]
    live = {node.name for node in graph_of(use_case) if node.live}
    error = _execute(graph_job_name(name), name, instance, without={*missing, *live})
    if error is None and live & set(committed):  # where a service has answered
        others = {node.name for node in graph_of(use_case)} - live
        error = _execute(traffic_job_name(name), name, instance, without=others)
    if error is None and missing:
        error = f"{' and '.join(missing)} never materialized; run `leeway run {name}`"
    results = latest_checks(name, use_case, instance)
    failed = [
        {
            "node": key.asset_key.path[-1],
            "check": key.name,
            "severity": found.severity,
            "description": found.description,
        }
        for key, found in results.items()
        if not found.passed
    ]
    passed = len(results) - len(failed)
    say(f"{name}: {passed} checks passed, {len(failed)} failed")
    for each in failed:
        say(f"  {each['severity']} {each['node']}.{each['check']}: {each['description']}")
    if error:
        say(f"  {error}")
    return {"passed": passed, "failed": failed, "error": error}


def _execute(
    job_name: str, name: str, instance: dg.DagsterInstance, without: Collection[str]
) -> str | None:
    """Runs the checks of all nodes but some; says why the run itself failed, if it did."""
    keys = [
        key
        for key in cached_defs().resolve_asset_graph().asset_check_keys
        if key.asset_key.path[0] == name and key.asset_key.path[-1] not in without
    ]
    job = cached_defs().resolve_job_def(job_name)
    run_id = str(uuid.uuid4())
    with output_to(log_of(run_id)):
        subset = job.get_subset(asset_selection=set(), asset_check_selection=set(keys))
        return carry_out(subset, instance, run_id, {CHECKS_TAG: "alone"})
