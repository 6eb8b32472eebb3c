"""Jobs: the parts of a use case's graph that run together.

Belongs here: selections of assets. Does not belong here: when they run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dagster as dg

from assets.stage import Stage

USE_CASE_TAG = "leeway/use_case"
RETRAINED = (
    "training_set",
    "model_selection",
    "tuned_model",
    "explainers",
    "reference_profile",
    "release",
    "drift",
    "predictions",
    "performance",
    "report",
)


def graph_job_name(use_case: str) -> str:
    """Name of the job that holds the whole graph."""
    return f"{use_case}_graph"


def retrain_job_name(use_case: str) -> str:
    """Name of the job that trains again and judges the result."""
    return f"{use_case}_retrain"


def jobs_of(stage: Stage) -> Sequence[Any]:
    """The jobs of one use case."""
    graph = dg.define_asset_job(
        graph_job_name(stage.name),
        selection=dg.AssetSelection.groups(stage.name),
        description="The whole graph, for some batches.",
        tags={USE_CASE_TAG: stage.name},
    )
    if stage.use_case.task == "experiment":
        return [graph]
    keys = [stage.key(node) for node in RETRAINED]
    retrain = dg.define_asset_job(
        retrain_job_name(stage.name),
        selection=dg.AssetSelection.assets(*keys),
        description="Trains on every clean batch, judges the result, and looks at a batch with it.",
        tags={USE_CASE_TAG: stage.name},
    )
    return [graph, retrain]
