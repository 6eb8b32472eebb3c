"""The report of a batch is one page that says what was found, and a PDF where one can be made."""

from __future__ import annotations

import base64
import io
import json
import re
import sys
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from PIL import Image

from leeway.damage.batch import estimate_damage
from leeway.damage.told import damage_told, shares_told
from leeway.data.quality import column_quality
from leeway.digests import canonical_json
from leeway.drift.content import content_of
from leeway.drift.declared import profile_table
from leeway.drift.distribution import MOST_COLUMNS, distributions_of
from leeway.drift.multivariate import multivariate_drift
from leeway.drift.verdict import compare_profiles
from leeway.prediction import Model
from leeway.report import BatchReport, report_html
from leeway.report_drift import psi_band
from leeway.spec import Column, Drift, UseCase
from resources.pdf import NoPdf, pdf_of

EVIL = '<script>alert("1")</script>'


def use_case() -> UseCase:
    columns: list[dict[str, Any]] = [
        {"name": "id", "type": "integer", "role": "key"},
        {"name": "y", "type": "category", "role": "target"},
        {"name": "size", "type": "number", "unit": "mm"},
        {"name": "site", "type": "category"},
        {"name": "note", "type": "text", "role": "ignored"},
    ]
    return UseCase.model_validate(
        {
            "title": "Sizes & sites",
            "task": "classification",
            "source": {"kind": "file", "path": "t.csv"},
            "columns": [{"description": "d", **column} for column in columns],
        }
    )


TABLE = pa.table(
    {
        "id": [1, 2, 3, 4],
        "y": ["a", "a", "b", None],
        "size": [1.0, None, 3.0, 8.0],
        "site": pa.array([None] * 4, pa.string()),
    }
)


X = Column(name="size", type="number", unit="mm", description=".")
C = Column(name="site", type="category", description=".")


def drift_of(columns: list[Column], sides: list[pa.Table], **more: Any) -> dict[str, Any]:
    """What the node `drift` stores of a batch."""
    profiles = [profile_table(side, columns) for side in sides]
    found = compare_profiles(profiles[0], profiles[1], Drift(), columns)
    shown = distributions_of(profiles[0], profiles[1], found.columns)
    return content_of(found, {}, shown) | more


SIDES = [
    pa.table({"size": np.arange(500.0) + moved, "site": [level] * 500})
    for moved, level in ((0, "a"), (300, EVIL))
]
DRIFT = drift_of([X, C], SIDES, who_moved=f"size: Introduced by {EVIL}. Mend it.")


class Twice:
    """Predicts twice the size; the truth strays with the size."""

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        return np.asarray(2 * frame["size"].to_numpy())


def damage_of(shift: float) -> dict[str, Any]:
    """What the node `damage` stores of a batch that is shifted in standard deviations."""
    rng = np.random.default_rng(0)
    content = use_case().model_dump(mode="json", exclude={"columns", "search"})
    key, target, size, *_ = [each.model_dump(mode="json") for each in use_case().columns]
    target |= {"type": "number", "unit": "g"}
    content |= {"task": "regression", "columns": [key, target, size], "search": {"metric": "mae"}}
    case = UseCase.model_validate(content)

    def rows(first: int, moved: float) -> pa.Table:
        size = rng.normal(moved, 1, 400)
        noise = rng.normal(size=400) * np.exp(size / 2)
        return pa.table({"id": np.arange(first, first + 400), "y": 2 * size + noise, "size": size})

    sides = rows(0, 0.0), rows(1000, shift)
    found = estimate_damage(*sides, case, Model(Twice(), None))
    joint = multivariate_drift(*sides, case.feature_columns, effect=0.05, confidence=0.995)
    stored: dict[str, Any] = json.loads(
        canonical_json({**found.as_dict(), "joint": joint.as_dict()})
    )
    return stored


HARMED = damage_of(0.8)
PREDICTED = drift_of(
    [Column(name="prediction", type="number", unit="g", description=".")],
    [pa.table({"prediction": np.arange(400.0) + moved}) for moved in (0, 100)],
)


def report(**changes: Any) -> BatchReport:
    metric = {"value": 0.5, "low": None, "high": None, "unit": "fraction", "rows": 3}
    undefined = {"value": None, "low": None, "high": None, "unit": "x", "rows": 1, "reason": "none"}
    content: dict[str, Any] = {
        "title": "Sizes & sites",
        "batch": "2009",
        "version": 3,
        "algorithm": "ridge",
        "allowed_rejects": 0.05,
        "raw": {"rows": 5, "rejected": 1, "source": "a file", "reasons": {f"y: {EVIL}": 1}},
        "columns": column_quality(TABLE, use_case()),
        "drift": DRIFT,
        "damage": HARMED,
        "predictions": PREDICTED,
        "gates": ("confirmed", "accuracy is 0.5, below 0.9."),
        "performance": {
            "rows": 4,
            "labelled": 3,
            "fitted": 1,
            "segments": {"all rows": {"accuracy": metric, "roc_auc": undefined}},
        },
        "plot": b"\x89PNG",
    }
    return BatchReport(**(content | changes))


def test_quality_counts_what_is_missing_and_shows_what_is_there() -> None:
    found = {each.name: each for each in column_quality(TABLE, use_case())}
    assert list(found) == ["id", "y", "size", "site"], "an ignored column is not stored"
    assert found["size"].missing == 1
    assert found["size"].summary == "1 to 8, median 3"
    assert found["size"].unit == "mm"
    assert (found["y"].distinct, found["y"].summary) == (2, "a (2), b (1)")
    assert (found["site"].missing, found["site"].summary) == (4, "no value")


@pytest.mark.parametrize(
    ("psi", "band"),
    [(0.0, "none"), (0.0999, "none"), (0.1, "moderate"), (0.19, "moderate"), (0.2, "large")],
)
def test_psi_is_read_as_is_usual(psi: float, band: str) -> None:
    assert psi_band(psi) == band


class Page(HTMLParser):
    """Cells of the tables by row, and every address of the page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.within = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
            self.within = True

    def handle_endtag(self, tag: str) -> None:
        self.within = self.within and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self.within and data.strip():
            self.rows[-1][-1] += data


def test_the_page_needs_nothing_beside_it_and_runs_nothing() -> None:
    html = report_html(report())
    page = Page(html)
    assert page.links, "the picture"
    assert all(link.startswith("data:image/png;base64,") for link in page.links)
    assert not {"script", "link", "iframe"} & page.tags
    assert EVIL not in html
    assert any(EVIL in cell for row in page.rows for cell in row), "shown as the text that it is"
    assert not re.search(r"https?://", html)
    assert html == report_html(report()), "equal content gives equal bytes"


def test_the_verdict_comes_first_and_then_columns_by_effect() -> None:
    html = report_html(report())
    assert html.index("This batch has drifted.") < html.index("<h2>Columns</h2>")
    assert html.index("<h2>Columns</h2>") < html.index("<h2>Performance</h2>")
    rows = Page(html).rows
    starts = [i for i, row in enumerate(rows) if row[:2] == ["column", "moved"]]
    start = starts[-1]  # the first is that of the predictions
    shown = {row[0]: row for row in rows[start + 1 : start + 3]}
    assert list(shown) == ["site", "size"]
    assert shown["size"][1].startswith("median: 249 to 549 mm (between +2")
    assert shown["size"][3] == "confirmed"
    assert shown["size"][5].endswith("(large)")
    assert "wasserstein 300" in shown["size"][6]
    assert "Compared with what version 3 (ridge) was trained on: 500 rows, here 500." in html
    assert "confirmed in at most 0.55%" in html
    assert ["all rows", "accuracy", "0.5", "undefined", "fraction", "3"] in rows
    assert any(row[:5] == ["all rows", "roc_auc", "none", "undefined", "x"] for row in rows)


def test_the_first_screen_answers_a_question_each() -> None:
    html = report_html(report())
    first = html[: html.index("<h2>")]
    assert "<strong>Who moved:</strong> size: Introduced by &lt;script" in first
    rows = Page(first).rows
    assert [row[:2] for row in rows] == [
        ["Does the change cost the model?", "yes, confirmed"],
        ["Are its rows others as a whole?", "yes, confirmed"],
        ["Are the predictions others?", "yes, confirmed"],
        ["Do labels prove a gate broken?", "yes, confirmed"],
    ]
    assert rows[0][2] == HARMED["reason"]
    quiet = report_html(report(gates=("none", "no gate is proven to be broken on 9 rows.")))
    assert ["Do labels prove a gate broken?", "no"] in [row[:2] for row in Page(quiet).rows]


def test_what_a_change_costs_is_told_with_unit_interval_and_column() -> None:
    """In the words that the metadata of the node has."""
    page = Page(report_html(report())).rows
    rows = {row[0]: row[1:] for row in page}
    told = damage_told(HARMED)
    assert {name.replace("_", " "): [value] for name, value in told.items()}.items() <= rows.items()
    value, low, high = (f"{HARMED['change'][key]:+.4g}" for key in ("value", "low", "high"))
    assert told["change"] == f"{value} g ({low} to {high})"
    assert HARMED["change"]["low"] > 0.2
    assert told["metric"] == "mae (g)"
    (part,) = shares_told(HARMED)
    assert (part["column"], part["share"], part["loss"]) == ("size", "100.0 %", "absolute error")
    assert list(part.values()) in page


def test_damage_that_is_refused_says_why_and_that_each_amount_is_undefined() -> None:
    refused = damage_of(9.0)
    assert refused["verdict"] == "undefined"
    html = report_html(report(damage=refused))
    rows = {row[0]: row[1:] for row in Page(html).rows}
    assert rows["Does the change cost the model?"] == ["not known", refused["reason"]]
    assert "rows are like none of the reference" in refused["reason"]
    assert rows["change"] == ["undefined"]
    assert rows["like no held out row"] == ["99.5 %"]


def test_rows_as_a_whole_and_predictions_have_their_sections() -> None:
    html = report_html(report())
    rows = {row[0]: row[1:] for row in Page(html).rows}
    auc = HARMED["joint"]["auc"]
    said = f"{auc['value']:.4g} ({auc['low']:.4g} to {auc['high']:.4g}); 0.5 is guessing, "
    assert rows["auc of a classifier"] == [f"{said}0.525 is the limit"]
    assert rows["change of the reconstruction error"] == ["undefined"], "of one column"
    assert "says of the 400 rows of this batch, beside what it said of 400 held-out rows" in html
    assert rows["prediction"][0].startswith("median: 199 to 299 g (between +")


def test_a_column_that_is_undefined_says_why() -> None:
    few = [side.slice(0, 9) for side in SIDES]
    html = report_html(report(drift=drift_of([X, C], few)))
    assert "Whether this batch has drifted is undefined." in html
    assert "size has 9 values on one side; 30 are needed." in html


def test_both_distributions_are_drawn_with_unit_and_levels() -> None:
    html = report_html(report())
    assert html.count("<svg") == 3, "of both columns, and of the prediction"
    assert html.count('fill="none" stroke="#D55E00"') == 2
    assert "mm</text>" in html
    assert "&lt;script&gt;alert" in html.split("<svg")[2], "a level is the text that it is"
    shares = DRIFT["distributions"]["size"]
    assert sum(shares["reference"]) == pytest.approx(1, abs=1e-3)
    assert sum(shares["current"]) == pytest.approx(1, abs=1e-3)
    assert np.argmax(shares["current"]) > np.argmax(shares["reference"])


@pytest.mark.parametrize(("columns", "rows", "times"), [(500, 100, 5000), (60, 200_000, 5)])
def test_the_page_is_below_half_a_megabyte_whatever_the_batch(
    columns: int, rows: int, times: int
) -> None:
    rng = np.random.default_rng(0)
    names = [f"measured_quantity_{n}" for n in range(columns)]
    watched = [X.model_copy(update={"name": name}) for name in names]
    values = rng.lognormal(0, 2, rows)
    sides = [pa.table(dict.fromkeys(names, values * factor)) for factor in (1, times)]
    (size,), lost = HARMED["columns"], HARMED["joint"]["leaned_on"]["size"]
    joint = HARMED["joint"] | {"leaned_on": dict.fromkeys(names, lost)}
    harmed = {"columns": [size | {"name": name} for name in names], "joint": joint}
    html = report_html(report(drift=drift_of(watched, sides), damage=HARMED | harmed))
    assert html.count("<svg") == MOST_COLUMNS + 1
    assert len(html.encode()) < 500_000
    if columns > 300:
        assert "200 columns with smaller effects are not shown." in html
        assert html.count("480 columns with smaller parts are not shown.") == 2
        assert html.index("<h2>") < 4000, "the verdict on 500 columns is no page of text"
        assert "and 494 more" in html


def test_rows_that_judge_are_told_apart_from_those_fitted_on() -> None:
    html = report_html(report())
    assert "3 of 4 predicted rows judge the model" in html
    assert "1 others with a label it was fitted on" in html
    assert "5 rows came from a file; 1 were rejected (20.0%" in html


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("raise OSError('cannot load library libpango-1.0-0')", "apt install libpango-1.0-0"),
        ("raise ImportError('no module')", "pip install 'weasyprint>=70'"),
    ],
)
def test_without_weasyprint_or_its_libraries_there_is_no_pdf_and_the_reason(
    body: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """WeasyPrint raises OSError where Pango is missing, ImportError where itself is."""
    (tmp_path / "weasyprint.py").write_text(body)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "weasyprint", raising=False)
    with pytest.raises(NoPdf, match=said):
        pdf_of("<p>x</p>")


@pytest.mark.debian
def test_a_pdf_is_made_and_nothing_is_loaded_for_it(tmp_path: Path) -> None:
    try:
        import_module("weasyprint")
    except OSError as error:
        pytest.skip(f"Pango is not there: {error}")
    assert pdf_of(report_html(report())).startswith(b"%PDF")
    picture = io.BytesIO()
    Image.new("RGB", (9, 9)).save(picture, "PNG")
    inside = base64.b64encode(picture.getvalue()).decode()
    (tmp_path / "beside.png").write_bytes(picture.getvalue())
    beside = (tmp_path / "beside.png").as_uri()
    for address, shown in ((f"data:image/png;base64,{inside}", True), (beside, False)):
        assert (b"/Image" in pdf_of(f'<img src="{address}">')) == shown
