"""What a designed experiment declares: its factors, and what a longer tool life saves.

Belongs here: the block `experiment` of a defs.yaml. Does not belong here: what holds between it and
the columns (`leeway.spec.experiment_rules`), or the analysis (`leeway.experiment`).
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, StrictFloat, StrictInt, StrictStr

from leeway.spec.base import Identifier, Strict

Level = StrictInt | StrictFloat | StrictStr


class FactorLevels(Strict):
    """A column that is a factor, with the two levels that it was run at."""

    column: Identifier
    low: Level
    high: Level


class CuttingMinutes(Strict):
    """Minutes of cutting a unit, where a factor such as the speed changes them."""

    factor: Identifier
    low: float = Field(gt=0, description="at the factor's low level")
    high: float = Field(gt=0, description="at its high level")


class Costs(Strict):
    """What a unit takes, and the setting that production has now."""

    currency: str = Field(pattern=r"^[A-Z]{3}$", description="three letters, such as EUR")
    machine_hour_rate: float = Field(ge=0)
    tool_price: float = Field(ge=0, description="per cutting edge")
    change_minutes: float = Field(ge=0, description="to change a worn tool")
    cutting_minutes: float | CuttingMinutes = Field(description="per unit; they wear the tool")
    other_minutes: float = Field(default=0, ge=0, description="per unit, such as loading")
    units_per_year: float = Field(gt=0)
    investment: float = Field(ge=0, description="cost of the change, the experiment included")
    before: dict[Identifier, Level] = Field(description="level of each factor in production now")


class Experiment(Strict):
    """A two-level design: replicates and centre points are found in the runs."""

    direction: Literal["maximise", "minimise"]
    factors: tuple[FactorLevels, ...] = Field(
        min_length=1, description="in the order of the letters A, B, C, ..."
    )
    generators: tuple[str, ...] = Field(
        default=(), description="of a fraction, such as D=ABC; without any, every cell was run"
    )
    savings: Costs | None = None
