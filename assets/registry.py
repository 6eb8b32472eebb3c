"""Which stages make up a use case's graph.

Belongs here: the list. Does not belong here: any stage.
"""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from assets import (
    cleaning,
    raw,
)
from assets.stage import Stage
from resources.dbt import manifest


def assets_of(stage: Stage) -> Sequence[dg.AssetsDefinition]:
    """Every asset of one use case."""
    data = [raw.build(stage), cleaning.build(stage, manifest())]
    if stage.use_case.task == "experiment":
        return data
    return data


def checks_of(stage: Stage) -> Sequence[dg.AssetChecksDefinition]:
    """Every asset check that Leeway adds to those of dbt."""
    return []
