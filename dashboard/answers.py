"""One answer of the service, shown: the prediction, what bounds it, and what it was warned of.

Belongs here: numbers with units, sets, probabilities, warnings. Does not belong here: a page.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import altair as alt
import streamlit as st

Answer = Mapping[str, Any]


def number(value: float | None, unit: str | None) -> str:
    """A number with its unit; undefined where there is none."""
    if value is None:
        return "undefined"
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return f"{text} {unit}" if unit else text


def moment(text: str) -> str:
    """A time of the service, to the second."""
    return text[:19].replace("T", " ") + " UTC"


def show(answer: Answer, position: int = 0) -> None:
    """The answer for one instance."""
    found = answer["predictions"][position]
    left, right = st.columns(2)
    if isinstance(found["prediction"], str):
        left.metric(answer["target"], found["prediction"])
        chosen = found["prediction_set"]
        told = "undefined" if chosen is None else ", ".join(chosen) or "none of the classes"
        right.metric(f"set at {answer['coverage']:.0%} coverage", told)
        st.altair_chart(_probabilities(found["probabilities"]), width="stretch")
    else:
        left.metric(answer["target"], number(found["prediction"], answer["unit"]))
        ends = found["interval"]
        told = (
            "undefined"
            if ends is None
            else " to ".join(number(each, answer["unit"]) for each in ends)
        )
        right.metric(f"interval at {answer['coverage']:.0%} coverage", told)
    for each in found["warnings"]:
        st.warning(f"{each['input']}: {each['message']}")
    st.caption(
        f"Version {answer['model_version']} ({answer['release'][:19]}…), prediction "
        f"{found['prediction_id']}"
    )


def _probabilities(found: Mapping[str, float]) -> Any:
    rows = [{"class": name, "probability": value} for name, value in found.items()]
    return (
        alt.Chart(alt.InlineData(values=rows))
        .mark_bar()
        .encode(
            x=alt.X("probability:Q", scale=alt.Scale(domain=[0, 1])),
            y=alt.Y("class:N", sort="-x", title=None),
        )
        .properties(height=max(60, 30 * len(rows)))
    )
