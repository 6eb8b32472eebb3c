"""The page that answers why: the chain of recorded facts about a version of a model.

Belongs here: showing the statements with what they rest on. Does not belong here: the statements.
"""

from __future__ import annotations

from itertools import groupby
from typing import Any

import streamlit as st

from dashboard.service import Service

SHOWN = 40  # characters of a digest


def page(service: Service, use_case: str) -> None:
    """Shows it."""
    st.header(f"Why is the model of {use_case} as it is?")
    versions = [each["version"] for each in _releases(service, use_case)]
    version = st.selectbox("Version", [None, *versions], format_func=_called)
    asked = {} if version is None else {"version": version}
    answer = service.get("api/v1", use_case, "why", **asked)
    for topic, statements in groupby(answer["statements"], lambda each: each["topic"]):
        st.markdown(f"**{topic}**")
        for each in statements:
            shown = st.write if each["known"] else st.warning
            shown(each["text"])
            cited = "; ".join(_cited(citation) for citation in each["citations"])
            if cited:
                st.caption(cited)


def _releases(service: Service, use_case: str) -> list[Any]:
    return list(service.get("api/v1", use_case, "releases")["releases"])


def _called(version: int | None) -> str:
    return "the champion" if version is None else f"version {version}"


def _cited(citation: Any) -> str:
    return " ".join(str(value)[:SHOWN] for value in citation.values())
