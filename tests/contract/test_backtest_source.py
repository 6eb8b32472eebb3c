"""What a backtest reads of a source: the rows that intake would accept, of what stands in for it.

Belongs here: rows, batches and notes. Does not belong here: the rules for rows
(tests/unit/test_validation.py), or which source is read (test_stand_ins.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from leeway.backtest.errors import CannotBacktest
from resources.backtest_source import source_material
from resources.settings import Settings
from tests.batches import age
from tests.small_use_case import small

SYNTHETIC = {"synthetic": {"rows": 200, "batches": 2}}
TOPIC = {
    "kind": "kafka", "servers_env": "LEEWAY_KAFKA", "topic": "t", "group": "g",
}  # fmt: skip


def folder(tmp_path: Path, **batches: str) -> dict[str, Any]:
    """A source with a file a batch, of rows such as `1,2.5,3`."""
    below = tmp_path / "batches"
    below.mkdir()
    for name, rows in batches.items():
        path = below / f"{name}.csv"
        path.write_text(f"id,x,y\n{rows}\n")
        age(path)
    return {"kind": "file", "path": str(below)}


def rows_of(*keys: int, bad: int = 0) -> str:
    """Good rows with these keys, and some more whose `x` is no number."""
    good = [f"{key},{key / 2},{key}" for key in keys]
    return "\n".join([*good, *(f"{900 + number},none,1" for number in range(bad))])


def test_a_key_that_batches_share_is_in_the_first_of_them_alone(
    shared: Settings, use_case: str, tmp_path: Path
) -> None:
    source = folder(tmp_path, a=rows_of(1, 2, 3), b=rows_of(3, 4, 5), c=rows_of(2, 5, 6, 7))
    found = source_material(use_case, small(source, max_rejected=0.5), shared)
    keys = {name: table["id"].to_pylist() for name, table in found.tables.items()}
    assert keys == {"a": [1, 2, 3], "b": [4, 5], "c": [6, 7]}
    assert {name: stored.profiles["clean"].rows for name, stored in found.stored.items()} == {
        "a": 3, "b": 2, "c": 2,
    }  # fmt: skip
    assert "3 rows were rejected" in found.notes


def test_a_batch_with_too_many_rejected_rows_is_left_out_as_it_is_of_a_training(
    shared: Settings, use_case: str, tmp_path: Path
) -> None:
    """`b` is a snapshot with the rows of `a`, `c` has bad rows; `d` is at the limit."""
    source = folder(
        tmp_path,
        a=rows_of(1, 2, 3),
        b=rows_of(1, 2, 3, 4),
        c=rows_of(5, 6, bad=2),
        d=rows_of(7, 8, 9, bad=1),
    )
    found = source_material(use_case, small(source, max_rejected=0.25), shared)
    assert list(found.tables) == list(found.stored) == ["a", "d"]
    assert found.tables["d"]["batch_id"].to_pylist() == ["d"] * 3
    assert found.left_out == ("b", "c")
    assert "left out, because too many of their rows were rejected: b, c" in found.notes


def test_what_stands_in_for_a_source_is_read_as_by_a_run_and_it_is_said(
    shared: Settings, use_case: str, tmp_path: Path
) -> None:
    absent = {"kind": "file", "path": str(tmp_path / "t.csv")}
    found = source_material(use_case, small(absent, stand_in=SYNTHETIC), shared)
    assert list(found.tables) == ["synthetic-1", "synthetic-2"]
    assert any("in place of file t.csv, which could not be had" in note for note in found.notes)


@pytest.mark.parametrize(
    ("source", "stand_in"),
    [(TOPIC, None), (TOPIC, SYNTHETIC), ({"kind": "file", "path": "t.csv"}, {"source": TOPIC})],
)
def test_a_topic_is_not_looked_at_because_that_would_cut_it(
    shared: Settings,
    use_case: str,
    source: dict[str, Any],
    stand_in: dict[str, Any] | None,
) -> None:
    with pytest.raises(CannotBacktest) as error:
        source_material(use_case, small(source, stand_in=stand_in), shared)
    assert str(error.value) == (
        f"{use_case}: to look at a topic cuts batches of it, which a backtest does not: "
        f"run `leeway run {use_case}` first"
    )
