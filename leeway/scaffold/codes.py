"""Codes that stand for a missing value: words such as NA, and numbers such as -999.

Belongs here: telling a code from a value. Does not belong here: reading values
(`leeway.scaffold.content`).
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

# "none" and "unknown" are not among them: they may be categories.
# fmt: off
MISSING_WORDS = frozenset({
    "NA", "N/A", "n/a", "na", "#N/A", "#NA", "NULL", "Null", "null", "(null)", "NaN", "nan", "NAN",
    "<NA>", "?", "-", "--", ".", "#VALUE!", "#DIV/0!",
})
# fmt: on
_FAR = 3.0  # times the spread of the other values


def number_codes(numbers: NDArray[np.float64], counts: NDArray[np.int64]) -> set[float]:
    """The numbers made of nines that stand for no value.

    That is -99, -999 and so on, or 999, 9999 and so on, where it repeats, is the smallest or
    the largest number, and is far from all others: below zero where no other is, or away by more
    than three times their spread.

    Args:
        numbers: distinct, shape (levels,); NaN is left out.
        counts: rows of each.
    """
    found: set[float] = set()
    while True:
        finite = np.isfinite(numbers) & ~np.isin(numbers, list(found))
        known = numbers[finite]
        if known.size < 3:
            return found
        code = next((x for x in (known.min(), known.max()) if _is_code(float(x), known)), None)
        if code is None or counts[numbers == code].sum() < 2:
            return found
        found.add(float(code))


def _is_code(code: float, known: NDArray[np.float64]) -> bool:
    rest = known[known != code]
    low, high = float(rest.min()), float(rest.max())
    if not re.fullmatch(r"-9{2,}|9{3,}", f"{code:.15g}"):
        return False
    if code < 0 <= low:
        return True
    gap = low - code if code < low else code - high
    return gap > _FAR * (high - low)
