"""Published experiments, and their analysis, for tests of effects.

Belongs here: runs in standard order and what is asked of an analysis. Does not belong here: what
was printed of them, which each test names.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from leeway.experiment.anova import AnovaRow, anova_table
from leeway.experiment.design import Design, two_level_design
from leeway.experiment.effects import Analysis, analyse

PILOT_PLANT = [(59, 61), (74, 70), (50, 58), (69, 67), (50, 54), (81, 85), (46, 44), (79, 81)]
FILTRATION = [45, 71, 48, 65, 68, 60, 80, 65, 43, 100, 45, 104, 75, 86, 70, 96]


def agrees(value: float | None, printed: str) -> bool:
    """Whether a value is the printed one to its last digit."""
    unit = 10.0 ** -len(printed.partition(".")[2])
    return value is not None and abs(value - float(printed)) <= unit / 2 * (1 + 1e-9)


def runs_of(responses: Any, centre: Any = ()) -> dict[str, list[float]]:
    """Runs in standard order; a response may hold replicates."""
    factors = (len(responses) - 1).bit_length()
    cells = [cell[::-1] for cell in product((-1, 1), repeat=factors)]
    rows = [(*cell, y) for cell, ys in zip(cells, responses, strict=True) for y in np.ravel(ys)]
    rows += [(*[0] * factors, y) for y in centre]
    names = [*"ABCDEFGH"[:factors], "y"]
    return {name: list(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}


def design_of(runs: dict[str, list[float]], *generators: str) -> Design:
    return two_level_design(runs, [name for name in runs if name != "y"], "y", generators)


def analysed(responses: Any, centre: Any = ()) -> Analysis:
    return analyse(design_of(runs_of(responses, centre)))


def estimates(analysis: Analysis) -> dict[str, float]:
    return {effect.name: effect.estimate for effect in analysis.effects}


def anova(analysis: Analysis) -> dict[str, AnovaRow]:
    return {row.source: row for row in anova_table(analysis)}
