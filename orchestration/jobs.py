"""Jobs: the parts of a use case's graph that run together.

Belongs here: selections of assets. Does not belong here: when they run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dagster as dg

from assets.stage import Stage
from leeway.graph import TRAFFIC_NODES

USE_CASE_TAG = "leeway/use_case"
COMMAND_TAG = "leeway/command"  # the same of all runs that one `leeway run` was cut into
CHECKS_TAG = "leeway/checks"  # of a run of `leeway check`, which materializes nothing
# What holds a batch against the champion.
LOOKED = ("drift", "damage", "predictions", "performance", "report")
# What rests on labels that came.
LABELLED = ("labels", "performance", "report")
# What windows of live traffic have, beside the batches of the source.
LIVE = tuple(node.name for node in TRAFFIC_NODES)
RETRAINED = (
    "training_set",
    "model_selection",
    "tuned_model",
    "explainers",
    "reference_profile",
    "release",
    *LOOKED,
)


# What runs by the clock beside training, which is the job above.
SCHEDULED_NODES = {
    "quality": ("raw", "staged", "clean", "profile", "drift"),
    "scoring": ("damage", "predictions", "performance", "report"),
    "monitoring": ("drift", "damage", "performance", "report"),
}


def graph_job_name(use_case: str) -> str:
    """Name of the job that holds the graph of the source and its batches."""
    return f"{use_case}_graph"


def traffic_job_name(use_case: str) -> str:
    """Name of the job that looks at windows of live traffic."""
    return f"{use_case}_traffic"


def retrain_job_name(use_case: str) -> str:
    """Name of the job that trains again and judges the result."""
    return f"{use_case}_retrain"


def schedule_job_name(use_case: str, part: str) -> str:
    """Name of the job that a schedule runs."""
    return retrain_job_name(use_case) if part == "training" else f"{use_case}_{part}"


def jobs_of(stage: Stage) -> Sequence[Any]:
    """The jobs of one use case."""
    live = dg.AssetSelection.assets(*(stage.key(node) for node in LIVE))
    whole = dg.AssetSelection.groups(stage.name)
    of_a_model = stage.use_case.task != "experiment"
    graph = dg.define_asset_job(
        graph_job_name(stage.name),
        selection=whole - live if of_a_model else whole,
        description="The whole graph, for some batches.",
        tags={USE_CASE_TAG: stage.name},
    )
    if not of_a_model:
        return [graph]
    traffic = dg.define_asset_job(
        traffic_job_name(stage.name),
        selection=live,
        description="What the service answered in a window: drift, and performance by labels.",
        tags={USE_CASE_TAG: stage.name},
    )
    keys = [stage.key(node) for node in RETRAINED]
    retrain = dg.define_asset_job(
        retrain_job_name(stage.name),
        selection=dg.AssetSelection.assets(*keys),
        description="Trains on every clean batch, judges the result, and looks at a batch with it.",
        tags={USE_CASE_TAG: stage.name},
    )
    scheduled = [
        dg.define_asset_job(
            schedule_job_name(stage.name, part),
            selection=dg.AssetSelection.assets(*(stage.key(node) for node in nodes)),
            description=f"{part.capitalize()}: {', '.join(nodes)} of a batch.",
            tags={USE_CASE_TAG: stage.name},
        )
        for part, nodes in SCHEDULED_NODES.items()
        if getattr(stage.use_case.schedules, part) is not None
    ]
    return [graph, retrain, traffic, *scheduled]
