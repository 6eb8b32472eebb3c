"""The part of a batch's report that says which columns moved, and how they look.

Belongs here: HTML of what the nodes `drift` and `predictions` stored of columns. Does not belong
here: the page around it (`leeway.report`), or the pictures (`leeway.drift.pictures`).
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from leeway.drift.change import Change, moved_told
from leeway.drift.column import ColumnDrift
from leeway.drift.distribution import Distribution
from leeway.drift.pictures import distribution_svg
from leeway.report_parts import number

# As capabilities of the field have it: N. Siddiqi, Credit Risk Scorecards, 2006.
PSI_BANDS = ((0.1, "none"), (0.2, "moderate"))
MOST_ROWS = 300  # with the pictures, less than half a megabyte
SHOWN = ("psi", "jensen_shannon", "wasserstein", "chi2", "missing_rate_change")
_ORDER = ("confirmed", "suspect", "none", "undefined")
_HEADS = ("column", "moved", "reference (grey) and batch", "verdict", "effect", "PSI", "others")


def psi_band(psi: float) -> str:
    """How a population stability index is commonly read: none, moderate or large."""
    return next((name for limit, name in PSI_BANDS if psi < limit), "large")


def columns_html(drift: Mapping[str, Any]) -> str:
    """A row per column, by verdict and effect, with both distributions of the foremost."""
    columns = drift["columns"]
    alike = len({column["role"] for column in columns.values()}) == 1
    ordered = sorted(columns, key=lambda name: _place(columns[name]))
    body = "".join(
        _row(name, columns[name], drift["distributions"].get(name), alike=alike)
        for name in ordered[:MOST_ROWS]
    )
    heads = "".join(f"<th>{head}</th>" for head in _HEADS)
    left = len(ordered) - MOST_ROWS
    more = f"<p>{left} columns with smaller effects are not shown.</p>" if left > 0 else ""
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>{more}"


def _place(column: Mapping[str, Any]) -> tuple[int, float]:
    return _ORDER.index(column["verdict"]), -(column["effect"] or 0.0)


def _effect(name: str, column: Mapping[str, Any]) -> str:
    interval = column["interval"]
    if interval is None:
        return "undefined"
    return (
        f"{number(column['effect'])} ({number(interval[0])} to {number(interval[1])}); "
        f"{ColumnDrift.from_dict(name, column).worth_told} is worth acting on"
    )


def _row(
    name: str, column: Mapping[str, Any], distribution: Mapping[str, Any] | None, *, alike: bool
) -> str:
    """One line; its role is not told where all are `alike`."""
    change = Change(**column["change"]) if column["change"] else None
    unit = change.unit if change and column["kind"] == "number" else ""
    picture = distribution_svg(Distribution.from_dict(distribution), unit) if distribution else ""
    statistics = column["statistics"]
    psi = statistics.get("psi")
    told = [key for key in SHOWN[1:] if key in statistics]
    others = ", ".join(f"{key.replace('_', ' ')} {number(statistics[key])}" for key in told)
    cells = (
        escape(name) if alike else f"{escape(name)}<br><small>{escape(column['role'])}</small>",
        escape(moved_told(column)),
        picture,
        f'<span class="{column["verdict"]}">{column["verdict"]}</span>',
        escape(_effect(name, column)),
        "undefined" if psi is None else f"{number(psi)} ({psi_band(psi)})",
        escape(others),
    )
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
