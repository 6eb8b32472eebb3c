"""Rules that hold between the block `experiment` and the rest of a use case.

Belongs here: what they say about each other, with an error that names both. Does not belong here:
whether runs are the design (`leeway.experiment`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from leeway.experiment.aliases import MOST_FACTORS, parse_generators
from leeway.spec.base import require_known
from leeway.spec.table import NUMERIC_TYPES

if TYPE_CHECKING:
    from leeway.spec.experiment import Experiment, Level, SavingsCosts
    from leeway.spec.use_case import UseCase

# Columns that the table experiment_results has beside those of the use case.
RESULT_COLUMNS = ("standard_order", "treatment")
_OF_MODELS = (
    "imputation",
    "features",
    "split",
    "search",
    "drift",
    "promotion",
    "retraining",
    "explanation",
    "monitoring",
)
_HOURS = "h"


def check_experiment(use_case: UseCase) -> None:
    """Checks that there is an `experiment` exactly where the task is one, and that it fits.

    Raises:
        ValueError: names the field, the value, and what is allowed.
    """
    block = use_case.experiment
    if use_case.task != "experiment":
        if block is not None:
            raise ValueError(f"experiment: task is {use_case.task}; remove one of the two")
        return
    if block is None:
        raise ValueError("experiment: task experiment needs it; give direction and factors")
    for name in _OF_MODELS:
        if getattr(use_case, name) != type(use_case).model_fields[name].default:
            raise ValueError(f"{name}: an experiment trains no model; remove it")
    if use_case.target.type not in NUMERIC_TYPES:
        raise ValueError(
            f"columns: target {use_case.target.name!r} has type {use_case.target.type}; "
            "the response of an experiment needs number or integer"
        )
    _check_factors(use_case, block)
    if block.savings is not None:
        _check_costs(use_case, block, block.savings)


def _check_factors(use_case: UseCase, block: Experiment) -> None:
    features = {column.name: column for column in use_case.feature_columns}
    names = [factor.column for factor in block.factors]
    require_known("experiment.factors", names, features)
    for name, column in features.items():
        if names.count(name) != 1:
            raise ValueError(
                f"experiment.factors: column {name!r} has role feature and is {names.count(name)} "
                "times a factor; name each once, or give the column role monitored or ignored"
            )
        if column.type not in (*NUMERIC_TYPES, "category"):
            raise ValueError(
                f"columns: factor {name!r} has type {column.type}; "
                "a factor needs number, integer or category"
            )
    for column in use_case.columns:
        if column.name in RESULT_COLUMNS:
            raise ValueError(f"columns: {column.name!r} is one that Leeway adds; rename it")
    for factor in block.factors:
        where = f"experiment.factors: {factor.column}"
        for level in (factor.low, factor.high):
            _check_level(where, level, number=features[factor.column].type in NUMERIC_TYPES)
        if factor.low == factor.high:
            raise ValueError(f"{where}: low and high are both {factor.low!r}; give two levels")

    if len(names) > MOST_FACTORS:
        raise ValueError(f"experiment.factors: at most {MOST_FACTORS}, got {len(names)}")
    parse_generators(block.generators, len(names))


def _check_level(where: str, level: Level, *, number: bool) -> None:
    if isinstance(level, str) == number:
        kind = "a number" if number else "a text, in quotes"
        raise ValueError(f"{where}: level {level!r} does not fit the column's type; give {kind}")


def _check_costs(use_case: UseCase, block: Experiment, costs: SavingsCosts) -> None:
    target, where = use_case.target, "experiment.savings"
    if target.unit != _HOURS:
        raise ValueError(
            f"{where}: costs follow from a tool life in hours; the unit of {target.name!r} is "
            f"{target.unit!r}, and it must be {_HOURS!r}"
        )
    if block.direction != "maximise":
        raise ValueError(f"{where}: a short tool life saves nothing; direction must be maximise")
    factors = {factor.column: factor for factor in block.factors}
    require_known(f"{where}.before", costs.before, factors)
    for name, factor in factors.items():
        if name not in costs.before:
            raise ValueError(f"{where}.before: factor {name!r} has no level; give each one's")
        level = costs.before[name]
        if not (level in (factor.low, factor.high) or _between(factor.low, level, factor.high)):
            raise ValueError(
                f"{where}.before: {name} is {level!r}; the experiment knows {factor.low!r}, "
                f"{factor.high!r}, and numbers between"
            )
    minutes = costs.cutting_minutes
    if isinstance(minutes, float):
        if minutes <= 0:
            raise ValueError(f"{where}.cutting_minutes: {minutes} wears no tool; give more than 0")
        return
    require_known(f"{where}.cutting_minutes.factor", [minutes.factor], factors)
    if costs.before[minutes.factor] not in (
        factors[minutes.factor].low,
        factors[minutes.factor].high,
    ):
        raise ValueError(
            f"{where}.cutting_minutes: they are known at the levels of {minutes.factor!r} only; "
            f"before has {costs.before[minutes.factor]!r}"
        )


def _between(low: Level, level: Level, high: Level) -> bool:
    if isinstance(low, str) or isinstance(level, str) or isinstance(high, str):
        return False
    return min(low, high) < level < max(low, high)
