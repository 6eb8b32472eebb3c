"""What a unit costs by the life of its tools, and what a longer life saves.

Belongs here: cost per unit, savings and return on investment, with intervals. Does not belong here:
where the lives come from (`leeway.experiment.lives`).

A unit costs the machine's time for it and its share of a tool and of the time to change it:

    rate * (cutting + other) + cutting / life * (tool + rate * change)

Source: Machinery's Handbook, 31st edition 2020, Machining Econometrics; Groover, Fundamentals of
Modern Manufacturing, chapter on machining economics. It is the mean life that counts, by the
renewal reward theorem (Ross, Introduction to Probability Models, section 7.4), and the time that a
tool was used counts as its life, whyever it was changed. Intervals are of the delta method: Casella
and Berger, Statistical Inference, 2nd edition 2002, section 5.5.4, with the degrees of freedom of
B. L. Welch, The generalization of Student's problem, Biometrika 34, 1947.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from leeway.experiment.error import CONFIDENCE
from leeway.experiment.lives import Lives

MINUTES = 60
# Beyond it a mean life is so uncertain that the cost is no straight line in it any more.
MOST_RELATIVE_ERROR = 0.25


@dataclass(frozen=True)
class Operation:
    """What an operation takes, in one currency: rate per hour, tool price per cutting edge.

    `cutting_minutes` wear the tool, `other_minutes` such as loading do not; both are per unit.

    Raises:
        ValueError: when a number is negative, or cutting time is 0.
    """

    machine_hour_rate: float
    tool_price: float
    change_minutes: float
    cutting_minutes: float
    other_minutes: float = 0.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 <= value < float("inf"):
                raise ValueError(f"{name}: {value} is negative or no number; give 0 or more")
        if not self.cutting_minutes:
            raise ValueError("cutting_minutes: 0 wears no tool; give the minutes of cutting a unit")

    @property
    def time_cost(self) -> float:
        """What a unit costs before any tool wears."""
        return self.machine_hour_rate / MINUTES * (self.cutting_minutes + self.other_minutes)

    @property
    def cost_of_change(self) -> float:
        """What a new tool costs with the time to change it."""
        return self.tool_price + self.machine_hour_rate / MINUTES * self.change_minutes

    def cost_per_unit(self, life_hours: float) -> float:
        """Cost of a unit with tools of this mean life.

        Raises:
            ValueError: when the life is not above 0.
        """
        if not 0 < life_hours < float("inf"):
            raise ValueError(f"life_hours: {life_hours} is no tool life; it must be above 0")
        return self.time_cost + self.cutting_minutes / MINUTES / life_hours * self.cost_of_change

    def slope(self, life_hours: float) -> float:
        """Change of the cost of a unit with the life, per hour: never above 0."""
        return (self.time_cost - self.cost_per_unit(life_hours)) / life_hours


@dataclass(frozen=True)
class Interval:
    """An estimate and its interval; the bounds are None when it is undefined."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Savings:
    """A row of `cost_savings`: costs in the operation's currency.

    `roi` is `saving` over the investment, so that 1 pays it back within the units; None without an
    investment. `undefined` says why the intervals have no bounds.
    """

    cost_per_unit_before: Interval
    cost_per_unit_after: Interval
    saving_per_unit: Interval
    units: float
    saving: Interval
    investment: float
    roi: Interval | None
    undefined: str | None


def savings(
    before: Operation, after: Operation, lives: Lives, units: float, investment: float
) -> Savings:
    """What `units` cost less after a change, and that over what the change cost.

    Args:
        before: the operation as it was.
        after: as it is: another setting may also cut faster, or take another tool.
        lives: mean tool life before and after.
        units: made in the period that the investment is to be paid back in.
        investment: cost of the change, experiment included; 0 when there was none.

    Raises:
        ValueError: when a life is not above 0, or units or investment are negative.
    """
    for name, value in (("units", units), ("investment", investment)):
        if not 0 <= value < float("inf"):
            raise ValueError(f"{name}: {value} is negative or no number; give 0 or more")
    costs = before.cost_per_unit(lives.before), after.cost_per_unit(lives.after)
    slopes = before.slope(lives.before), after.slope(lives.after)
    undefined = _undefined(lives)
    margins = [
        None
        if undefined
        else lives.t_quantile(*weights, CONFIDENCE) * sqrt(lives.variance(*weights))
        for weights in ((slopes[0], 0.0), (0.0, slopes[1]), (slopes[0], -slopes[1]))
    ]
    each = costs[0] - costs[1]
    return Savings(
        _interval(costs[0], margins[0]),
        _interval(costs[1], margins[1]),
        _interval(each, margins[2]),
        units,
        _interval(each, margins[2], units),
        investment,
        _interval(each, margins[2], units / investment) if investment else None,
        undefined,
    )


def _interval(value: float, margin: float | None, times: float = 1.0) -> Interval:
    if margin is None:
        return Interval(value * times, None, None)
    return Interval(value * times, (value - margin) * times, (value + margin) * times)


def _undefined(lives: Lives) -> str | None:
    """Why the delta method cannot be used, if so."""
    if lives.undefined is not None:
        return lives.undefined
    parts = (("before", lives.before, (1.0, 0.0)), ("after", lives.after, (0.0, 1.0)))
    for when, life, weights in parts:
        relative = sqrt(lives.variance(*weights)) / life
        if relative > MOST_RELATIVE_ERROR:
            return (
                f"the mean life {when} is known to {relative:.0%} only (standard error), and above "
                f"{MOST_RELATIVE_ERROR:.0%} its cost has no interval; measure more tools"
            )
    return None
