"""A batch held against the batch before it, or against its season, by the node `drift` itself.

Belongs here: which earlier batches the node takes as the reference. Does not belong here: which are
of a season (tests/unit/test_references.py), or the verdict (tests/unit/test_drift.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from leeway.drift.declared import profile_table
from leeway.drift.stored import Stored, to_bytes
from orchestration.use_cases import load_use_cases
from tests.batches import penguins
from tests.graph.conftest import LONGER_BY_MM, NAME, Graph, opened, short

# By month, how much longer bills are: in each June, and a little in the second July.
SEASONS = {"2023-06": LONGER_BY_MM, "2023-07": 0.0, "2024-06": LONGER_BY_MM, "2024-07": 1.5}
ODD = "2025-07"  # as in June


@contextmanager
def held_against(reference: str, complete: Graph) -> Iterator[Graph]:
    use_case = short(load_use_cases()[NAME], complete.folder)
    drift = use_case.drift.model_copy(update={"reference": reference})
    with opened(NAME, use_case.model_copy(update={"drift": drift}), complete.folder) as graph:
        yield graph


def take_in(graph: Graph, month: str, longer: float) -> None:
    """The profile of a month, as the node `profile` stores it."""
    rows = penguins(first_key=1, year=[2008])
    rows["bill_length_mm"] += longer
    first = datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)
    since, until = first.timestamp(), (first + timedelta(days=29)).timestamp()
    found = profile_table(pa.Table.from_pandas(rows), graph.stage.use_case.columns)
    stored = Stored({"clean": replace(found, since=since, until=until)})
    ledger, data = graph.platform.ledger, to_bytes(stored)
    ledger.register_batches(NAME, [month])
    kept = graph.platform.store.put("reports", NAME, "arrow", data)
    ledger.commit(
        ledger.begin(NAME, "profile", month, ""),
        input_digest=kept.digest,
        digest=kept.digest,
        uri=kept.uri,
        rows=found.rows,
        facts={"since": since, "until": until},
    )


def told(graph: Graph, month: str) -> tuple[Any, ...]:
    """Verdict, columns and reference of a month, as the node `drift` records them."""
    assert graph.materialize([month], ["drift"]).success
    facts = graph.platform.ledger.require(NAME, "drift", month).facts
    return facts["verdict"], facts["columns"], facts["reference"]


@pytest.mark.timeout(300)
def test_a_month_is_held_against_its_season_or_the_month_before_it(complete: Graph) -> None:
    for month, longer in {**SEASONS, ODD: LONGER_BY_MM}.items():
        take_in(complete, month, longer)
    moved = ["bill_length_mm"]
    with held_against("season", complete) as graph:
        found = {month: told(graph, month) for month in (*SEASONS, ODD)}
    assert found == {
        "2023-06": ("undefined", [], "season"),
        "2023-07": ("undefined", [], "season"),
        "2024-06": ("none", [], "season"),
        "2024-07": ("none", [], "season"),  # together with June it would be confirmed
        ODD: ("confirmed", moved, "season"),
    }
    with held_against("previous_batch", complete) as graph:
        found = {month: told(graph, month) for month in ("2023-07", "2024-06", "2024-07")}
    assert found == dict.fromkeys(found, ("confirmed", moved, "previous_batch"))
