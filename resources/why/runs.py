"""What Dagster recorded of runs, read from its own tables: their jobs, tags and checks.

Belongs here: these tables, whose columns are of the pinned version of Dagster. Does not belong
here: anything that needs Dagster to be imported, which takes seconds.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from leeway.why.facts import Check, Run, Runs
from resources.postgres import PostgresUnavailable
from resources.settings import Settings
from resources.why.reading import NotRecorded, looking

_RUNS = """
    select run_id, pipeline_name, status,
        coalesce((select jsonb_object_agg(key, value) from run_tags
                  where run_tags.run_id = runs.run_id), '{}')
    from runs where run_id = any(%s)
"""
_CHECKS = """
    select asset_key, check_name, run_id, execution_status from asset_check_executions
    where run_id = any(%s) and execution_status in ('SUCCEEDED', 'FAILED')
    order by asset_key, check_name, id
"""


def runs_of(settings: Settings, run_ids: Iterable[str]) -> Runs:
    """What is recorded of runs; where Dagster's database cannot be read, that is said."""
    ids = sorted({each for each in run_ids if each})
    try:
        with looking(settings, "dagster") as cursor:
            cursor.execute(_RUNS, (ids,))
            runs = [Run(*row) for row in cursor.fetchall()]
            cursor.execute(_CHECKS, (ids,))
            checks = [Check("/".join(json.loads(key)), *rest) for key, *rest in cursor.fetchall()]
    except NotRecorded:
        return Runs(problem="Dagster has no record of any run")
    except PostgresUnavailable as error:
        return Runs(problem=f"Dagster's database cannot be read: {str(error).strip()}")
    return Runs({each.id: each for each in runs}, checks)
