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


def conditions_of(use_case: UseCase) -> Mapping[str, dg.AutomationCondition[Any]]:
    """Conditions by node: every node that is materialized batch by batch follows its batches."""
    return {node.name: new_batch() for node in graph_of(use_case) if node.per_batch}
