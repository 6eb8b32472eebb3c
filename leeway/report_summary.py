"""The top of a batch's report: the verdict, who moved, and an answer to each further question.

Belongs here: what a reader has to know who reads no further. Does not belong here: the numbers
behind it (`leeway.report_drift`, `leeway.report_damage`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

_TOLD = {
    "confirmed": "This batch has drifted.",
    "suspect": "This batch may have drifted.",
    "none": "This batch has not drifted.",
    "undefined": "Whether this batch has drifted is undefined.",
}
_ANSWERS = {
    "confirmed": "yes, confirmed",
    "suspect": "perhaps (suspect)",
    "none": "no",
    "undefined": "not known",
}


def verdict_html(drift: Mapping[str, Any], version: int, algorithm: str) -> str:
    """The verdict in words, who moved, and what both rest on."""
    about = (
        f"Compared with what version {version} ({algorithm}) was trained on: "
        f"{drift['rows']['reference']:,} rows, here {drift['rows']['current']:,}. "
        f"{drift['history']} earlier batches tell what is usual. Without drift, such a verdict is "
        f"confirmed in at most {drift['alarm_probability']:.2%} of batches."
    )
    target = drift["target_verdict"]
    told = f" The target, for itself: {target}." if target else ""
    moved = drift["who_moved"]
    who = f"<p><strong>Who moved:</strong> {escape(moved)}</p>" if moved else ""
    return (
        f'<p class="{drift["verdict"]}"><strong>{_TOLD[drift["verdict"]]}</strong> '
        f"{escape(drift['reason'])}</p>{who}<p>{escape(about + told)}</p>"
    )


def questions_html(found: Iterable[tuple[str, str, str]]) -> str:
    """A line per question: the question, the verdict that answers it, and why."""
    lines = "".join(
        f'<tr><th>{escape(question)}</th><td class="answer {verdict}">{_ANSWERS[verdict]}</td>'
        f"<td>{escape(reason)}</td></tr>"
        for question, verdict, reason in found
    )
    return f"<table>{lines}</table>"
