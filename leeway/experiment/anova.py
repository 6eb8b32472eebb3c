"""The analysis of variance of a two-level design, as a table.

Belongs here: the rows of the table. Does not belong here: what is in them
(`leeway.experiment.effects`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leeway.experiment.effects import Analysis, Curvature, Effect


@dataclass(frozen=True)
class AnovaRow:
    """One source of variation; what it has not is None."""

    source: str
    sum_of_squares: float
    degrees_of_freedom: int
    mean_square: float | None = None
    f_value: float | None = None
    p_value: float | None = None


def anova_table(analysis: Analysis) -> tuple[AnovaRow, ...]:
    """A row for each effect, the curvature, the pure error, and the total about the mean.

    The sums of squares add up to the total when every cell was run equally often. Without a
    repeated run there is no row of error, and no F.
    """
    rows = [_tested(effect.label, effect) for effect in analysis.effects]
    if analysis.curvature is not None:
        rows.append(_tested("curvature", analysis.curvature))
    error = analysis.error
    if error.sum_of_squares is not None:
        freedom = int(error.degrees_of_freedom)
        squares = error.sum_of_squares
        rows.append(AnovaRow(f"error ({error.source})", squares, freedom, squares / freedom))
    runs = np.concatenate([*analysis.design.responses, analysis.design.centre])
    total = float(((runs - runs.mean()) ** 2).sum())
    return (*rows, AnovaRow("total", total, len(runs) - 1))


def _tested(source: str, what: Effect | Curvature) -> AnovaRow:
    squares = what.sum_of_squares
    p_value = None if what.f_value is None else what.p_value  # that of Lenth's method is of no F
    return AnovaRow(source, squares, 1, squares, what.f_value, p_value)
