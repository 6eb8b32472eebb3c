"""The page that answers why: the chain of recorded facts about a version, a batch or a prediction.

Belongs here: what is asked about, and showing the statements with what they rest on. Does not
belong here: the statements.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import Any

import streamlit as st

from dashboard.service import Failed, Service

SHOWN = 40  # characters of a digest


def page(service: Service, use_case: str) -> None:
    """Shows it."""
    st.header(f"Why is it as it is? {use_case}")
    asks: dict[str, Callable[[Service, str], Any]] = {
        "a version": _of_version, "a batch": _of_batch, "a prediction": _of_prediction,
    }  # fmt: skip
    about = st.radio("About", list(asks), horizontal=True)
    answer = asks[about](service, use_case)
    if answer is not None:
        _show(answer)


def _of_version(service: Service, use_case: str) -> Any:
    versions = [each["version"] for each in _listed(service, use_case, "releases")]
    version = st.selectbox("Version", [None, *versions], format_func=_called)
    asked = {} if version is None else {"version": version}
    return service.get("api/v1", use_case, "why", **asked)


def _of_batch(service: Service, use_case: str) -> Any:
    """Of a batch, or of the prediction of a row of it."""
    batches = [each["batch"] for each in _listed(service, use_case, "batches")]
    batch = st.selectbox("Batch", batches, accept_new_options=True, placeholder="none yet")
    key = st.text_input("Key of a row", placeholder="empty: of the whole batch").strip()
    if not batch:
        return None
    asked = {"key": key} if key else {}
    return service.get("api/v1", use_case, "why/batches", batch, **asked)


def _of_prediction(service: Service, use_case: str) -> Any:
    name = st.text_input("Prediction", placeholder="prediction_id of an answer").strip()
    return service.get("api/v1", use_case, "why/predictions", name) if name else None


def _listed(service: Service, use_case: str, kind: str) -> list[Any]:
    """What there is of a kind; nothing where the service knows of none, which why tells itself."""
    try:
        return list(service.get("api/v1", use_case, kind)[kind])
    except Failed:
        return []


def _show(answer: Any) -> None:
    for topic, statements in groupby(answer["statements"], lambda each: each["topic"]):
        st.markdown(f"**{topic}**")
        for each in statements:
            shown = st.write if each["known"] else st.warning
            shown(each["text"])
            cited = "; ".join(_cited(citation) for citation in each["citations"])
            if cited:
                st.caption(cited)


def _called(version: int | None) -> str:
    return "the champion" if version is None else f"version {version}"


def _cited(citation: Any) -> str:
    """By what it is looked up; where an object lies, which is long, is in the service's JSON."""
    return " ".join(str(value)[:SHOWN] for name, value in citation.items() if name != "uri")
