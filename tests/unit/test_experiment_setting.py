"""The best setting of an experiment, and what its model predicts there."""

from __future__ import annotations

import numpy as np
import pytest

from leeway.experiment.best_setting import best_setting, significant_model
from leeway.experiment.effects import analyse
from tests.unit.experiments import (
    FILTRATION,
    PILOT_PLANT,
    analysed,
    design_of,
    runs_of,
)


def test_the_best_setting_keeps_hierarchy_and_leaves_idle_factors_open() -> None:
    """Montgomery, example 6.2: 70.06 + 10.81 A + 4.94 C + 7.31 D - 9.06 AC + 8.31 AD."""
    best = best_setting(analysed(FILTRATION), "maximise")
    assert best.terms == ("A", "C", "AC", "D", "AD")
    assert best.setting == {"A": 1, "B": None, "C": -1, "D": 1}
    assert best.was_run is True
    assert best.prediction is not None
    predicted = 70.0625 + 10.8125 - 4.9375 + 7.3125 + 9.0625 + 8.3125
    assert best.prediction.estimate == pytest.approx(predicted)
    # Six terms of sixteen runs, each of variance 16/4 times the square of the PSE.
    assert best.prediction.standard_error == pytest.approx(np.sqrt(6 / 16 * 4) * 2.625)
    low = best.prediction.low
    assert low == pytest.approx(predicted - 2.570582 * np.sqrt(1 + 6 / 16) * 2 * 2.625)
    worst = best_setting(analysed(FILTRATION), "minimise").prediction
    assert worst is not None
    assert worst.estimate < best.prediction.estimate


def test_an_interaction_brings_its_inactive_factors_along() -> None:
    crossed = [(10.0, 10.2), (20.0, 20.2), (20.1, 20.3), (10.1, 10.3)]
    analysis = analysed(crossed)
    assert [effect.name for effect in analysis.significant] == ["AB"]
    assert significant_model(analysis).terms == ("A", "B", "AB")
    best = best_setting(analysis, "maximise")
    assert best.setting == {"A": -1, "B": 1}
    assert best.prediction is not None
    assert best.prediction.estimate == pytest.approx(20.2)


def test_a_fraction_may_find_its_best_setting_in_a_cell_that_was_not_run() -> None:
    runs = runs_of([(20.0, 20.1), (20.1, 20.0), (20.2, 20.0), (60.0, 60.2)])
    product_of_signs = [a * b for a, b in zip(runs["A"], runs["B"], strict=True)]
    runs = {"A": runs["A"], "B": runs["B"], "C": product_of_signs, "y": runs["y"]}
    analysis = analyse(design_of(runs, "C=AB"))
    assert [effect.label for effect in analysis.significant] == ["A + BC", "B + AC", "C + AB"]
    best, worst = best_setting(analysis, "maximise"), best_setting(analysis, "minimise")
    assert (best.setting, best.was_run) == ({"A": 1, "B": 1, "C": 1}, True)
    assert (worst.setting, worst.was_run) == ({"A": -1, "B": -1, "C": -1}, False)
    assert worst.prediction is not None
    halves = sum(effect.estimate for effect in analysis.effects) / 2
    assert worst.prediction.estimate == pytest.approx(analysis.mean - halves)


def test_hierarchy_follows_the_names_of_effects_in_a_fraction() -> None:
    """With D = AB the contrast ABC is called CD: it brings C and D along, not A and B."""
    runs = runs_of([(50.0, 50.1)] * 8)
    names = ("A", "B", "C")
    runs = {name: runs[name] for name in names} | {
        "D": [a * b for a, b in zip(runs["A"], runs["B"], strict=True)],
        "y": [y + 5 * a * b * c for *_, a, b, c, y in zip(*(runs[n] for n in "ABCy"), strict=True)],
    }
    model = significant_model(analyse(design_of(runs, "D=AB")))
    assert model.terms == ("D", "C", "CD")
    assert model.predict({"C": 1, "D": 1}).estimate == pytest.approx(55.05)


def test_the_model_of_all_effects_predicts_each_cell_with_the_error_of_its_mean() -> None:
    analysis = analysed([(10.0, 11.0, 12.0), (30.0,), (55.0, 56.0), (94.0, 95.0, 93.0, 94.0)])
    model = significant_model(analysis)
    assert model.terms == ("A", "B", "AB")
    assert analysis.error.variance == pytest.approx(4.5 / 6)
    for a, b, mean, count in ((-1, -1, 11, 3), (1, -1, 30, 1), (-1, 1, 55.5, 2), (1, 1, 94, 4)):
        found = model.predict({"A": a, "B": b})
        assert found.estimate == pytest.approx(mean)
        assert found.standard_error == pytest.approx(np.sqrt(0.75 / count))


def test_a_prediction_between_levels_is_the_plane_and_one_outside_is_refused() -> None:
    model = significant_model(analysed(PILOT_PLANT))
    corners = [model.predict({"A": a, "B": -1, "C": 1}).estimate for a in (-1, 1)]
    middle = model.predict({"A": 0, "B": -1, "C": 1})
    assert middle.estimate == pytest.approx(sum(corners) / 2)
    assert middle.standard_error is not None
    assert middle.mean_low is not None
    assert middle.low is not None
    assert middle.low < middle.mean_low < middle.estimate
    with pytest.raises(ValueError, match="A is 2; the experiment knows -1 and 1, or a number"):
        model.predict({"A": 2, "B": -1, "C": 1})
    with pytest.raises(ValueError, match="A is None"):
        model.predict({"B": -1, "C": 1})
    with pytest.raises(ValueError, match="unknown factor 'speed'"):
        model.predict({"speed": 2})


def test_pure_noise_has_no_best_setting() -> None:
    noise = np.random.default_rng(5).normal(size=(8, 3))
    best = best_setting(analysed(noise), "maximise")
    assert best.setting is None
    assert "no effect differs from 0" in (best.undefined or "")
