"""The page that watches: rows, drift and performance of each batch, and what was decided of it.

Belongs here: laying recorded facts out in time. Does not belong here: any verdict.
"""

from __future__ import annotations

from typing import Any

import altair as alt
import streamlit as st

from dashboard.answers import moment, number
from dashboard.drifted import COLOURS, columns_chart
from dashboard.service import Failed, Service

SHOWN = 200


def page(service: Service, use_case: str) -> None:
    """Shows it."""
    batches = service.get("api/v1", use_case, "batches", limit=SHOWN)["batches"][::-1]
    decisions = service.get("api/v1", use_case, "decisions", limit=SHOWN)["decisions"]
    st.header(f"Data and model of {use_case} over time")
    _answers(service, use_case, decisions)
    names = sorted({name for each in batches for name in each["metrics"]})
    if names:
        name = st.selectbox("Metric", names, key=f"metric.{use_case}")
        st.altair_chart(_performance(batches, decisions, name), width="stretch")
        st.caption("Bars are 95 % intervals of labelled rows; colours are the verdict on drift.")
    else:
        st.info("No batch has labels yet that the champion was not fitted on.")
    st.subheader("Drift of each column")
    if any(each["distances"] for each in batches):
        st.altair_chart(columns_chart(batches), width="stretch")
        st.caption("The number is the distance from the reference, 0 to 1.")
    else:
        st.info("No batch was held against a champion yet.")
    st.subheader("Batches")
    st.dataframe([_row(each) for each in batches[::-1]], hide_index=True)
    windows = service.get("api/v1", use_case, "traffic", limit=SHOWN)["windows"]
    if windows:
        st.subheader("Live traffic")
        st.dataframe([_window(each) for each in windows], hide_index=True)
        st.caption("Windows of the service's answers; labels are those of the answers' rows.")
    st.subheader("What the retraining policy decided")
    if decisions:
        fields = ("state", "action", "cause", "reason", "diagnosis")
        rows = [{"at": moment(each["at"]), **{n: each[n] for n in fields}} for each in decisions]
        st.dataframe(rows, hide_index=True)
    else:
        st.info("Nothing yet: the sensors work under `leeway dev`.")


def _answers(service: Service, use_case: str, decisions: list[Any]) -> None:
    """How the last day went, in three numbers."""
    answered, slowest, state = st.columns(3)
    try:
        found = service.get("api/v1", use_case, "metrics/summary", hours=24)["releases"]
    except Failed as error:  # what is recorded is shown, also where nothing is served
        st.warning(str(error))
        found = []
    answered.metric("Predictions in 24 hours", f"{sum(each['predictions'] for each in found):,}")
    times = [each["latency_seconds"]["p95"] for each in found]
    told = f"{1000 * max(times):.3g} ms" if times else "undefined"
    slowest.metric("95th percentile of their time", told)
    state.metric("Retraining", decisions[0]["state"] if decisions else "no decision yet")


def _window(window: Any) -> dict[str, Any]:
    drift, performance = window["drift"] or {}, window["performance"] or {}
    maturity = performance.get("maturity")
    return {
        "window": window["window"],
        "until": moment(window["until"]),
        "answers": window["answers"],
        "warned of": window["warned"],
        "drift": drift.get("verdict", "not looked at"),
        "columns": ", ".join(drift.get("columns", [])),
        "predictions": drift.get("predictions", {}).get("verdict", "not looked at"),
        "labels in": "undefined" if maturity is None else f"{maturity:.0%}",
        "why": drift.get("reason", ""),
        "metrics": _told(window["metrics"]),
    }


def _told(metrics: dict[str, Any]) -> str:
    """The first few."""
    first = list(metrics.items())[:3]
    return "; ".join(f"{name} {number(each['value'], each['unit'])}" for name, each in first)


def _drift(batch: Any) -> str:
    return "undefined" if batch["drift"] is None else str(batch["drift"]["verdict"])


def _performance(batches: list[Any], decisions: list[Any], name: str) -> Any:
    order = [each["batch"] for each in batches]
    rows = [
        {"batch": each["batch"], "drift": _drift(each), **each["metrics"][name]}
        for each in batches
        if name in each["metrics"]
    ]
    unit = rows[0]["unit"]
    across = alt.X("batch:N", sort=order, title="batch")
    base = alt.Chart(alt.InlineData(values=rows))
    points = base.mark_point(filled=True, size=70).encode(
        x=across,
        y=alt.Y("value:Q", title=f"{name} [{unit}]", scale=alt.Scale(zero=False)),
        color=alt.Color("drift:N", scale=COLOURS),
        tooltip=["batch:N", "value:Q", "low:Q", "high:Q", "rows:Q", "drift:N"],
    )
    bounds = base.mark_rule().encode(x=across, y="low:Q", y2="high:Q")
    marks = _marks(batches, decisions)
    trained = (
        alt.Chart(alt.InlineData(values=marks))
        .mark_rule(strokeDash=[4, 3], color="#2c5aa0")
        .encode(x=across, tooltip=["reason:N"])
    )
    return trained + bounds + points


def _marks(batches: list[Any], decisions: list[Any]) -> list[dict[str, str]]:
    """The newest batch that was there when a training was decided, for each such decision."""
    found = []
    for each in decisions:
        before = [b["batch"] for b in batches if b["discovered_at"] <= each["at"]]
        if each["action"] == "retrain" and before:
            found.append({"batch": before[-1], "reason": each["reason"]})
    return found


def _row(batch: Any) -> dict[str, Any]:
    drift, damage = batch["drift"] or {}, batch["damage"] or {}
    return {
        "batch": batch["batch"],
        "found": moment(batch["discovered_at"]),
        "rows": batch["rows"],
        "rejected": batch["rejected"],
        "drift": drift.get("verdict", "not looked at"),
        "columns": ", ".join(drift.get("columns", [])),
        "damage": damage.get("verdict", "not looked at"),
        "why": drift.get("reason", ""),
        "metrics": _told(batch["metrics"]),
    }
