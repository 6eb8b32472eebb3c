"""What a run left of a planted batch: its rejects, its checks, its predictions.

Belongs here: reading the ledger, the warehouse and the store. Does not belong here: the verdict
(`leeway.rehearsal.findings`).
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cli.rehearsal.graph import Graph, Ran
from leeway.data.shared_keys import as_text
from leeway.data.tables import from_parquet
from leeway.rehearsal.findings import Failing, Observed
from resources.ledger import Commit
from resources.warehouse import read_batch


def observed(graph: Graph, batch: str, ran: Ran) -> Observed:
    """What there is to know of the batch, of this run alone."""
    rejects: tuple[tuple[int, str, str], ...] = ()
    predicted: frozenset[int] = frozenset()
    if committed(graph, "raw", batch, ran) is not None:
        table = _rows(graph, "rejects", batch)
        names = ("row_number", "column_name", "reason")
        rejects = tuple(zip(*(table[name].to_pylist() for name in names), strict=True))
        if (commit := committed(graph, "predictions", batch, ran)) is not None:
            predicted = frozenset(_numbers(graph, batch, read(graph, commit)))
    failing = tuple(
        Failing(each["node"], each["check"], each["severity"], each["description"])
        for each in ran.said.failing.values()
    )
    return Observed(rejects, failing, predicted, ran.error, ran.failed_node)


def committed(graph: Graph, node: str, batch: str, ran: Ran) -> Commit | None:
    """What this run committed of a node; None when it did not come so far."""
    found = graph.platform.ledger.current(graph.stage.name, node, batch)
    return found if found is not None and found.run_id == ran.run_id else None


def read(graph: Graph, commit: Commit) -> pa.Table:
    """The table that a node committed."""
    return from_parquet(graph.platform.store.get(commit.uri, commit.digest))


def in_order(graph: Graph, batch: str, table: pa.Table) -> tuple[pa.Table, list[int]]:
    """A table of the batch in the order of its source, and the number of each row there."""
    numbers = pa.array(_numbers(graph, batch, table), pa.int64())
    order = pc.sort_indices(numbers)
    return table.take(order), numbers.take(order).to_pylist()


def _numbers(graph: Graph, batch: str, table: pa.Table) -> list[int]:
    """The number in its source of each row of a table that has the key."""
    key = graph.stage.use_case.key.name
    raw = _rows(graph, "raw", batch)
    places = pc.index_in(as_text(table[key]), value_set=as_text(raw[key]))
    found: list[int] = raw["row_number"].take(places).to_pylist()
    return found


def _rows(graph: Graph, table: str, batch: str) -> Any:
    return read_batch(graph.stage.name, table, batch, ["row_number"], graph.platform.settings)
