"""The report of one batch as one HTML page that needs nothing beside it.

Belongs here: what stands in the report, and its HTML. Does not belong here: computing the numbers
(`leeway.data.quality`, `leeway.drift`, `leeway.performance`), or storing it (`assets.report`).

Every value is escaped: names and categories come from data. The page loads nothing and runs no
script; pictures are part of it. Equal content gives equal bytes.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from leeway.data.quality import ColumnQuality
from leeway.report_damage import damage_html, joint_html
from leeway.report_drift import columns_html
from leeway.report_parts import number, table
from leeway.report_summary import questions_html, verdict_html

STYLE = (
    "body{font:14px sans-serif;max-width:70em;margin:2em auto;color:#222}"
    "table{border-collapse:collapse;margin:.5em 0 1.5em}"
    "th,td{border-bottom:1px solid #ccc;padding:.2em .6em;text-align:left;vertical-align:top}"
    "th{background:#f2f2f2}img{max-width:100%}p.confirmed,p.suspect,p.none,p.undefined"
    "{border-left:.4em solid;padding:.4em .8em;background:#f7f7f7}"
    "td.answer{white-space:nowrap;font-weight:bold}"
    ".confirmed{color:#a33f00}.suspect{color:#8a6100}.none{color:#006b4f}.undefined{color:#666}"
)


@dataclass(frozen=True)
class BatchReport:
    """What is known of a batch.

    `raw` holds the facts of its ingestion, `drift`, `damage` and `performance` what these nodes
    stored, `predictions` whether these drifted, `gates` whether labels prove one broken, as a
    verdict with its reason, and `plot` the PNG of the effects.
    """

    title: str
    batch: str
    version: int
    algorithm: str
    allowed_rejects: float
    raw: Mapping[str, Any]
    columns: Sequence[ColumnQuality]
    drift: Mapping[str, Any]
    damage: Mapping[str, Any]
    predictions: Mapping[str, Any]
    performance: Mapping[str, Any]
    gates: tuple[str, str]
    plot: bytes


def report_html(report: BatchReport) -> str:
    """The page."""
    title = f"{report.title}: batch {report.batch}"
    parts = [
        f"<h1>{escape(title)}</h1>",
        verdict_html(report.drift, report.version, report.algorithm),
        _questions(report),
        damage_html(report.damage),
        joint_html(report.damage["joint"]),
        _predictions(report),
        _columns(report),
        _performance(report),
        _quality(report),
    ]
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>"
        f"<body>{''.join(parts)}</body></html>\n"
    )


def _questions(report: BatchReport) -> str:
    nodes = (
        ("Does the change cost the model?", report.damage),
        ("Are its rows others as a whole?", report.damage["joint"]),
        ("Are the predictions others?", report.predictions),
    )
    found = [(question, node["verdict"], node["reason"]) for question, node in nodes]
    return questions_html([*found, ("Do labels prove a gate broken?", *report.gates)])


def _predictions(report: BatchReport) -> str:
    rows = report.predictions["rows"]
    about = (
        f"What version {report.version} says of the {rows['current']:,} rows of this batch, beside "
        f"what it said of {rows['reference']:,} held-out rows."
    )
    return f"<h2>Predictions</h2><p>{about}</p>{columns_html(report.predictions)}"


def _quality(report: BatchReport) -> str:
    raw = report.raw
    rows, rejected = raw["rows"], raw["rejected"]
    share = f"{rejected / rows:.1%}" if rows else "undefined"
    facts = (
        f"{rows} rows came from {raw['source']}; {rejected} were rejected ({share}; allowed are "
        f"{report.allowed_rejects:.1%})."
    )
    columns = (
        (
            each.name,
            f"{each.type} ({each.role})",
            f"{each.missing} of {each.rows}",
            each.distinct,
            each.summary,
            each.unit,
        )
        for each in report.columns
    )
    reasons = table(("reason", "values"), raw["reasons"].items()) if raw["reasons"] else ""
    heads = ("column", "type", "missing", "distinct", "values", "unit")
    return f"<h2>Data quality</h2><p>{escape(facts)}</p>{reasons}{table(heads, columns)}"


def _columns(report: BatchReport) -> str:
    about = (
        "The index (PSI) is commonly read as none below 0.1, moderate below 0.2 and large from "
        "there on; the verdict rests on the effect and its interval, which know how many rows "
        "there are."
    )
    picture = base64.b64encode(report.plot).decode()
    return (
        f"<h2>Columns</h2><p>{about}</p>{columns_html(report.drift)}"
        f'<img alt="effect of each column" src="data:image/png;base64,{picture}">'
    )


def _performance(report: BatchReport) -> str:
    found = report.performance
    about = (
        f"{found['labelled']} of {found['rows']} predicted rows judge the model: they have a label "
        f"by now, and it was not fitted on them. {found['fitted']} others with a label it was "
        "fitted on."
    )
    rows = (
        (
            segment,
            name,
            number(metric["value"]) if metric["value"] is not None else metric["reason"],
            "undefined"
            if metric["low"] is None
            else f"{number(metric['low'])} to {number(metric['high'])}",
            metric["unit"],
            metric["rows"],
        )
        for segment, metrics in found["segments"].items()
        for name, metric in metrics.items()
    )
    heads = ("segment", "metric", "value", "95 % interval", "unit", "rows")
    return f"<h2>Performance</h2><p>{escape(about)}</p>{table(heads, rows)}"
