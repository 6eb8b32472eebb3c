"""After how many rows of a batch drift or performance said what they said of all of it.

Belongs here: asking the pure functions of both for the first so many rows. Does not belong here:
the search (`leeway.rehearsal.prefix`). The graph is not run again for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pyarrow as pa

from assets.reference import before, reference_of, verdict_on
from assets.released import Batch, champion_of
from cli.rehearsal.graph import Graph, Ran
from cli.rehearsal.observed import committed, in_order, read
from leeway.data.tables import from_parquet
from leeway.data.training_set import TRAIN, part_of
from leeway.drift.column import MILDEST_FIRST
from leeway.drift.declared import profile_table
from leeway.performance import WHOLE, broken_gates, measure
from leeway.rehearsal.findings import Catch
from leeway.rehearsal.prefix import smallest_prefix

Holds = Callable[[int], bool]


def with_rows(catch: Catch, graph: Graph, batch: str, ran: Ran) -> Catch:
    """The catch with the smallest prefix that gives it, where it is one of a whole batch."""
    found = committed(graph, "clean", batch, ran)
    champion = champion_of(graph.platform, graph.stage.name)
    if found is None or champion is None or catch.node not in ("drift", "performance"):
        return catch
    clean, numbers = in_order(graph, batch, read(graph, found))
    # Of a batch for reading alone, which no run of Dagster materializes.
    of_batch = Batch(batch, graph.stage, champion, graph.platform, cast(Any, None))
    if catch.node == "drift":
        holds, fewest = _drift(of_batch, clean, catch), graph.stage.use_case.drift.min_rows
    else:
        predictions = committed(graph, "predictions", batch, ran)
        if predictions is None:
            return catch
        holds, fewest = _gates(of_batch, clean, read(graph, predictions)), 1
    rows = smallest_prefix(clean.num_rows, holds, fewest)
    return catch if rows is None else replace(catch, after_rows=numbers[rows - 1])


def _drift(batch: Batch, clean: pa.Table, catch: Catch) -> Holds:
    """Whether the first rows have drifted as surely as all of them."""
    use_case, earlier = batch.stage.use_case, before(batch)
    reference = reference_of(batch, profile_table(clean, use_case.columns))
    least = MILDEST_FIRST.index("confirmed" if catch.severity == "ERROR" else "suspect")

    def holds(rows: int) -> bool:
        if reference is None:
            return False
        current = profile_table(clean.slice(0, rows), use_case.columns)
        found = verdict_on(current, reference, earlier, use_case)
        return MILDEST_FIRST.index(found.verdict) >= least

    return holds


def _gates(batch: Batch, clean: pa.Table, predictions: pa.Table) -> Holds:
    """Whether the first rows prove that a gate is broken."""
    use_case, manifest = batch.stage.use_case, batch.champion.manifest
    entry = manifest["files"]["training_set"]
    stored = from_parquet(batch.platform.store.get(str(entry["uri"]), str(entry["digest"])))
    fitted = part_of(stored, TRAIN)[use_case.key.name]

    def holds(rows: int) -> bool:
        first = clean.slice(0, rows)
        found = measure(first, predictions, use_case, manifest["classes"], fitted)
        return bool(broken_gates(use_case.gates, found.segments.get(WHOLE, {})))

    return holds
