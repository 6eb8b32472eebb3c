"""`leeway check`: run the asset checks alone, for CI.

Belongs here: the run of checks and its exit code. Does not belong here: any check.
"""

from __future__ import annotations

import uuid

import dagster as dg

from cli.checks import latest_checks
from cli.collector import collect_from_here
from cli.execution import QUIET, failure_of
from cli.output import emit, say
from cli.quiet import output_to
from cli.run import find
from orchestration.build import cached_defs
from orchestration.jobs import graph_job_name
from orchestration.use_cases import load_use_cases
from resources.instance import open_instance
from resources.reaper import worker_tags
from resources.settings import get_settings


def check(name: str | None, as_json: bool) -> int:
    """Runs the checks of one use case or of all; 1 if a check of severity ERROR fails."""
    collect_from_here()
    names = [name] if name else list(load_use_cases())
    instance = open_instance()
    report = {}
    bad = False
    for each in names:
        use_case = find(each)
        error = _execute(each, instance)
        results = latest_checks(each, use_case, instance)
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
        bad = bad or error is not None or any(f["severity"] == "ERROR" for f in failed)
        passed = len(results) - len(failed)
        report[each] = {"passed": passed, "failed": failed, "error": error}
        say(f"{each}: {passed} checks passed, {len(failed)} failed")
        for found in failed:
            say(f"  {found['severity']} {found['node']}.{found['check']}: {found['description']}")
        if error:
            say(f"  {error}")
    if as_json:
        emit({"use_cases": report})
    return 1 if bad else 0


def _execute(name: str, instance: dg.DagsterInstance) -> str | None:
    """Runs every check of a use case; says why the run itself failed, if it did."""
    keys = [
        key
        for key in cached_defs().resolve_asset_graph().asset_check_keys
        if key.asset_key.path[0] == name
    ]
    job = cached_defs().resolve_job_def(graph_job_name(name))
    run_id = str(uuid.uuid4())
    with output_to(get_settings().home / "logs" / f"{run_id}.log"):
        subset = job.get_subset(asset_selection=set(), asset_check_selection=set(keys))
        result = subset.execute_in_process(
            instance=instance,
            run_id=run_id,
            run_config=QUIET,
            tags=dict(worker_tags()),
            raise_on_error=False,
        )
    return None if result.success else failure_of(result.all_events)
