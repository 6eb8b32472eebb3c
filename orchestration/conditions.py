"""When an asset should be up to date, as named conditions.

Belongs here: automation conditions. Does not belong here: the decision to retrain, which is a
sensor's (docs/adr/0006).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg

from leeway.graph import graph_of
from leeway.spec import UseCase


def new_batch() -> dg.AutomationCondition[Any]:
    """Materialize a batch once, when it appears and what it is made from is there.

    `on_missing` is an edge: it asks once for a batch that has become missing, and not again while
    that one fails. A batch that was there when the daemon first looked is not asked for; that is
    what `leeway run` is for.
    """
    return dg.AutomationCondition.on_missing().with_label("new_batch")


def new_runs() -> dg.AutomationCondition[Any]:
    """Analyse again once what is read was made anew and none of it is missing.

    Whole nodes of an experiment have it: to analyse fits nothing that is served. `newly_updated` is
    an edge, so that an analysis that fails is not asked for until something that it reads changes.
    """
    condition = dg.AutomationCondition
    changed = condition.any_deps_match(condition.newly_updated()).since_last_handled()
    missing = condition.any_deps_match(condition.missing())
    busy = condition.any_deps_in_progress() | condition.in_progress()
    return (changed & ~missing & ~busy).with_label("new_runs")


def conditions_of(use_case: UseCase) -> Mapping[str, dg.AutomationCondition[Any]]:
    """Conditions by node: what is materialized batch by batch follows its batches.

    Of a model, nothing else follows by itself: to train is decided by the retraining policy.
    """
    found = {node.name: new_batch() for node in graph_of(use_case) if node.per_batch}
    if use_case.task == "experiment":
        found |= {node.name: new_runs() for node in graph_of(use_case) if not node.per_batch}
    return found
