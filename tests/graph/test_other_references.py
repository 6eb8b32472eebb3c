"""What the node `drift` itself takes to compare a batch with.

Belongs here: earlier batches as the reference, and rows where a profile hides too much. Does not
belong here: which batches are of a season (tests/unit/test_references.py), or the verdict
(tests/unit/test_drift.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from leeway.data.tables import to_parquet
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


def take_in(graph: Graph, month: str, rows: pd.DataFrame) -> None:
    """A month, as the nodes `clean` and `profile` store it."""
    first = datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)
    since, until = first.timestamp(), (first + timedelta(days=29)).timestamp()
    table = pa.Table.from_pandas(rows)
    found = profile_table(table, graph.stage.use_case.columns)
    stored = Stored({"clean": replace(found, since=since, until=until)})
    graph.platform.ledger.register_batches(NAME, [month])
    keep(graph, "clean", month, "parquet", to_parquet(table), {})
    keep(graph, "profile", month, "arrow", to_bytes(stored), {"since": since, "until": until})


def keep(
    graph: Graph, node: str, month: str, suffix: str, data: bytes, facts: dict[str, Any]
) -> None:
    ledger, kept = graph.platform.ledger, graph.platform.store.put("reports", NAME, suffix, data)
    ledger.commit(
        ledger.begin(NAME, node, month, ""),
        input_digest=kept.digest,
        digest=kept.digest,
        uri=kept.uri,
        rows=1,
        facts=facts,
    )


def longer_by(millimetres: float) -> pd.DataFrame:
    rows = penguins(first_key=1, year=[2008])
    rows["bill_length_mm"] += millimetres
    return rows


def told(graph: Graph, month: str) -> tuple[Any, ...]:
    """Verdict, columns and reference of a month, as the node `drift` records them."""
    assert graph.materialize([month], ["drift"]).success
    facts = graph.platform.ledger.require(NAME, "drift", month).facts
    return facts["verdict"], facts["columns"], facts["reference"]


@pytest.mark.timeout(300)
def test_a_month_is_held_against_its_season_or_the_month_before_it(complete: Graph) -> None:
    for month, longer in {**SEASONS, ODD: LONGER_BY_MM}.items():
        take_in(complete, month, longer_by(longer))
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


@pytest.mark.timeout(300)
def test_where_a_profile_hides_too_much_the_rows_are_looked_at(complete: Graph) -> None:
    """15 % of the bills have all magnitudes, so that one cell holds most of the others."""
    rng, distances = np.random.default_rng(0), []
    for month, longer in (("2026-01", 0.0), ("2026-02", LONGER_BY_MM)):
        rows = pd.concat([longer_by(longer)] * 100, ignore_index=True)
        spread = rng.random(len(rows)) < 0.15
        rows.loc[spread, "bill_length_mm"] = 10.0 ** rng.uniform(-300, 1, int(spread.sum()))
        take_in(complete, month, rows)
        assert told(complete, month)[0] == "confirmed"
        facts = complete.platform.ledger.require(NAME, "drift", month).facts
        distances.append(facts["effects"]["bill_length_mm"]["ks"][0])
    assert distances[0] == pytest.approx(0.15, abs=0.05), "those below all penguins"
    assert distances[1] == pytest.approx(0.5, abs=0.05)
