"""Large numbers of logged answers, which JSON writes as integers."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from leeway.spec import UseCase
from leeway.traffic.rows import Logged, inputs_of, traffic_table
from tests.small_use_case import small


def logged(**inputs: Any) -> Logged:
    answer = json.dumps({"prediction": 1.0})
    return Logged("a" * 32, None, datetime(2026, 11, 23, tzinfo=UTC), 1, json.dumps(inputs), answer)


def read(use_case: UseCase, values: list[Any]) -> tuple[list[Any], int]:
    table, odd = traffic_table([[logged(x=value) for value in values]], use_case)
    return inputs_of(table)["x"].to_pylist(), odd


def test_a_number_stays_one_however_large() -> None:
    use_case = small({"kind": "file", "path": "none"})
    large = [10**20, 2**60, 1.5, None]
    assert read(use_case, large) == ([1e20, float(2**60), 1.5, None], 0)
    assert read(use_case, [10**400, 10**20, "x"]) == ([None, 1e20, None], 2)


def test_an_integer_that_is_too_large_is_missing_and_counted() -> None:
    use_case = small({"kind": "file", "path": "none"})
    columns = [
        each.model_copy(update={"type": "integer"}) if each.name == "x" else each
        for each in use_case.columns
    ]
    whole = use_case.model_copy(update={"columns": columns})
    assert read(whole, [10**20, 7]) == ([None, 7], 1)
    assert pa.types.is_int64(traffic_table([[logged(x=7)]], whole)[0]["inputs"].type["x"].type)
