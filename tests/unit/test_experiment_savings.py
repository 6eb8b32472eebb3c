"""Cost per unit follows a handbook, and savings have intervals that hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import t

from leeway.experiment.best_setting import significant_model
from leeway.experiment.design import two_level_design
from leeway.experiment.effects import analyse
from leeway.experiment.lives import Lives, lives_by_experiment, lives_of_tools
from leeway.experiment.savings import Operation, savings

DRILL = Operation(machine_hour_rate=50, tool_price=6.80, change_minutes=1, cutting_minutes=1.5)
BEFORE, AFTER = [20.0, 24.0, 22.0, 26.0], [41.0, 38.0, 45.0, 40.0, 36.0]


def test_the_tooling_cost_of_a_handbook_is_reproduced() -> None:
    """Machinery's Handbook, 31st edition, Machining Econometrics, example 6.

    A drill of $6.80 per edge, changed in a minute at $50 an hour, lives 27.48 minutes; 1000 holes
    of 1.5 minutes cost $417 for tools and their changes.
    """
    each = DRILL.cost_per_unit(27.48 / 60) - DRILL.time_cost
    assert round(1000 * each) == 417
    assert DRILL.time_cost == pytest.approx(1.25)


def test_time_that_wears_no_tool_costs_the_machine_only() -> None:
    longer = replace(DRILL, other_minutes=6)
    assert longer.cost_per_unit(3) - DRILL.cost_per_unit(3) == pytest.approx(5.0)


def test_the_slope_is_that_of_the_cost() -> None:
    step = 1e-6
    numeric = (DRILL.cost_per_unit(2 + step) - DRILL.cost_per_unit(2 - step)) / (2 * step)
    assert DRILL.slope(2) == pytest.approx(numeric, rel=1e-6)


def test_savings_and_return_are_worked_by_hand() -> None:
    """At 60 an hour and 2 minutes of cutting, 25 for a tool and 5 minutes of change: 1/life."""
    operation = Operation(60, 25, 5, 2, other_minutes=1)
    found = savings(operation, operation, lives_of_tools([19, 21], [39, 41]), 100_000, 500)
    assert found.cost_per_unit_before.value == pytest.approx(3 + 1 / 20)
    assert found.cost_per_unit_after.value == pytest.approx(3 + 1 / 40)
    assert found.saving_per_unit.value == pytest.approx(0.025)
    assert found.saving.value == pytest.approx(2500)
    assert found.roi is not None
    assert found.roi.value == pytest.approx(5)
    # The means have variance 1 each, the costs slopes of -1/400 and -1/1600 an hour.
    spread = np.sqrt(1 / 400**2 + 1 / 1600**2)
    freedom = (1 / 400**2 + 1 / 1600**2) ** 2 / (1 / 400**4 + 1 / 1600**4)
    assert found.roi.low == pytest.approx(5 - t.ppf(0.975, freedom) * spread * 200)
    assert found.roi.high == pytest.approx(5 + t.ppf(0.975, freedom) * spread * 200)


def test_a_faster_cut_can_save_although_tools_live_shorter() -> None:
    faster = replace(DRILL, cutting_minutes=0.75)
    found = savings(DRILL, faster, Lives(3.0, 2.0), 1000, 0)
    assert found.saving.value > 0
    assert found.roi is None


def test_intervals_hold_the_true_saving_as_often_as_they_say() -> None:
    """Lognormal lives, 12 tools each side; 95 % of 1000 intervals within 4 standard errors."""
    rng = np.random.default_rng(7)
    truth = DRILL.cost_per_unit(20.0) - DRILL.cost_per_unit(30.0)
    held = 0
    for _ in range(1000):
        lives = [mean * rng.lognormal(-(0.3**2) / 2, 0.3, 12) for mean in (20.0, 30.0)]
        each = savings(
            DRILL, DRILL, lives_of_tools(lives[0].tolist(), lives[1].tolist()), 1, 0
        ).saving_per_unit
        assert each.low is not None
        assert each.high is not None
        held += each.low <= truth <= each.high
    assert 922 <= held <= 978


def test_lives_of_one_experiment_share_their_error() -> None:
    """Two factors, four replicates: a saving between settings has the variance of the model."""
    rng = np.random.default_rng(2)
    a, b = np.tile([-1, 1], 8), np.tile([-1, -1, 1, 1], 4)
    y = 40 + 6 * a + 4 * b + rng.normal(size=16)
    model = significant_model(
        analyse(
            two_level_design({"a": a.tolist(), "b": b.tolist(), "y": y.tolist()}, ["a", "b"], "y")
        )
    )
    assert model.terms == ("A", "B")
    lives = lives_by_experiment(model, {"a": -1, "b": -1}, {"a": 1, "b": 1})
    variance = model.analysis.error.variance
    assert variance is not None
    assert lives.variances == pytest.approx((3 / 16 * variance, 3 / 16 * variance))
    # The mean cancels in the difference: it is the sum of two effects.
    assert lives.variance(-1, 1) == pytest.approx(8 / 16 * variance)
    assert lives.degrees_of_freedom == (12,)
    found = savings(DRILL, DRILL, lives, 1000, 100)
    assert found.undefined is None
    assert found.roi is not None
    assert found.roi.low is not None
    assert found.roi.low > 0
    slopes = DRILL.slope(lives.before), -DRILL.slope(lives.after)
    spread = np.sqrt(
        lives.variances[0] * (slopes[0] ** 2 + slopes[1] ** 2)
        + 2 * slopes[0] * slopes[1] * lives.covariance
    )
    assert found.roi.low == pytest.approx(found.roi.value - 10 * t.ppf(0.975, 12) * spread)
    assert lives.after - lives.before == pytest.approx(
        sum(effect.estimate for effect in model.analysis.effects if effect.name in ("A", "B"))
    )


@pytest.mark.parametrize(
    ("lives", "reason"),
    [
        (lives_of_tools([20.0], AFTER), "at least 2 tools"),
        (lives_of_tools([20.0, 20.0], AFTER), "do not differ at all"),
        (lives_of_tools([1.0, 20.0], AFTER), "the mean life before is known to 90% only"),
        (lives_of_tools(BEFORE, [1.0, 20.0]), "the mean life after is known to 90% only"),
    ],
)
def test_lives_that_are_not_known_well_give_no_interval_but_the_reason(
    lives: Lives, reason: str
) -> None:
    found = savings(DRILL, DRILL, lives, 1000, 100)
    assert found.saving.low is found.saving.high is None
    assert found.saving.value == pytest.approx(1000 * found.saving_per_unit.value)
    assert reason in (found.undefined or "")
    assert savings(DRILL, DRILL, lives_of_tools(BEFORE, AFTER), 1, 1).undefined is None


def test_bad_numbers_are_refused_with_their_name() -> None:
    with pytest.raises(ValueError, match="tool_price: -1"):
        replace(DRILL, tool_price=-1)
    with pytest.raises(ValueError, match="change_minutes: nan"):
        replace(DRILL, change_minutes=float("nan"))
    with pytest.raises(ValueError, match="cutting_minutes: 0 wears no tool"):
        replace(DRILL, cutting_minutes=0)
    with pytest.raises(ValueError, match="life_hours: 0 is no tool life"):
        DRILL.cost_per_unit(0)
    with pytest.raises(ValueError, match=r"lives after, tool 2: -3\.0 hours"):
        lives_of_tools(BEFORE, [1.0, -3.0])
    with pytest.raises(ValueError, match="lives before: no tool"):
        lives_of_tools([], AFTER)
    for units, investment, name in ((-1, 0, "units"), (1, float("inf"), "investment")):
        with pytest.raises(ValueError, match=name):
            savings(DRILL, DRILL, Lives(1, 2), units, investment)
