"""The page of an experiment: its effects, the best setting, and what that saves.

Belongs here: showing them. Does not belong here: any of the numbers.
"""

from __future__ import annotations

from typing import Any

import altair as alt
import streamlit as st

from dashboard.answers import number
from dashboard.service import Service


def page(service: Service, use_case: str) -> None:
    """Shows it."""
    found = service.get("api/v1", use_case, "experiment")
    effects, savings = found["effects"], found["savings"]
    st.header(f"Experiment {use_case}")
    if effects is not None:
        st.caption(f"{effects['design']}, {effects['runs']} runs")
        st.altair_chart(_effects(effects["effects"]), width="stretch")
        st.caption("Bars are intervals; an effect whose bar leaves out zero stands.")
        _best(effects["best"])
    if savings is not None:
        _savings(savings)


def _effects(effects: list[Any]) -> Any:
    rows = [
        {
            "effect": f"{each['name']}: {', '.join(each['factors'])}",
            **{name: each[name] for name in ("estimate", "low", "high")},
        }
        for each in effects
    ]
    base = alt.Chart(alt.InlineData(values=rows))
    across = alt.Y(
        "effect:N",
        axis=alt.Axis(title=None, labelLimit=400),
        sort=alt.EncodingSortField("estimate", order="descending"),
    )
    points = base.mark_point(filled=True, size=70).encode(
        x=alt.X("estimate:Q", title="effect on the response"), y=across
    )
    bounds = base.mark_rule().encode(x=alt.X("low:Q", title=""), x2="high:Q", y=across)
    zero = (
        alt.Chart(alt.InlineData(values=[{"at": 0}]))
        .mark_rule(color="#999999")
        .encode(x=alt.X("at:Q", title=""))
    )
    return zero + bounds + points


def _best(best: Any) -> None:
    st.subheader("Best setting")
    if best["setting"] is None:
        st.info(f"There is none: {best['undefined']}")
        return
    chosen = {name: level for name, level in best["setting"].items() if level is not None}
    st.metric("Setting", ", ".join(f"{name} {level}" for name, level in chosen.items()))
    predicted = best["prediction"] or {}
    ends = [predicted.get("mean_low"), predicted.get("mean_high")]
    told = " to ".join(number(each, None) for each in ends)
    st.write(f"Predicted mean {number(predicted.get('estimate'), None)}, {told}.")
    st.caption("This setting was run." if best["was_run"] else "This setting was not run itself.")


def _savings(row: Any) -> None:
    st.subheader("Savings")
    if row["undefined"]:
        st.info(row["undefined"])
    left, right = st.columns(2)
    _interval(left, "Saving per year", row, "saving_per_year", row["currency"])
    _interval(right, "Return on the investment per year", row, "roi_per_year", "%", 100)


def _interval(column: Any, title: str, row: Any, name: str, unit: str, times: float = 1) -> None:
    found = [row[f"{name}{end}"] for end in ("", "_low", "_high")]
    value, low, high = (number(None if x is None else times * x, unit) for x in found)
    column.metric(title, value)
    column.caption(f"{low} to {high}")
