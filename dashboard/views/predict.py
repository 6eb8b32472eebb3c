"""The page that predicts: a form of the model's inputs, and the answer.

Belongs here: that. Does not belong here: the form itself (`dashboard.forms`).
"""

from __future__ import annotations

import streamlit as st

from dashboard.answers import show
from dashboard.forms import instance_form
from dashboard.service import Service


def page(service: Service, use_case: str) -> None:
    """Shows it."""
    model = service.get("api/v1", use_case, "model")
    st.header(model["title"])
    st.caption("Fields with * are required; one that is left empty is missing.")
    instance = instance_form(model["inputs"], "Predict", f"predict.{use_case}")
    if instance:
        body = {"instances": [instance]}
        show(service.post("api/v1", use_case, "predict", body=body))
