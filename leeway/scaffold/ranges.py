"""Allowed ranges of numbers, from what was seen, with room on both sides.

Belongs here: the bounds. Does not belong here: rejecting what is outside of them
(`leeway.data.validation`).
"""

from __future__ import annotations

import math
from collections.abc import Callable

from leeway.spec import LARGEST_NUMBER


def range_of(low: float, high: float, unit: str | None) -> tuple[float | None, float | None]:
    """Bounds as far again from the numbers seen as these are apart, rounded outwards to two digits.

    What was never negative stays so, and a percentage between 0 and 100 stays there. A bound that
    no model could read is none.
    """
    if unit == "percent" and low >= 0 and high <= 100:
        return 0.0, 100.0
    spread = max(high - low, abs(high) * 0.1)
    lower, upper = _outwards(low - spread, math.floor), _outwards(high + spread, math.ceil)
    if low >= 0:
        lower = max(lower, 0.0)
    return (
        lower if lower > -LARGEST_NUMBER else None,
        upper if upper < LARGEST_NUMBER else None,
    )


def _outwards(bound: float, whole: Callable[[float], int]) -> float:
    if bound == 0 or not math.isfinite(bound):
        return bound
    exponent = math.floor(math.log10(abs(bound))) - 1
    return float(f"{whole(float(f'{bound / 10.0**exponent:.9g}'))}e{exponent}")
