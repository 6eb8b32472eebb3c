"""The page that compares: the same instance once for each value of one input, side by side.

Belongs here: choosing the input, and the picture. Does not belong here: the form
(`dashboard.forms`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import streamlit as st

from dashboard.forms import instance_form
from dashboard.service import Service

MOST_VALUES = 100  # instances of a request


def page(service: Service, use_case: str) -> None:
    """Shows it."""
    model = service.get("api/v1", use_case, "model")
    st.header(model["title"])
    comparable = {each["name"]: values for each in model["inputs"] if (values := _values(each))}
    if not comparable:
        st.info("This model has no input with a list of values to compare.")
        return
    name = st.selectbox("Compare by", list(comparable), key=f"by.{use_case}")
    values = comparable[name]
    if len(values) > MOST_VALUES:
        st.info(f"The first {MOST_VALUES} of {len(values)} values are compared.")
        values = values[:MOST_VALUES]
    others = [each for each in model["inputs"] if each["name"] != name]
    instance = instance_form(others, "Compare", f"compare.{use_case}.{name}")
    if not instance and others:
        return
    instances = [{**instance, name: value} for value in values]
    answer = service.post("api/v1", use_case, "predict", body={"instances": instances})
    rows = _rows(answer, name, values)
    st.altair_chart(_chart(answer, rows, name), width="stretch")
    st.dataframe(rows, hide_index=True)
    st.caption(f"Version {answer['model_version']}; bounds hold at {answer['coverage']:.0%}.")


def _values(each: Mapping[str, Any]) -> list[Any]:
    if each["type"] == "boolean":
        return [False, True]
    found = each["values"] if each["values"] is not None else each["seen"]
    return list(found or [])


def _rows(answer: Any, name: str, values: Sequence[Any]) -> list[dict[str, Any]]:
    """One row per value; of a classification one per value and class."""
    rows = []
    for value, found in zip(values, answer["predictions"], strict=True):
        if "probabilities" in found:
            shares = found["probabilities"].items()
            rows += [{name: str(value), "class": c, "probability": p} for c, p in shares]
        else:
            low, high = found["interval"] or (None, None)
            row = {answer["target"]: found["prediction"], "low": low, "high": high}
            rows.append({name: str(value), **row})
    return rows


def _chart(answer: Any, rows: list[dict[str, Any]], name: str) -> Any:
    base = alt.Chart(alt.InlineData(values=rows))
    across = alt.Y(f"{_field(name)}:N", sort=None, axis=alt.Axis(title=name, labelLimit=300))
    if "class" in rows[0]:
        share = alt.X("probability:Q", scale=alt.Scale(domain=[0, 1]))
        return base.mark_bar().encode(x=share, y=across, color="class:N")
    unit = f" [{answer['unit']}]" if answer["unit"] else ""
    target = _field(answer["target"])
    points = base.mark_point(filled=True, size=60).encode(
        x=alt.X(
            f"{target}:Q",
            title=f"{answer['target']}{unit}",
            scale=alt.Scale(zero=False),
        ),
        y=across,
    )
    bounds = base.mark_rule().encode(x="low:Q", x2="high:Q", y=across)
    return bounds + points


def _field(name: str) -> str:
    """A name as Vega reads it: a dot or a bracket of it is not a path."""
    return "".join(f"\\{each}" if each in ".[]:\\" else each for each in name)
