"""The page of releases: what was released with which verdict, who is champion, and moving it.

Belongs here: that. Does not belong here: whether a version may be champion, which the service says.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboard.answers import moment, number
from dashboard.service import Service


def page(service: Service, use_case: str) -> None:
    """Shows it."""
    found = service.get("api/v1", use_case, "releases")
    champion = found["champion"]
    st.header(f"Releases of {use_case}")
    st.metric("Champion", "none" if champion is None else f"version {champion}")
    st.dataframe([_row(each, champion) for each in found["releases"]], hide_index=True)
    if found["trials"]:
        st.subheader("Trials beside the champion")
        st.dataframe([_trial(each) for each in found["trials"]], hide_index=True)
    st.subheader("Moves of the champion")
    names = {"moved_at": "when", "action": "action", "previous_version": "from", "version": "to",
             "who": "who", "why": "why"}  # fmt: skip
    moves = [
        {shown: each[name] for name, shown in names.items()} | {"when": moment(each["moved_at"])}
        for each in found["moves"]
    ]
    st.dataframe(moves, hide_index=True)
    st.subheader("Move it")
    with st.form(f"move.{use_case}"):
        versions = [each["version"] for each in found["releases"] if each["verdict"] != "reject"]
        version = st.selectbox("Version", versions)
        why = st.text_input("Why", placeholder="it is written down with the move")
        left, right = st.columns(2)
        promote = left.form_submit_button("Promote this version", disabled=not versions)
        back = right.form_submit_button("Roll back to the version before")
    if promote or back:
        _move(service, use_case, "promote" if promote else "rollback", version, why)


def _row(release: Any, champion: int | None) -> dict[str, Any]:
    metrics = "; ".join(_metric(*each) for each in list(release["metrics"].items())[:3])
    role = "champion" if release["version"] == champion else ""
    if release["awaits_person"] and not role:
        role = "waits for a person"
    return {
        "version": release["version"],
        "role": role,
        "verdict": release["verdict"],
        "algorithm": release["algorithm"],
        "released": moment(release["released_at"]),
        "held out": metrics,
        "reason": release["reason"],
    }


def _metric(name: str, found: Any) -> str:
    told = f"{name} {number(found['value'], found['unit'])}"
    if found["low"] is None:
        return told
    return f"{told} ({number(found['low'], None)} to {number(found['high'], None)})"


def _trial(trial: Any) -> dict[str, Any]:
    evidence, policy = trial["evidence"] or {}, trial["policy"]
    benefit = evidence.get("benefit") or {}
    interval = ""
    if benefit.get("low") is not None:
        interval = f"{number(benefit['low'], None)} to {number(benefit['high'], benefit['unit'])}"
    return {
        "version": trial["version"],
        "beside": trial["champion"],
        "mode": policy["mode"] if policy["mode"] == "shadow" else f"canary, {policy['share']:.0%}",
        "began": moment(trial["began_at"]),
        "verdict": trial["verdict"] or "runs",
        "answered": evidence.get("answered"),
        "failed": evidence.get("failed"),
        "labels": evidence.get("labelled_rows"),
        "loses less by": interval,
        "reason": trial["reason"] or "nobody has judged it yet",
    }


def _move(service: Service, use_case: str, action: str, version: int | None, why: str) -> None:
    if not why.strip():
        st.error("Say why: it is written down with the move.")
        return
    body: dict[str, Any] = {"why": why}
    if action == "promote":
        body["version"] = version
    told = service.post("api/v1", use_case, action, body=body)["told"]
    st.success(f"{use_case}: {told}. It is served within a second; look again to see it here.")
