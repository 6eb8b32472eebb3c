"""Effects are those of published experiments and of least squares, judged by what was repeated."""

from __future__ import annotations

import io
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from leeway.experiment.anova import anova_table
from leeway.experiment.best_setting import best_setting
from leeway.experiment.effects import analyse, yates
from leeway.experiment.plots import half_normal_plot, pareto_plot
from leeway.experiment.yates import yates_columns
from leeway.plots import COLOURS
from tests.unit.experiments import (
    FILTRATION,
    PILOT_PLANT,
    agrees,
    analysed,
    anova,
    design_of,
    estimates,
    runs_of,
)


def test_yates_columns_are_those_of_the_pilot_plant() -> None:
    """Box, Hunter and Hunter, Statistics for Experimenters, 1978, table 10.7."""
    means = [sum(pair) / 2 for pair in PILOT_PLANT]
    rows = yates(design_of(runs_of(means)))
    assert [row.response for row in rows] == [60, 72, 54, 68, 52, 83, 45, 80]
    assert [row.columns for row in rows] == [
        (132, 254, 514),
        (122, 260, 92),
        (135, 26, -20),
        (125, 66, 6),
        (12, -10, 6),
        (14, -10, 40),
        (31, 2, 0),
        (35, 4, 2),
    ]
    assert [row.divisor for row in rows] == [8, 4, 4, 4, 4, 4, 4, 4]
    assert [row.estimate for row in rows] == [64.25, 23, -5, 1.5, 1.5, 10, 0, 0.5]
    assert [row.effect for row in rows] == ["mean", "A", "B", "AB", "C", "AC", "BC", "ABC"]


def test_yates_table_of_replicates_is_of_totals_and_gives_the_same_effects() -> None:
    rows = yates(design_of(runs_of(PILOT_PLANT)))
    assert (rows[1].response, rows[1].contrast, rows[1].divisor) == (144, 184, 8)
    assert [row.estimate for row in rows] == [64.25, 23, -5, 1.5, 1.5, 10, 0, 0.5]


@pytest.mark.parametrize("count", [0, 1, 3, 6])
def test_yates_refuses_what_is_no_power_of_two(count: int) -> None:
    with pytest.raises(ValueError, match=f"got {count}"):
        yates_columns([1.0] * count)


def test_replicates_give_the_standard_error_of_the_pilot_plant() -> None:
    """Box, Hunter and Hunter, section 10.6: s² = 8, standard error of an effect 1.4."""
    analysis = analysed(PILOT_PLANT)
    assert analysis.error.source == "replicates"
    assert (analysis.error.variance, analysis.error.degrees_of_freedom) == (8, 8)
    assert agrees(analysis.standard_error, "1.4")
    assert [effect.name for effect in analysis.significant] == ["A", "B", "AC"]
    first = analysis.effects[0]
    assert first.low is not None
    assert first.low == pytest.approx(23 - 2.306004 * np.sqrt(2), rel=1e-6)  # t of 8 at 0.975


def test_the_anova_of_surface_roughness_is_reproduced() -> None:
    """Montgomery and Runger, Applied Statistics and Probability for Engineers, table 14-11."""
    cells = [(9, 7), (10, 12), (9, 11), (12, 15), (11, 10), (10, 13), (10, 8), (16, 14)]
    printed = {
        "A": ("45.563", "18.69", "0.003"),
        "B": ("10.563", "4.33", "0.071"),
        "C": ("3.063", "1.26", "0.295"),
        "AB": ("7.563", "3.10", "0.116"),
        "AC": ("0.062", "0.03", "0.877"),
        "BC": ("1.563", "0.64", "0.446"),
        "ABC": ("5.062", "2.08", "0.188"),
    }
    rows = anova(analysed(cells))
    for name, (squares, f_value, p_value) in printed.items():
        row = rows[name]
        assert agrees(row.sum_of_squares, squares), name
        assert agrees(row.f_value, f_value), name
        assert agrees(row.p_value, p_value), name
    error, total = rows["error (replicates)"], rows["total"]
    assert agrees(error.sum_of_squares, "19.500")
    assert agrees(error.mean_square, "2.437")
    assert (error.degrees_of_freedom, total.degrees_of_freedom) == (8, 15)
    assert agrees(total.sum_of_squares, "92.938")


def test_the_half_fraction_of_the_plasma_etcher_is_reproduced() -> None:
    """Montgomery and Runger, example 14-7: 2^(4-1), I = ABCD, with the alias of each estimate."""
    runs = runs_of([550, 749, 1052, 650, 1075, 642, 601, 729])
    runs = runs | {"D": [a * b * c for a, b, c in zip(*(runs[n] for n in "ABC"), strict=True)]}
    runs = {name: runs[name] for name in "ABCDy"}
    analysis = analyse(design_of(runs, "D=ABC"))
    printed = {
        "A + BCD": "-127.00",
        "B + ACD": "4.00",
        "C + ABD": "11.50",
        "D + ABC": "290.50",
        "AB + CD": "-10.00",
        "AC + BD": "-25.50",
        "AD + BC": "-197.50",
    }
    found = {effect.label: effect.estimate for effect in analysis.effects}
    assert found.keys() == printed.keys()
    assert all(agrees(found[label], printed[label]) for label in printed)
    assert [row.treatment for row in yates(analysis.design)] == (
        ["(1)", "ad", "bd", "ab", "cd", "ac", "bc", "abcd"]
    )


def test_a_generator_with_a_minus_turns_the_estimate_and_its_alias() -> None:
    runs = runs_of([1.0, 2.0, 4.0, 9.0])
    runs = {
        "A": runs["A"],
        "B": runs["B"],
        "C": [-a * b for a, b in zip(runs["A"], runs["B"], strict=True)],
        "y": runs["y"],
    }
    analysis = analyse(design_of(runs, "C=-AB"))
    effect = analysis.effects[2]
    assert (effect.label, effect.estimate) == ("C - AB", -2)
    row = yates(analysis.design)[3]
    assert (row.effect, row.estimate) == ("-C", 2)


def test_lenths_margins_of_the_filtration_rate_are_reproduced() -> None:
    """Montgomery, Design and Analysis of Experiments, 6.5: PSE 2.625, ME 6.75, SME 13.70."""
    analysis = analysed(FILTRATION)
    assert analysis.error.source == "lenth"
    assert analysis.standard_error == pytest.approx(2.625)
    assert agrees(analysis.margin, "6.75")
    assert agrees(analysis.simultaneous_margin, "13.70")
    assert [effect.name for effect in analysis.significant] == ["A", "C", "AC", "D", "AD"]
    assert {(row.f_value, row.p_value) for row in anova_table(analysis)} == {(None, None)}
    assert "error (lenth)" not in anova(analysis)


def test_centre_points_give_the_error_and_the_curvature_of_the_filtration_rate() -> None:
    """Montgomery, table 6.24: four centre points, pure error 48.75 on 3, curvature 1.51."""
    analysis = analysed(FILTRATION, [73, 75, 66, 69])
    rows = anova(analysis)
    assert analysis.error.source == "centre points"
    error = rows["error (centre points)"]
    assert (error.sum_of_squares, error.degrees_of_freedom, error.mean_square) == (48.75, 3, 16.25)
    assert agrees(rows["curvature"].sum_of_squares, "1.51")
    assert agrees(rows["A"].sum_of_squares, "1870.56")
    assert agrees(rows["total"].sum_of_squares, "5781.20")
    assert analysis.curvature is not None
    assert analysis.curvature.p_value is not None
    assert analysis.curvature.p_value > 0.7
    assert analysis.mean == 70.0625


def test_a_bent_surface_is_seen_and_a_plane_is_not() -> None:
    plane = [10.0, 14.0, 16.0, 20.0]
    for centre, bent in (([15.1, 14.9, 15.2, 14.8], False), ([19.1, 18.9, 19.2, 18.8], True)):
        curvature = analysed(plane, centre).curvature
        assert curvature is not None
        assert curvature.p_value is not None
        assert (curvature.p_value < 0.01) == bent


def test_one_centre_point_shows_curvature_but_cannot_test_it() -> None:
    analysis = analysed(FILTRATION, [73])
    assert analysis.error.source == "lenth"
    assert analysis.curvature is not None
    assert analysis.curvature.difference == 70.0625 - 73
    assert analysis.curvature.f_value is analysis.curvature.p_value is None


@pytest.mark.parametrize(
    ("responses", "centre", "reason"),
    [
        ([1.0, 2.0], (), "too few for Lenth"),
        ([(1, 1), (2, 2), (3, 3), (5, 5)], (), "do not differ at all"),
        ([1.0, 2.0, 3.0, 5.0], (2.5, 2.5), "do not differ at all"),
        ([1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0], (), "most effects are exactly 0"),
    ],
)
def test_without_an_error_intervals_are_undefined_with_the_reason(
    responses: Any, centre: Any, reason: str
) -> None:
    analysis = analysed(responses, centre)
    assert analysis.error.variance is None
    assert reason in (analysis.error.undefined or "")
    first = analysis.effects[0]
    assert first.low is first.high is first.p_value is first.significant is None
    best = best_setting(analysis, "maximise")
    assert best.setting is None
    assert best.undefined == analysis.error.undefined
    assert half_normal_plot(analysis, "h").startswith(b"\x89PNG")
    assert pareto_plot(analysis, "h").startswith(b"\x89PNG")


numbers = st.floats(-1e3, 1e3, allow_nan=False, width=32)


def model_matrix(cells: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Columns of signs in standard order, the mean first."""
    columns = [np.ones(len(cells))]
    for factor in np.asarray(cells, float).T:
        columns += [column * factor for column in columns]
    return np.column_stack(columns)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.data())
def test_yates_equals_least_squares_on_every_full_design(data: st.DataObject) -> None:
    """Equally and unequally replicated, in any order of rows; the intervals are those of OLS."""
    factors = data.draw(st.integers(1, 5))
    sizes = data.draw(st.lists(st.integers(1, 3), min_size=2**factors, max_size=2**factors))
    responses = [data.draw(st.lists(numbers, min_size=size, max_size=size)) for size in sizes]
    cells = [cell[::-1] for cell in product((-1, 1), repeat=factors)]
    rows = [(*cell, y) for cell, ys in zip(cells, responses, strict=True) for y in ys]
    rows = data.draw(st.permutations(rows))
    names = [*"ABCDE"[:factors], "y"]
    runs = {name: list(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}
    analysis = analyse(design_of(runs))

    signs, y = model_matrix([row[:-1] for row in rows]), np.array([row[-1] for row in rows])
    fitted, *_ = np.linalg.lstsq(signs, y, rcond=None)
    assert analysis.mean == pytest.approx(fitted[0], rel=1e-9, abs=1e-9)
    found = [effect.estimate for effect in analysis.effects]
    assert found == pytest.approx(2 * fitted[1:], rel=1e-9, abs=1e-9)
    freedom = len(rows) - len(cells)
    if not freedom or analysis.error.variance is None:
        return
    residual = ((y - signs @ fitted) ** 2).sum() / freedom
    assert analysis.error.variance == pytest.approx(residual, rel=1e-6, abs=1e-6)
    spread = 2 * np.sqrt(np.diag(np.linalg.inv(signs.T @ signs))[1:] * analysis.error.variance)
    assert [analysis.standard_error] * len(found) == pytest.approx(spread, rel=1e-9)


@settings(max_examples=30, derandomize=True, deadline=None)
@given(st.randoms(use_true_random=False))
def test_effects_do_not_depend_on_the_order_of_rows(random: Any) -> None:
    runs = runs_of(PILOT_PLANT, [62, 66])
    order = list(range(len(runs["y"])))
    random.shuffle(order)
    mixed = {name: [column[row] for row in order] for name, column in runs.items()}
    first, second = (analyse(design_of(each)) for each in (runs, mixed))
    assert estimates(first) == estimates(second)
    assert first.error.variance == pytest.approx(second.error.variance)


def test_sums_of_squares_add_up_with_replicates_and_centre_points() -> None:
    rows = anova_table(analysed(PILOT_PLANT, [62, 66, 65]))
    assert sum(row.sum_of_squares for row in rows[:-1]) == pytest.approx(rows[-1].sum_of_squares)
    assert sum(row.degrees_of_freedom for row in rows[:-1]) == rows[-1].degrees_of_freedom == 18
    assert rows[-2].source == "error (replicates and centre points)"
    assert rows[-2].degrees_of_freedom == 10


def test_an_interval_leaves_out_0_exactly_when_its_p_value_is_small() -> None:
    rng = np.random.default_rng(3)
    for _ in range(50):
        for effect in analysed(rng.normal(size=8) * [1, 1, 1, 1, 1, 1, 1, 8]).effects:
            assert effect.low is not None
            assert effect.high is not None
            assert effect.significant == (effect.low > 0 or effect.high < 0)


def test_intervals_hold_the_true_effect_as_often_as_they_say() -> None:
    """A true effect of 3 in noise of 2: 95 % of 1000 hold it, within 4 standard errors."""
    rng = np.random.default_rng(11)
    signs = np.array([-1, 1] * 4)[:, None]
    held = 0
    for _ in range(1000):
        effect = analysed(50 + 1.5 * signs + 2 * rng.normal(size=(8, 2))).effects[0]
        assert effect.low is not None
        assert effect.high is not None
        held += effect.low <= 3 <= effect.high
    assert 922 <= held <= 978


@pytest.mark.parametrize("plot", [half_normal_plot, pareto_plot])
def test_a_plot_shows_which_effects_are_significant(plot: Any) -> None:
    pictures = [plot(analysed(each), "gal/h") for each in (FILTRATION, PILOT_PLANT, [*range(32)])]
    assert len({*pictures}) == 3
    image = np.asarray(Image.open(io.BytesIO(pictures[0])).convert("RGB"), int)
    for colour in (COLOURS[3], COLOURS[0]):
        wanted = [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
        assert np.abs(image - wanted).sum(axis=2).min() < 12
    assert max(len(picture) for picture in pictures) <= 60_000
