"""What an experiment says as JSON, run by run and in money, from a table with names of its own."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from leeway.digests import canonical_json
from leeway.experiment.best_setting import best_setting
from leeway.experiment.effects import analyse
from leeway.experiment.payback import Payback, payback
from leeway.experiment.runs import block_of, design_of, treatments
from leeway.experiment.summary import NO_CENTRE, NO_ERROR, whole_summary
from leeway.spec import UseCase
from tests.unit.test_experiment_spec import ATTRIBUTES

SPEEDS = [60.5, 40, 40, 60.5]
TOOLS = ["old", "new", "old", "new"]
MEANS = [20.0, 36.0, 24.0, 40.0]  # effects: speed 0, tool 16, both 4


def use_case(**savings: Any) -> UseCase:
    attributes = copy.deepcopy(ATTRIBUTES)
    attributes["experiment"]["savings"] |= savings
    return UseCase.model_validate(attributes)


def runs(means: list[float] = MEANS, spread: float = 1.0) -> dict[str, list[Any]]:
    """Two runs of each cell, `spread` below and above its mean."""
    lives = [mean - spread for mean in means] + [mean + spread for mean in means]
    return {"speed": SPEEDS * 2, "tool": TOOLS * 2, "life": lives}


def paid(case: UseCase, table: dict[str, list[Any]]) -> Payback | None:
    block = block_of(case)
    analysis = analyse(design_of(case, table))
    assert block.savings is not None
    return payback(analysis, best_setting(analysis, block.direction), block.savings)


def test_each_run_has_its_treatment_in_the_order_of_the_runs() -> None:
    table = runs()
    for name, value in {"speed": 40, "tool": "new", "life": 35.0}.items():
        table[name].append(value)
    found = treatments(design_of(use_case(), table), table)
    assert [each.name for each in found] == ["a", "b", "(1)", "ab"] * 2 + ["b"]
    assert [each.standard_order for each in found] == [2, 3, 1, 4] * 2 + [3]


def test_a_centre_point_has_no_place_in_standard_order() -> None:
    attributes = copy.deepcopy(ATTRIBUTES)
    attributes["columns"][2]["type"] = "number"
    attributes["experiment"]["factors"][1] |= {"low": 0, "high": 2}
    attributes["experiment"]["savings"] = None
    case = UseCase.model_validate(attributes)
    table: dict[str, list[float]] = {
        "speed": [40, 60.5, 40, 60.5] + [50.25] * 4,
        "tool": [0, 0, 2, 2, 1, 1, 1, 1],
    }
    table["life"] = [10, 12, 14, 16, 20, 22, 20, 22]
    design = design_of(case, table)
    assert [each.standard_order for each in treatments(design, table)] == [1, 2, 3, 4] + [None] * 4
    analysis = analyse(design)
    curvature = whole_summary(analysis, best_setting(analysis, "maximise"))["curvature"]
    assert curvature["difference"] == pytest.approx(13 - 21)
    assert curvature["undefined"] is None
    assert curvature["significant"] is True


def test_the_summary_is_json_and_says_what_is_undefined() -> None:
    case = use_case()
    table = {name: values[:4] for name, values in runs().items()}  # nothing is repeated
    analysis = analyse(design_of(case, table))
    found = whole_summary(analysis, best_setting(analysis, "maximise"))
    read = json.loads(canonical_json(found))
    assert read["curvature"]["undefined"] == NO_CENTRE
    assert [effect["name"] for effect in read["effects"]] == ["A", "B", "AB"]
    assert read["effects"][1]["estimate"] == pytest.approx(16)
    assert read["design"] == "full 2^2 design, unreplicated"
    assert read["yates"][0]["treatment"] == "(1)"
    assert [effect["low"] for effect in read["effects"]] != [None] * 3  # by Lenth's method
    assert read["error_source"] == "lenth"


def test_a_longer_life_is_paid_by_hand() -> None:
    """60 an hour, 2 minutes of cutting, 25 a tool and 5 minutes of change: 2 + 1/life."""
    found = paid(use_case(), runs())
    assert found is not None
    assert found.before == {"speed": 40, "tool": "old"}
    assert found.after == {"speed": 60.5, "tool": "new"}
    assert found.life_hours_before.value == pytest.approx(24)
    assert found.life_hours_after.value == pytest.approx(40)
    assert found.savings.saving.value == pytest.approx(1000 * (1 / 24 - 1 / 40))
    assert found.savings.roi is not None
    assert found.savings.roi.value == pytest.approx(10 * (1 / 24 - 1 / 40))


def test_a_factor_may_change_the_minutes_of_cutting() -> None:
    minutes = {"factor": "speed", "low": 2.0, "high": 1.5}
    found = paid(use_case(cutting_minutes=minutes), runs())
    assert found is not None
    before, after = 2 + 1 / 24, 1.5 + 0.75 / 40
    assert found.savings.cost_per_unit_before.value == pytest.approx(before)
    assert found.savings.cost_per_unit_after.value == pytest.approx(after)


def test_a_factor_without_an_effect_stays_as_it_is_in_production() -> None:
    """Speed does nothing here, and to change it costs time or saves it: it is not changed."""
    minutes = {"factor": "speed", "low": 2.0, "high": 1.5}
    case = use_case(cutting_minutes=minutes, before={"speed": 60.5, "tool": "old"})
    found = paid(case, runs([22.0, 38.0, 22.0, 38.0]))
    assert found is not None
    assert found.after == {"speed": 60.5, "tool": "new"}
    assert found.savings.cost_per_unit_after.value == pytest.approx(1.5 + 0.75 / 38)


def test_without_a_best_setting_nothing_is_saved_and_nothing_is_lost() -> None:
    assert paid(use_case(), runs([30.0, 31.0, 30.5, 30.2], spread=5.0)) is None


def test_without_an_investment_there_is_no_return_on_it() -> None:
    found = paid(use_case(investment=0), runs())
    assert found is not None
    assert found.savings.roi is None


def test_a_predicted_life_that_is_none_is_an_error_and_no_saving() -> None:
    with pytest.raises(ValueError, match="is no tool life; it must be above 0"):
        paid(use_case(), runs([-30.0, 36.0, -20.0, 40.0]))


def test_a_use_case_of_another_task_has_no_runs() -> None:
    attributes = copy.deepcopy(ATTRIBUTES)
    attributes |= {"task": "regression", "experiment": None}
    with pytest.raises(ValueError, match="its task is regression"):
        block_of(UseCase.model_validate(attributes))


def test_curvature_that_nothing_can_test_is_undefined_with_the_reason() -> None:
    attributes = copy.deepcopy(ATTRIBUTES)
    attributes["columns"][2]["type"] = "number"
    attributes["experiment"]["factors"][1] |= {"low": 0, "high": 2}
    attributes["experiment"]["savings"] = None
    table: dict[str, list[float]] = {"speed": [40, 60.5, 40, 60.5, 50.25], "tool": [0, 0, 2, 2, 1]}
    table["life"] = [10, 12, 14, 16, 20]
    analysis = analyse(design_of(UseCase.model_validate(attributes), table))
    curvature = whole_summary(analysis, best_setting(analysis, "maximise"))["curvature"]
    assert curvature["difference"] == pytest.approx(13 - 20)
    assert curvature["significant"] is None
    assert curvature["undefined"] == NO_ERROR
