"""The one function that builds all definitions, for the code location, the CLI and the tests.

Belongs here: loading the defs folder and adding resources. Does not belong here: a use case.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import dagster as dg

from orchestration.sensors import reaper_sensor
from orchestration.use_cases import load_use_cases


def default_resources() -> dict[str, Any]:
    """The resources of an installation."""
    from resources.dbt_cli import dbt_cli
    from resources.platform import Platform

    return {"platform": Platform(), "dbt": dbt_cli()}


def build_defs(*, resources: Mapping[str, Any] | None = None) -> dg.Definitions:
    """Definitions of every use case under orchestration/defs.

    Args:
        resources: replaces resources of `default_resources` by name.
    """
    # Not `load_from_defs_folder`: it also describes every component of every installed library for
    # Dagster's own documentation, which imports them all and doubles the time.
    tree = dg.ComponentTree.for_project(Path(__file__))
    folder = tree.build_defs_at_path(tree.defs_module_path)
    chosen = default_resources() | dict(resources or {})
    automation = dg.AutomationConditionSensorDefinition(
        name="automation",
        target=dg.AssetSelection.all(),
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=30,
    )
    # One process per run: a process per step would spend seconds on imports (docs/adr/0005).
    whole = dg.Definitions(
        resources=chosen, sensors=[automation, reaper_sensor()], executor=dg.in_process_executor
    )
    return dg.Definitions.merge(folder, whole)


@lru_cache(maxsize=1)
def cached_defs() -> dg.Definitions:
    """`build_defs` of this process, built once.

    Raises:
        InvalidUseCase: at a file that is none, in one line; Dagster has a page for it.
    """
    load_use_cases()
    return build_defs()
