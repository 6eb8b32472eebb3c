"""Levels of factors as -1, 0 and +1.

Belongs here: one column of a table of runs. Does not belong here: what the columns are together
(`leeway.experiment.design`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leeway.experiment.aliases import DesignError

Floats = NDArray[np.float64]

MOST_NAMED = 6  # levels in a message
# A centre may be rounded as decimal fractions are, not as instruments are.
CENTRE_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Factor:
    """A factor: its letter, and its levels in their own units or as texts."""

    name: str
    letter: str
    low: Any
    high: Any

    @property
    def centre(self) -> float | None:
        """Midway between numeric levels; texts have no centre."""
        if _is_number(self.low) and _is_number(self.high):
            return (float(self.low) + float(self.high)) / 2
        return None

    def level(self, code: int) -> Any:
        """The level that a code of -1 or +1 stands for."""
        return self.high if code > 0 else self.low

    def code(self, value: Any) -> float | None:
        """From -1 to +1 for a level, or for a number from the low to the high one; else None."""
        if value == self.low:
            return -1.0
        if value == self.high:
            return 1.0
        centre = self.centre
        if centre is None or not _is_number(value):
            return None
        found = (float(value) - centre) / (float(self.high) - centre)
        if abs(found) < CENTRE_TOLERANCE:
            return 0.0
        return found if abs(found) < 1 else None


def coded(
    name: str, letter: str, values: Sequence[Any], levels: tuple[Any, Any] | None
) -> tuple[Factor, Floats]:
    """A factor and the codes of its column: -1, 0 at the centre, or +1.

    Raises:
        DesignError: when a value is missing, or the levels are not two, with a centre or without.
    """
    _refuse_missing(name, values)
    low, high = levels if levels is not None else _two_levels(name, values)
    if low == high:
        raise DesignError(f"factor {name!r}: low and high level are both {low!r}; give two levels")
    factor = Factor(name, letter, low, high)
    codes = [factor.code(value) for value in values]
    for row, (code, value) in enumerate(zip(codes, values, strict=True), 1):
        if code not in (-1, 0, 1):
            centre = "" if factor.centre is None else f", or {factor.centre:g} at the centre"
            raise DesignError(
                f"row {row}: factor {name!r} is {value!r}; its levels are {low!r} and "
                f"{high!r}{centre}. Mend the row, or declare the levels.",
                row,
            )
    found = np.array(codes, np.float64)
    for level, code in ((low, -1), (high, 1)):
        if not (found == code).any():
            raise DesignError(f"factor {name!r}: no run has its level {level!r}; it takes both")
    return factor, found


def numbers(name: str, values: Sequence[Any]) -> Floats:
    """The response as numbers.

    Raises:
        DesignError: when a value is missing or no finite number.
    """
    _refuse_missing(name, values)
    for row, value in enumerate(values, 1):
        if not _is_number(value) or not math.isfinite(value):
            message = f"row {row}: response {name!r} is {value!r}, which is no number"
            raise DesignError(message, row)
    return np.array([float(value) for value in values])


def _two_levels(name: str, values: Sequence[Any]) -> tuple[Any, Any]:
    try:
        distinct = sorted(set(values))
    except TypeError:
        raise DesignError(
            f"factor {name!r} mixes texts and numbers; write every level the same way"
        ) from None
    if len(distinct) < 2:
        only = f"only the level {distinct[0]!r}" if distinct else "no run"
        raise DesignError(
            f"factor {name!r} has {only}; a factor takes two levels. Leave it out of the factors, "
            "or add the runs at its other level."
        )
    low, high = distinct[0], distinct[-1]
    factor = Factor(name, "", low, high)
    between = [value for value in distinct[1:-1] if factor.code(value) != 0]
    if between:
        named = ", ".join(repr(value) for value in distinct[:MOST_NAMED])
        named += ", ..." if len(distinct) > MOST_NAMED else ""
        centre = "texts have none" if factor.centre is None else f"here {factor.centre:g}"
        raise DesignError(
            f"factor {name!r} has the levels {named}; a two-level design has two, and centre "
            f"points midway between ({centre}). Leave out the runs at {between[0]!r}, or mend them."
        )
    return low, high


def _refuse_missing(name: str, values: Sequence[Any]) -> None:
    for row, value in enumerate(values, 1):
        if value is None or (isinstance(value, float) and math.isnan(value)):
            raise DesignError(
                f"row {row}: {name!r} has no value; add it, or leave the run out, which leaves the "
                "others of its cell",
                row,
            )


def _is_number(value: Any) -> bool:
    return isinstance(value, Real | Decimal | np.number)
