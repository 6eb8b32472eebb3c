"""The part of a batch's report that says whether it drifted: the verdict first, then its columns.

Belongs here: HTML of what the node `drift` stored. Does not belong here: the page around it
(`leeway.report`), or the pictures (`leeway.drift.pictures`).
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from leeway.drift.change import Change
from leeway.drift.distribution import Distribution
from leeway.drift.pictures import distribution_svg

# As capabilities of the field have it: N. Siddiqi, Credit Risk Scorecards, 2006.
PSI_BANDS = ((0.1, "none"), (0.2, "moderate"))
MOST_ROWS = 300  # with the pictures, less than half a megabyte
SHOWN = ("psi", "jensen_shannon", "wasserstein", "chi2", "missing_rate_change")
_ORDER = ("confirmed", "suspect", "none", "undefined")
_HEADS = ("column", "moved", "reference (grey) and batch", "verdict", "effect", "PSI", "others")
_TOLD = {
    "confirmed": "This batch has drifted.",
    "suspect": "This batch may have drifted.",
    "none": "This batch has not drifted.",
    "undefined": "Whether this batch has drifted is undefined.",
}


def psi_band(psi: float) -> str:
    """How a population stability index is commonly read: none, moderate or large."""
    return next((name for limit, name in PSI_BANDS if psi < limit), "large")


def verdict_html(drift: Mapping[str, Any], version: int, algorithm: str) -> str:
    """The verdict in words, and what it rests on."""
    about = (
        f"Compared with what version {version} ({algorithm}) was trained on: "
        f"{drift['rows']['reference']:,} rows, here {drift['rows']['current']:,}. "
        f"{drift['history']} earlier batches tell what is usual. Without drift, such a verdict is "
        f"confirmed in at most {drift['alarm_probability']:.2%} of batches."
    )
    target = drift["target_verdict"]
    told = f" The target, for itself: {target}." if target else ""
    return (
        f'<p class="{drift["verdict"]}"><strong>{_TOLD[drift["verdict"]]}</strong> '
        f"{escape(drift['reason'])}</p>{_origins(drift)}<p>{escape(about + told)}</p>"
    )


def columns_html(drift: Mapping[str, Any]) -> str:
    """A row per column, by verdict and effect, with both distributions of the foremost."""
    columns = drift["columns"]
    ordered = sorted(columns, key=lambda name: _place(columns[name]))
    body = "".join(
        _row(name, columns[name], drift["distributions"].get(name)) for name in ordered[:MOST_ROWS]
    )
    heads = "".join(f"<th>{head}</th>" for head in _HEADS)
    left = len(ordered) - MOST_ROWS
    more = f"<p>{left} columns with smaller effects are not shown.</p>" if left > 0 else ""
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>{more}"


def _origins(drift: Mapping[str, Any]) -> str:
    items = "".join(
        f"<li>{escape(name)}: {escape(origin['reason'])}</li>"
        for name, origin in drift["origins"].items()
    )
    return f"<ul>{items}</ul>" if items else ""


def _place(column: Mapping[str, Any]) -> tuple[int, float]:
    return _ORDER.index(column["verdict"]), -(column["effect"] or 0.0)


def _row(name: str, column: Mapping[str, Any], distribution: Mapping[str, Any] | None) -> str:
    change = Change(**column["change"]) if column["change"] else None
    unit = change.unit if change and column["kind"] == "number" else ""
    picture = distribution_svg(Distribution.from_dict(distribution), unit) if distribution else ""
    statistics = column["statistics"]
    psi = statistics.get("psi")
    interval = column["interval"]
    effect = (
        "undefined"
        if interval is None
        else (
            f"{number(column['effect'])} ({number(interval[0])} to {number(interval[1])}); "
            f"{number(column['threshold'])} is worth acting on"
        )
    )
    told = [key for key in SHOWN[1:] if key in statistics]
    others = ", ".join(f"{key.replace('_', ' ')} {number(statistics[key])}" for key in told)
    cells = (
        f"{escape(name)}<br><small>{escape(column['role'])}</small>",
        escape(change.told() if change else column["reason"]),
        picture,
        f'<span class="{column["verdict"]}">{column["verdict"]}</span>',
        escape(effect),
        "undefined" if psi is None else f"{number(psi)} ({psi_band(psi)})",
        escape(others),
    )
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def number(value: float | None) -> str:
    """Four digits, or that there is none."""
    return "undefined" if value is None else f"{value:.4g}"
