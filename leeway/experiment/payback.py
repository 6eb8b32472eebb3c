"""What the best setting saves against the one of production.

Belongs here: from declared costs and an analysis to `Savings`. Does not belong here: what a unit
costs (`leeway.experiment.savings`), or what a setting predicts (`leeway.experiment.best_setting`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from leeway.experiment.best_setting import BestSetting, significant_model
from leeway.experiment.effects import Analysis
from leeway.experiment.lives import lives_by_experiment
from leeway.experiment.savings import Interval, Operation, Savings, savings
from leeway.spec import Costs, CuttingMinutes

Setting = Mapping[str, Any]


@dataclass(frozen=True)
class Payback:
    """Two settings with the mean tool lives that the experiment predicts, in hours, and a saving.

    `savings` are of a year, and their `roi` is the yearly saving over the investment: 1 pays it
    back within a year. Intervals do not know that the best of several predictions was taken.
    """

    before: Setting
    after: Setting
    life_hours_before: Interval
    life_hours_after: Interval
    savings: Savings


def payback(analysis: Analysis, best: BestSetting, costs: Costs) -> Payback | None:
    """What a year costs less at the best setting; None when no setting is predicted best.

    A factor that no significant effect has stays as it is in production.

    Raises:
        ValueError: when the life that is predicted at a setting is not above 0.
    """
    if best.setting is None:
        return None
    before = dict(costs.before)
    after = before | {name: level for name, level in best.setting.items() if level is not None}
    model = significant_model(analysis)
    lives = lives_by_experiment(model, before, after)
    found = savings(
        _operation(analysis, costs, before),
        _operation(analysis, costs, after),
        lives,
        costs.units_per_year,
        costs.investment,
    )
    predicted = [model.predict(setting) for setting in (before, after)]
    first, second = (Interval(p.estimate, p.mean_low, p.mean_high) for p in predicted)
    return Payback(before, after, first, second, found)


def _operation(analysis: Analysis, costs: Costs, setting: Setting) -> Operation:
    return Operation(
        machine_hour_rate=costs.machine_hour_rate,
        tool_price=costs.tool_price,
        change_minutes=costs.change_minutes,
        cutting_minutes=_minutes(analysis, costs.cutting_minutes, setting),
        other_minutes=costs.other_minutes,
    )


def _minutes(analysis: Analysis, minutes: float | CuttingMinutes, setting: Setting) -> float:
    if not isinstance(minutes, CuttingMinutes):
        return minutes
    factor = next(each for each in analysis.design.factors if each.name == minutes.factor)
    return minutes.low if setting[factor.name] == factor.low else minutes.high
