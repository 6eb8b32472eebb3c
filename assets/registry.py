"""Which stages make up a use case's graph.

Belongs here: the list. Does not belong here: any stage.
"""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from assets import (
    checks,
    cleaning,
    damage,
    drift,
    effects,
    experiment,
    explainers,
    labels,
    performance,
    predictions,
    profile,
    raw,
    reference_profile,
    release,
    report,
    savings,
    traffic,
    traffic_drift,
    traffic_performance,
    training,
    training_set,
)
from assets.stage import Stage
from resources.dbt import manifest_of


def assets_of(stage: Stage) -> Sequence[dg.AssetsDefinition]:
    """Every asset of one use case."""
    data = [raw.build(stage), cleaning.build(stage, manifest_of(stage.name))]
    if stage.use_case.task == "experiment":
        made = [*data, experiment.build(stage), effects.build(stage)]
        block = stage.use_case.experiment
        return made if block is None or block.savings is None else [*made, savings.build(stage)]
    if stage.use_case.labels is not None:
        data.append(labels.build(stage, stage.use_case.labels))
    return [
        *data,
        profile.build(stage),
        training_set.build(stage),
        training.build_selection(stage),
        training.build_tuned(stage),
        explainers.build(stage),
        reference_profile.build(stage),
        release.build(stage),
        predictions.build(stage),
        performance.build(stage),
        drift.build(stage),
        damage.build(stage),
        report.build(stage),
        traffic.build(stage),
        traffic_drift.build(stage),
        traffic_performance.build(stage),
    ]


def checks_of(stage: Stage) -> Sequence[dg.AssetChecksDefinition]:
    """Every asset check that Leeway adds to those of dbt."""
    return checks.build(stage)
