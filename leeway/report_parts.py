"""What the sections of a batch's report are made of: tables, facts, and escaping of every value.

Belongs here: HTML of values that are handed in. Does not belong here: which values (`leeway.report`
and the other `leeway.report_` modules).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape


def number(value: float | None) -> str:
    """Four digits, or that there is none."""
    return "undefined" if value is None else f"{value:.4g}"


def table(heads: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A table of texts."""

    def line(cells: Iterable[object], kind: str) -> str:
        return "<tr>" + "".join(f"<{kind}>{escape(str(c))}</{kind}>" for c in cells) + "</tr>"

    body = "".join(line(row, "td") for row in rows)
    return f"<table><thead>{line(heads, 'th')}</thead><tbody>{body}</tbody></table>"


def facts(told: Mapping[str, str]) -> str:
    """One line per fact, of which the names are those of a node's metadata."""
    lines = "".join(
        f"<tr><th>{escape(name.replace('_', ' '))}</th><td>{escape(value)}</td></tr>"
        for name, value in told.items()
    )
    return f"<table>{lines}</table>"


def foremost(rows: Sequence[Mapping[str, str]], most: int) -> str:
    """A table of the first rows, and how many are left out; nothing where there is none."""
    if not rows:
        return ""
    left = len(rows) - most
    more = f"<p>{left} columns with smaller parts are not shown.</p>" if left > 0 else ""
    return table(rows[0], [row.values() for row in rows[:most]]) + more
