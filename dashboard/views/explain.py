"""The page that explains: what each input did to a prediction, and the rows that it is among.

Belongs here: asking for both and drawing them. Does not belong here: any of the numbers.
"""

from __future__ import annotations

from typing import Any

import altair as alt
import streamlit as st

from dashboard.answers import number, show
from dashboard.forms import instance_form
from dashboard.service import EXPLAIN_SECONDS, Service


def page(service: Service, use_case: str) -> None:
    """Shows it."""
    model = service.get("api/v1", use_case, "model")
    st.header(model["title"])
    st.caption("The first explanation of a release takes some seconds.")
    instance = instance_form(model["inputs"], "Explain", f"explain.{use_case}")
    kept = (
        f"explained.{use_case}"  # a button is pressed for one run, and the next choice is another
    )
    if instance:
        st.session_state.pop(kept, None)
        st.session_state[kept] = _asked(service, use_case, instance)
    if kept not in st.session_state:
        return
    why, near, drawn = st.session_state[kept]
    found = why["explanations"][0]
    show(why | {"predictions": [found["prediction"]]})
    _shap(why, found, use_case)
    _neighbours(near, near["surroundings"][0])
    st.subheader("On the map")
    st.altair_chart(_map(drawn, near["surroundings"][0]), width="stretch")


def _asked(service: Service, use_case: str, instance: dict[str, Any]) -> tuple[Any, Any, Any]:
    """The explanation of an instance, its neighbours, and the map that it is drawn on."""
    body = {"instances": [instance]}
    with st.spinner("Explaining"):
        why = service.post("api/v1", use_case, "explain", body=body, seconds=EXPLAIN_SECONDS)
        near = service.post("api/v1", use_case, "neighbours", body=body, seconds=EXPLAIN_SECONDS)
        return why, near, service.get("api/v1", use_case, "map")


def _shap(why: Any, found: Any, use_case: str) -> None:
    st.subheader("What each input did")
    outputs = why["outputs"]
    predicted = found["prediction"]["prediction"]
    place = outputs.index(predicted) if predicted in outputs else 0
    output = outputs[place]
    if len(outputs) > 1:
        output = st.selectbox("For", outputs, index=place, key=f"output.{use_case}")
        place = outputs.index(output)
    values = {name: each[place] for name, each in found["shap_values"].items()}
    st.altair_chart(_bars(values, why["scale"]), width="stretch")
    base = why["base_values"][place]
    told = f"{number(base, None)} without any input, {number(base + sum(values.values()), None)} "
    st.caption(
        f"{told}with all of them, in {why['scale']} of {output}, by {why['explainer']}; the sum "
        f"misses the model's output by {why['additivity_gap']:.2g}."
    )
    if why["fallback_reason"]:
        st.info(why["fallback_reason"])


def _bars(values: dict[str, float], scale: str) -> Any:
    rows = [{"input": name, "value": value, "up": value > 0} for name, value in values.items()]
    order = sorted(values, key=lambda name: -abs(values[name]))
    colour = alt.Scale(domain=[True, False], range=["#c0392b", "#2c5aa0"])
    return (
        alt.Chart(alt.InlineData(values=rows))
        .mark_bar()
        .encode(
            x=alt.X("value:Q", title=f"SHAP value [{scale}]"),
            y=alt.Y("input:N", sort=order, axis=alt.Axis(title=None, labelLimit=300)),
            color=alt.Color("up:N", scale=colour, legend=None),
        )
    )


def _neighbours(near: Any, found: Any) -> None:
    st.subheader("The nearest rows that the model was trained on")
    agreement = found["agreement"]
    if agreement is None:
        st.caption(found["agreement_reason"])
    else:
        st.metric("of them agree", f"{agreement:.0%}")
    rows = [
        {near["target"]: each["target"], "distance": each["distance"], **each["inputs"]}
        for each in found["neighbours"]
    ]
    st.dataframe(rows, hide_index=True)
    st.caption(
        f"Distance in {near['distance_unit']}; {near['searched_rows']:,} of "
        f"{near['training_rows']:,} rows were searched."
    )


def _map(drawn: Any, found: Any) -> Any:
    across, up = (
        f"{axis['name']} ({axis['explained_variance_ratio']:.0%} of the variance)"
        for axis in drawn["axes"]
    )
    rows = [
        {"x": point["coordinates"][0], "y": point["coordinates"][1], "target": point["target"]}
        for point in drawn["points"]
    ]
    kind = "N" if rows and isinstance(rows[0]["target"], str) else "Q"
    unit = f" [{drawn['unit']}]" if drawn["unit"] else ""
    colours = alt.Scale(scheme="tableau10" if kind == "N" else "viridis")
    points = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_circle(opacity=0.5)
        .encode(
            x=alt.X("x:Q", title=across),
            y=alt.Y("y:Q", title=up),
            color=alt.Color(f"target:{kind}", title=f"{drawn['target']}{unit}", scale=colours),
        )
    )
    x, y = found["coordinates"]
    here = (
        alt.Chart(alt.InlineData(values=[{"x": x, "y": y}]))
        .mark_point(shape="cross", size=300, color="black", filled=True)
        .encode(x="x:Q", y="y:Q")
    )
    return points + here
