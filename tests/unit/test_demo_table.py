"""How a person reads a metric in the tables of `leeway demo` and `leeway status`."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from cli.demo import _table, metric_text
from cli.run import RunReport


@pytest.mark.parametrize(
    ("value", "low", "high", "text"),
    [
        (0.98, 0.95, 1.0, "it 0.980 [0.950, 1.000]"),
        (330031.136, 292939.039, 365538.0, "it 330,031 [292,939, 365,538]"),
        (-250.4, -300.6, 99.99, "it -250 [-301, 99.990]"),
        (0.5, None, None, "it 0.500"),
        (None, None, None, "it undefined"),
    ],
)
def test_a_metric_has_as_many_digits_as_say_something(
    value: float | None, low: float | None, high: float | None, text: str
) -> None:
    other: dict[str, Any] = {"value": 1.0, "low": 0.0, "high": 2.0}
    assert metric_text({"it": {"value": value, "low": low, "high": high}, "next": other}) == text


def test_nothing_is_cut_off_where_the_window_is_narrow() -> None:
    champion = {"version": 1, "algorithm": "logistic_regression"}
    metric = {"value": 246.0, "low": 234.0, "high": 257.0}
    found = {
        "data": {"origin": "synthetic", "rows": 5000},
        "champion": champion,
        "metrics": {"predicted_life_hours": metric},
        "drift": {"verdict": "undefined"},
    }
    out = StringIO()
    table = _table({"use_cases": {"real_estate": found}}, [RunReport("real_estate", "success")])
    Console(width=80, file=out).print(table)
    text = out.getvalue()
    assert "…" not in text
    assert {"logistic_regre", "ssion", "predicted_life", "_hours"} <= set(text.split())


def test_no_metric_is_said_to_be_none() -> None:
    assert metric_text({}) == "none"
