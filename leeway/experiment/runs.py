"""The runs of a use case as a design, and the cell that each run belongs to.

Belongs here: from a use case and its table to `Design` and back to rows. Does not belong here:
judging runs (`leeway.experiment.design`), or reading the table (`assets.experiment`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from leeway.experiment.design import Design, two_level_design
from leeway.spec import Experiment, UseCase

CENTRE = "centre"


@dataclass(frozen=True)
class Treatment:
    """What a run was: `standard_order` is that of its cell, from 1, and None at the centre."""

    name: str
    standard_order: int | None


def block_of(use_case: UseCase) -> Experiment:
    """The block `experiment` of a use case whose task is one.

    Raises:
        ValueError: when its task is another.
    """
    if use_case.experiment is None:
        raise ValueError(f"{use_case.title}: its task is {use_case.task}, and no experiment")
    return use_case.experiment


def design_of(use_case: UseCase, runs: Mapping[str, Sequence[Any]]) -> Design:
    """The design that the runs of a use case are.

    Args:
        use_case: its task is experiment.
        runs: columns by name, one value per run.

    Raises:
        DesignError: when they are none, or not the declared one.
    """
    block = block_of(use_case)
    return two_level_design(
        runs,
        [factor.column for factor in block.factors],
        use_case.target.name,
        block.generators,
        {factor.column: (factor.low, factor.high) for factor in block.factors},
    )


def treatments(design: Design, runs: Mapping[str, Sequence[Any]]) -> tuple[Treatment, ...]:
    """The treatment of each run of a design, in the order of the runs."""
    cells = {tuple(cell): place for place, cell in enumerate(design.cells.tolist())}
    columns = [[factor.code(value) for value in runs[factor.name]] for factor in design.factors]
    found = []
    for codes in zip(*columns, strict=True):
        place = cells.get(codes)
        if place is None:
            found.append(Treatment(CENTRE, None))
        else:
            found.append(Treatment(design.treatment(place), place + 1))
    return tuple(found)
