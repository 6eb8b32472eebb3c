"""What a batch is compared with besides the training part: the batch before, the same season."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from leeway.drift.declared import profile_table
from leeway.drift.history import UNSETTLED, settled
from leeway.drift.policy import UsualPolicy
from leeway.drift.season import is_earlier_season, month_of
from leeway.drift.stored import Stored, merged
from leeway.drift.verdict import compare_profiles
from leeway.spec import Column

X = Column(name="x", type="number", description=".")
Y = Column(name="y", type="number", description=".")
TEXT_Y = Column(name="y", type="category", description=".")


def span(first: str, last: str) -> dict[str, float | None]:
    ends = (datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() for day in (first, last))
    return {"since": next(ends), "until": next(ends)}


def test_a_batch_is_of_the_month_that_its_middle_lies_in() -> None:
    assert month_of(span("2024-01-28", "2024-02-20")) == (2024, 2)
    assert month_of({"since": None, "until": 5.0}) is None


def test_an_earlier_season_is_the_same_month_of_an_earlier_year() -> None:
    november = span("2025-11-01", "2025-11-30")
    assert is_earlier_season(november, span("2023-11-01", "2023-11-30"))
    assert not is_earlier_season(november, span("2025-11-01", "2025-11-15")), "the same year"
    assert not is_earlier_season(november, span("2024-10-01", "2024-10-30"))
    assert not is_earlier_season(november, {"since": None, "until": None})


def test_batches_together_know_all_that_each_was_made_from() -> None:
    one, two = (
        Stored(
            {
                "raw": profile_table(pa.table({"x": values, "y": values}), raw),
                "clean": profile_table(pa.table({"x": values}), [X]),
            },
            definitions={"clean": ["v1", made]},
            commits=["a", made],
        )
        for values, raw, made in (([1.0, 2.0], [X, Y], "v1"), ([3.0], [X], "v2"))
    )
    found = merged([one, two])
    assert found.profiles["clean"] == profile_table(pa.table({"x": [1.0, 2.0, 3.0]}), [X])
    assert found.profiles["raw"].columns.keys() == {"x"}, "only one of them has y there"
    assert found.definitions == {"clean": ["v1", "v2"]}
    assert found.commits == ["a", "v1", "v2"]
    with pytest.raises(ValueError, match="no batch"):
        merged([])


@pytest.mark.parametrize("other", [0, 10, 30, 39])
def test_of_many_batches_what_one_of_them_has_not_is_left_out_wherever_it_stands(
    other: int,
) -> None:
    """As many as are not merged at once; one has no raw layer, and `y` as another kind."""
    days = []
    for day, x in enumerate(np.arange(40.0)):
        columns = [X, TEXT_Y] if day == other else [X, Y]
        table = pa.table({"x": [x], "y": [5.0]})
        clean = profile_table(table, columns)
        profiles = {"clean": clean} if day == other else {"raw": clean, "clean": clean}
        days.append(Stored(profiles, definitions={"clean": [f"v{day // 20}"]}))
    found = merged(iter(days))
    assert found.profiles == {"clean": profile_table(pa.table({"x": np.arange(40.0)}), [X])}
    assert found.definitions == {"clean": ["v0", "v1"]}


def test_a_batch_before_with_other_columns_is_looked_at_together_where_both_have_them() -> None:
    """Guards: a column more in defs.yaml stopped the next batch."""
    rng = np.random.default_rng(0)
    x = {name: rng.normal(size=200) for name in ("reference", "before", "current")}
    reference = profile_table(pa.table({"x": x["reference"], "y": x["reference"]}), [X, Y])
    before = profile_table(pa.table({"x": x["before"] + 0.5}), [X])
    current = profile_table(pa.table({"x": x["current"] + 0.5, "y": x["current"]}), [X, Y])
    found = compare_profiles(reference, current, UsualPolicy(), [X, Y], before=before)
    assert {column.name: column.verdict for column in found.columns}["y"] == "none"


def test_the_newest_verdicts_do_not_tell_yet_what_is_usual() -> None:
    assert settled(list(range(UNSETTLED + 2))) == [0, 1]
    assert settled([1]) == []
