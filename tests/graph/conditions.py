"""The automation conditions of a graph, as the daemon evaluates them.

Belongs here: evaluating them, and telling Dagster what was done. Does not belong here: what they
should ask for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import dagster as dg

from tests.graph.conftest import NAME, Graph


@dataclass
class Conditions:
    """The daemon's evaluations of a graph's conditions, one after the other."""

    graph: Graph
    cursor: Any = None

    def requested(self) -> dict[str, list[str]]:
        """Batches by node that a tick asks for."""
        found = dg.evaluate_automation_conditions(
            self.graph.definitions, self.graph.instance, cursor=self.cursor
        )
        self.cursor = found.cursor
        return {
            result.key.path[-1]: sorted(map(str, found.get_requested_partitions(result.key)))
            for result in found.results
            if isinstance(result.key, dg.AssetKey) and found.get_num_requested(result.key)
        }

    def materialized(self, batch: str | None, *nodes: str) -> None:
        """Tells Dagster that nodes were materialized."""
        for node in nodes:
            event = dg.AssetMaterialization(dg.AssetKey([NAME, node]), partition=batch)
            self.graph.instance.report_runless_asset_event(event)
