"""The top of a batch's report: the verdict, who moved, and an answer to each further question.

Belongs here: what a reader has to know who reads no further. Does not belong here: the numbers
behind it (`leeway.report_drift`, `leeway.report_damage`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from leeway.drift.history import ENOUGH_BATCHES, MOST_BATCHES

_TOLD = {
    "confirmed": "This batch has drifted.",
    "suspect": "This batch may have drifted.",
    "none": "This batch has not drifted.",
    "undefined": "Whether this batch has drifted is undefined.",
}
_COMPARED = {
    "training_part": "what {model} was trained on",
    "previous_batch": "the batch before it",
    "season": "the same month of earlier years",
}
_ANSWERS = {
    "confirmed": "yes, confirmed",
    "suspect": "perhaps (suspect)",
    "none": "no",
    "undefined": "not known",
}


def verdict_html(drift: Mapping[str, Any], version: int, algorithm: str) -> str:
    """The verdict in words, who moved, and what both rest on."""
    with_what = _COMPARED[drift.get("reference", "training_part")]  # older ones have none
    about = (
        f"Compared with {with_what.format(model=f'version {version} ({algorithm})')}: "
        f"{drift['rows']['reference']:,} rows, here {drift['rows']['current']:,}. "
        f"{_usual(drift['history'])} Without drift, such a verdict is confirmed in at most "
        f"{drift['alarm_probability']:.2%} of batches."
    )
    target = drift["target_verdict"]
    told = f" The target, for itself: {target}." if target else ""
    moved = drift["who_moved"]
    who = f"<p><strong>Who moved:</strong> {escape(moved)}</p>" if moved else ""
    return (
        f'<p class="{drift["verdict"]}"><strong>{_TOLD[drift["verdict"]]}</strong> '
        f"{escape(drift['reason'])}</p>{who}<p>{escape(about + told)}</p>"
    )


def _usual(batches: int) -> str:
    if batches < ENOUGH_BATCHES:
        return f"What is usual is known from {ENOUGH_BATCHES} batches on; {batches} are there."
    return f"{min(batches, MOST_BATCHES)} earlier batches tell what is usual."


def questions_html(found: Iterable[tuple[str, str, str]]) -> str:
    """A line per question: the question, the verdict that answers it, and why."""
    lines = "".join(
        f'<tr><th>{escape(question)}</th><td class="answer {verdict}">{_ANSWERS[verdict]}</td>'
        f"<td>{escape(reason)}</td></tr>"
        for question, verdict, reason in found
    )
    return f"<table>{lines}</table>"
