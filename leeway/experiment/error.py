"""How much one run varies by itself: the error that effects are judged by.

Belongs here: the variance of one run, where it comes from, and Lenth's method for runs that were
not repeated. Does not belong here: effects (`leeway.experiment.effects`).

Source: Montgomery, Design and Analysis of Experiments, 8th edition 2013, chapter 6; R. V. Lenth,
Quick and easy analysis of unreplicated factorials, Technometrics 31, 1989.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from leeway.experiment.design import Design

Floats = NDArray[np.float64]
ErrorSource = Literal["replicates", "centre points", "replicates and centre points", "lenth"]

CONFIDENCE = 0.95  # of every interval
FEWEST_EFFECTS = 3  # Lenth's method reads the error off the small ones; of fewer, none is small


@dataclass(frozen=True)
class ErrorEstimate:
    """The variance of one run, in the response's unit squared.

    `sum_of_squares` is None for Lenth's method, which has none. `variance` is None when nothing
    estimates it; `undefined` says why.
    """

    source: ErrorSource
    degrees_of_freedom: float
    variance: float | None
    sum_of_squares: float | None = None
    undefined: str | None = None

    @property
    def t_quantile(self) -> float:
        """Student's t that the share `CONFIDENCE` of a central interval ends at."""
        from scipy.special import stdtrit

        return float(stdtrit(self.degrees_of_freedom, (1 + CONFIDENCE) / 2))


def estimate_error(design: Design, effects: Floats) -> ErrorEstimate:
    """The error of one run: pooled from what was repeated, else by Lenth's method.

    Args:
        design: the runs.
        effects: estimates of all effects, shape (cells - 1,), for Lenth's method.
    """
    repeated = any(len(runs) > 1 for runs in design.responses)
    centre = len(design.centre) > 1
    if not repeated and not centre:
        return _lenth(design, effects)
    source: ErrorSource = "replicates"
    if centre:
        source = "replicates and centre points" if repeated else "centre points"
    groups = [runs for runs in (*design.responses, design.centre) if len(runs) > 1]
    squares = float(sum(((runs - runs.mean()) ** 2).sum() for runs in groups))
    freedom = sum(len(runs) - 1 for runs in groups)
    if all((runs == runs[0]).all() for runs in groups):
        reason = f"the {source} do not differ at all: the response is too coarse to judge effects"
        return ErrorEstimate(source, freedom, None, squares, reason)
    return ErrorEstimate(source, freedom, squares / freedom, squares)


def pseudo_standard_error(effects: Floats) -> float:
    """Lenth's pseudo standard error of an effect: 1.5 medians of the effects that are not large."""
    size = np.abs(effects)
    first = 1.5 * np.median(size)
    small = size[size < 2.5 * first]
    return float(1.5 * np.median(small)) if small.size else 0.0


def simultaneous_margin(effects: Floats) -> float:
    """Lenth's simultaneous margin of error, which no inactive effect exceeds."""
    from scipy.special import stdtrit

    share = (1 + CONFIDENCE ** (1 / len(effects))) / 2
    return float(stdtrit(len(effects) / 3, share) * pseudo_standard_error(effects))


def _lenth(design: Design, effects: Floats) -> ErrorEstimate:
    freedom = len(effects) / 3
    if len(effects) < FEWEST_EFFECTS:
        reason = (
            f"no run was repeated, and {len(effects)} effect is too few for Lenth's method "
            f"(at least {FEWEST_EFFECTS}); repeat runs"
        )
        return ErrorEstimate("lenth", freedom, None, undefined=reason)
    error = pseudo_standard_error(effects)
    if error == 0:
        reason = "no run was repeated, and most effects are exactly 0; repeat runs"
        return ErrorEstimate("lenth", freedom, None, undefined=reason)
    # An effect is the difference of two means of half of the runs each.
    return ErrorEstimate("lenth", freedom, error**2 * len(design.cells) / 4)
