"""Pictures are small PNG files that show what they were given, and leave no global state."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from leeway.drift.column import ColumnDrift, DriftVerdict
from leeway.drift.distribution import Distribution
from leeway.plots import candidate_plot, confusion_plot, pca_plot, shap_plot
from leeway.plots_drift import distributions_plot, drift_plot
from leeway.training.search import CandidateScore

RANDOM = np.random.default_rng(0)
SCORES = [
    CandidateScore("random_forest", 0.9, 0.05, (0.85, 0.95), 1.0),
    CandidateScore("xgboost", None, None, (), None, "it failed"),
]


def column(name: str, verdict: DriftVerdict, effect: float | None) -> ColumnDrift:
    interval = None if effect is None else (effect - 0.05, effect + 0.1)
    return ColumnDrift(
        name, "number", "feature", verdict, "ks", effect, interval, 0.1, None, (), {}, "."
    )


DRIFT = [
    column("bill_length_mm", "confirmed", 0.6),
    column("island", "suspect", 0.15),
    column("body_mass_g", "none", 0.07),
    column("sex", "undefined", None),
]
BINNED = Distribution(tuple(np.linspace(0, 1, 41).tolist()), (), (0.025,) * 40, (0.0, 0.05) * 20)
PICTURES: dict[str, Callable[[], bytes]] = {
    "candidates": lambda: candidate_plot(SCORES, "macro_f1", "fraction"),
    "confusion": lambda: confusion_plot(
        RANDOM.integers(0, 99, (20, 20)), [f"class {i}" for i in range(20)]
    ),
    "shap": lambda: shap_plot(
        RANDOM.normal(size=(50, 40, 8)), [f"feature_{i}" for i in range(40)], "abcdefgh", "log-odds"
    ),
    "map of classes": lambda: pca_plot(
        RANDOM.normal(size=(9000, 2)), RANDOM.choice(list("abcdefghij"), 9000), np.array([0.5, 0.2])
    ),
    "drift": lambda: drift_plot(DRIFT),
    "distributions": lambda: distributions_plot({f"column_{i}": BINNED for i in range(8)}),
    "levels": lambda: distributions_plot({"plan": Distribution((), ("a", "b"), (0, 1), (1, 0))}),
    "map of numbers": lambda: pca_plot(
        RANDOM.normal(size=(9000, 2)), RANDOM.normal(size=9000), np.array([0.5, 0.2])
    ),
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_a_small_png_that_is_not_blank(name: str) -> None:
    data = PICTURES[name]()
    assert len(data) <= 60_000
    image = Image.open(io.BytesIO(data))
    assert image.format == "PNG"
    assert image.width >= 300
    assert len(image.convert("RGB").getcolors(image.width * image.height) or []) > 5


def test_the_same_numbers_give_the_same_bytes_and_others_do_not() -> None:
    counts = np.array([[5, 1], [0, 7]])
    once = confusion_plot(counts, ["a", "b"])
    assert confusion_plot(counts, ["a", "b"]) == once
    assert confusion_plot(counts.T, ["a", "b"]) != once


def test_a_failed_candidate_is_drawn_as_failed_and_not_as_zero() -> None:
    zero = [SCORES[0], CandidateScore("xgboost", 0.0, 0.0, (), 0.0)]
    assert candidate_plot(SCORES, "macro_f1", "fraction") != candidate_plot(
        zero, "macro_f1", "fraction"
    )


def test_confusion_counts_of_zero_rows_can_be_drawn() -> None:
    assert confusion_plot(np.zeros((2, 2), dtype=int), ["a", "b"]).startswith(b"\x89PNG")


def test_a_name_with_dollars_is_drawn_as_it_is() -> None:
    """Regression: what stood between two dollars was read as a formula, which could fail."""
    name = "$<10_$"
    counts = np.array([[5, 1], [0, 7]])
    strengths = np.ones((3, 2, 2))
    labels = np.array([name, "$", "b", "b"], dtype=object)
    failed = CandidateScore(name, None, None, (), None, "it failed")
    for picture in (
        confusion_plot(counts, [name, "$"]),
        shap_plot(strengths, [name, "$"], [name, "x"], name),
        pca_plot(np.eye(4)[:, :2], labels, np.array([0.5, 0.2])),
        candidate_plot([CandidateScore(name, 0.9, 0.05, (0.85,), 1.0), failed], name, name),
    ):
        assert picture.startswith(b"\x89PNG")
    assert confusion_plot(counts, ["$a$", "b"]) != confusion_plot(counts, ["a", "b"])


def test_drawing_does_not_import_pyplot() -> None:
    """Guards against figures that pyplot keeps in a global list until memory runs out."""
    program = (
        "import sys; from leeway.plots import confusion_plot; import numpy as np; "
        "confusion_plot(np.eye(2, dtype=int), ['a', 'b']); "
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
