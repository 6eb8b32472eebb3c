"""Amounts as a person reads them: with their unit, and the bounds of an estimate.

Belongs here: how a number is written in metadata and reports. Does not belong here: what it means.
"""

from __future__ import annotations

from collections.abc import Mapping

UNDEFINED = "undefined"


def amount_told(value: float | None, unit: str = "") -> str:
    """A number with its unit, such as `43.9 mm`."""
    return UNDEFINED if value is None else f"{value:.4g} {unit}".strip()


def interval_told(estimate: Mapping[str, float] | None, unit: str = "", sign: str = "") -> str:
    """An estimate with its unit and bounds, such as `+9.8 mm (+9.1 to +10.6)`.

    Args:
        estimate: its value, low and high; None: it is undefined.
        unit: of all three.
        sign: `+` for a change.
    """
    if estimate is None:
        return UNDEFINED
    value, low, high = (f"{estimate[key]:{sign}.4g}" for key in ("value", "low", "high"))
    return f"{value} {unit}".strip() + f" ({low} to {high})"


def share_told(share: float) -> str:
    """A share in percent."""
    return f"{share:.1%}".replace("%", " %")
