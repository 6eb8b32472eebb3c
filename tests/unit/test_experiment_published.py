"""Effects and ANOVA of the data sets of LEEWAY_DATA_DIR, to the last digit that was printed."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from leeway.experiment.anova import anova_table
from leeway.experiment.best_setting import best_setting
from leeway.experiment.design import two_level_design
from leeway.experiment.effects import Analysis, analyse
from tests.unit.experiments import (
    agrees,
)

FOLDER = os.environ.get("LEEWAY_DATA_DIR")
needs_data = pytest.mark.skipif(
    FOLDER is None, reason="needs the folder doe_factorial of LEEWAY_DATA_DIR, which is not set"
)


def stored(name: str) -> dict[str, list[float]]:
    with (Path(str(FOLDER)) / "doe_factorial" / f"{name}.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    skipped = {"std_order", "replicate"}
    return {key: [float(row[key]) for row in rows] for key in rows[0] if key not in skipped}


def stored_analysis(name: str) -> Analysis:
    runs = stored(name)
    *factors, response = runs
    return analyse(two_level_design(runs, factors, response))


@needs_data
def test_every_known_effect_is_reproduced_to_its_last_digit() -> None:
    with (Path(str(FOLDER)) / "doe_factorial" / "known_effects.csv").open(newline="") as file:
        known = list(csv.DictReader(file))
    analyses = {name: stored_analysis(name) for name in {row["experiment"] for row in known}}
    for row in known:
        analysis = analyses[row["experiment"]]
        if row["term"] == "mean":
            assert abs(analysis.mean - float(row["effect"])) <= 5.1e-7
            continue
        effect = next(each for each in analysis.effects if each.name == row["term"])
        assert effect.factors == tuple(row["factors"].split(":"))
        assert abs(effect.estimate - float(row["effect"])) <= 5.1e-7
        assert abs(effect.sum_of_squares - float(row["sum_sq"])) <= 5.1e-7
        assert (effect.f_value is None) == (row["f_value"] == "")
        if effect.f_value is not None:
            assert abs(effect.f_value - float(row["f_value"])) <= 5.1e-7
    assert sum(len(each.effects) + 1 for each in analyses.values()) == len(known) == 44


@needs_data
def test_the_published_anova_of_the_tool_life_experiment_is_reproduced() -> None:
    """Montgomery, Design and Analysis of Experiments, problem 6.1, as Minitab prints it."""
    analysis = stored_analysis("tool_life_2p3_r3")
    printed = {  # sum of squares, F, p, effect, t
        "A": ("0.667", "0.02", "0.884", "0.33", "0.15"),
        "B": ("770.667", "25.55", "0.000", "11.33", "5.05"),
        "C": ("280.167", "9.29", "0.008", "6.83", "3.05"),
        "AB": ("16.667", "0.55", "0.468", "-1.67", "-0.74"),
        "AC": ("468.167", "15.52", "0.001", "-8.83", "-3.94"),
        "BC": ("48.167", "1.60", "0.224", "-2.83", "-1.26"),
        "ABC": ("28.167", "0.93", "0.348", "-2.17", "-0.97"),
    }
    assert analysis.standard_error is not None
    assert agrees(analysis.standard_error / 2, "1.12")
    for effect in analysis.effects:
        squares, f_value, p_value, estimate, t_value = printed[effect.name]
        assert agrees(effect.sum_of_squares, squares)
        assert agrees(effect.f_value, f_value)
        assert agrees(effect.p_value, p_value)
        assert agrees(effect.estimate, estimate)
        assert agrees(effect.estimate / analysis.standard_error, t_value)
    error, total = anova_table(analysis)[-2:]
    assert (error.degrees_of_freedom, total.degrees_of_freedom) == (16, 23)
    assert agrees(error.sum_of_squares, "482.67")
    assert agrees(error.mean_square, "30.167")
    assert agrees(total.sum_of_squares, "2095.33")
    best = best_setting(analysis, "maximise")
    assert best.setting == {"cutting_speed": -1, "tool_geometry": 1, "cutting_angle": 1}
    assert best.terms == ("A", "B", "C", "AC")
    assert best.prediction is not None
    assert best.prediction.estimate == pytest.approx(54 + 1 / 6)


@needs_data
def test_the_centre_points_of_the_tool_life_experiment_show_no_curvature() -> None:
    analysis = stored_analysis("tool_life_2p3_centerpoints")
    assert (analysis.error.source, analysis.error.degrees_of_freedom) == ("centre points", 3)
    assert analysis.curvature is not None
    assert analysis.curvature.difference == -0.125
    assert analysis.curvature.p_value is not None
    assert analysis.curvature.p_value > 0.9
