"""Made-up rows keep every rule of their use case, come again the same, and can be learned from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from leeway.data.synthetic import synthetic_table
from leeway.data.validation import validate
from leeway.spec import UseCase
from leeway.training.folds import one_thread

SOURCE = {"kind": "file", "path": "t.csv"}
COLUMNS: list[dict[str, Any]] = [
    {"name": "id", "type": "text", "role": "key", "from_position": True},
    {"name": "day", "type": "date", "role": "time"},
    {"name": "size", "type": "number", "range": [0, 1], "source_name": "The size"},
    {"name": "rooms", "type": "integer", "range": [1.5, None], "required": True},
    {"name": "open", "type": "number", "range": [None, -5]},
    {"name": "free", "type": "number"},
    {"name": "kind", "type": "category", "values": ["x", "y", "z"]},
    {"name": "other", "type": "category"},
    {"name": "new", "type": "boolean"},
    {"name": "note", "type": "text", "role": "monitored"},
    {"name": "seen", "type": "timestamp", "role": "monitored"},
    {"name": "dropped", "type": "text", "role": "ignored"},
]
TARGETS: dict[str, dict[str, Any]] = {
    "regression": {"name": "y", "type": "number", "range": [100, 500]},
    "two classes": {"name": "y", "type": "boolean"},
    "three classes": {"name": "y", "type": "category", "values": ["a", "b", "c"]},
    "any classes": {"name": "y", "type": "category"},
    "counts": {"name": "y", "type": "integer", "range": [0, None]},
}


def use_case(target: str, **changes: Any) -> UseCase:
    numeric = TARGETS[target]["type"] in ("number", "integer")
    columns = [*COLUMNS, TARGETS[target] | {"role": "target", "required": True}]
    fields = {
        "title": "t",
        "task": "regression" if numeric else "classification",
        "source": SOURCE,
        "columns": [{"description": "d"} | column for column in columns],
    }
    return UseCase.model_validate(fields | changes)


@pytest.mark.parametrize("target", TARGETS)
def test_every_row_is_accepted_and_comes_again_the_same(target: str) -> None:
    spec = use_case(target)
    table = synthetic_table(spec, "synthetic-1", 0, 400)
    judged = validate(table, spec, batch="synthetic-1")
    assert (judged.accepted.num_rows, judged.rejects) == (400, ())
    assert judged.ignored_columns == ()
    assert table.equals(synthetic_table(spec, "synthetic-1", 0, 400))
    assert not table.equals(synthetic_table(spec, "synthetic-1", 1, 400))
    assert "The size" in table.column_names
    assert not {"id", "dropped", "size"} & set(table.column_names)


def test_values_are_missing_only_where_a_row_may_lack_them() -> None:
    spec = use_case("regression", required_any=["free"])
    table = synthetic_table(spec, "b", 0, 2000)
    lacking = {name: table[name].null_count for name in table.column_names}
    assert {name for name, count in lacking.items() if not count} == {
        "day", "rooms", "free", "y"
    }  # fmt: skip
    assert all(30 <= count <= 90 for count in lacking.values() if count)


@pytest.mark.parametrize("target", ["regression", "counts", "two classes", "three classes"])
def test_a_plain_model_learns_the_target(target: str) -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    spec = use_case(target)
    frame = synthetic_table(spec, "b", 0, 3000).to_pandas()
    y = frame["y"]
    features = ["The size", "rooms", "open", "free", "kind", "other", "new"]
    texts = {name: frame[name].astype("category").cat.codes for name in ("kind", "other", "new")}
    x = frame[features].assign(**texts).astype(float)
    numeric = spec.task == "regression"
    model = HistGradientBoostingRegressor if numeric else HistGradientBoostingClassifier
    with one_thread():
        fitted = model(max_iter=40).fit(x[:2000], y[:2000])
        score = fitted.score(x[2000:], y[2000:])
    guess = 0.0 if numeric else y.value_counts(normalize=True).max()
    assert score > guess + 0.5 * (1 - guess)
    if not numeric:
        assert y.value_counts(normalize=True).min() > 0.15


def test_later_batches_have_later_times_and_other_keys() -> None:
    columns = [dict(column) for column in COLUMNS[1:]]
    key = {"name": "id", "type": "integer", "role": "key"}
    target = TARGETS["regression"] | {"role": "target"}
    fields = {
        "title": "t", "task": "regression", "source": SOURCE,
        "columns": [{"description": "d"} | column for column in [key, *columns, target]],
    }  # fmt: skip
    spec = UseCase.model_validate(fields)
    first, second = (synthetic_table(spec, f"b{n}", n, 100) for n in (0, 1))
    assert max(first["day"].to_pylist()) <= min(second["day"].to_pylist())
    keys = pa.chunked_array([*first["id"].chunks, *second["id"].chunks])
    assert len(keys.unique()) == 200
    assert np.all(np.diff(first["id"].to_numpy()) > 0)
