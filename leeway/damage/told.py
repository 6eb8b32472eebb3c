"""What a person reads of a batch's damage: amounts with their units and intervals.

Belongs here: words for what the node `damage` stored, for its metadata and the report alike. Does
not belong here: the verdict and its reason (`leeway.damage.verdict`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leeway.amounts import UNDEFINED, amount_told, interval_told, share_told


def damage_told(damage: Mapping[str, Any]) -> dict[str, str]:
    """What is known, by what it is.

    Args:
        damage: `leeway.damage.verdict.BatchDamage.as_dict`.
    """
    unit, rows = damage["unit"], damage["rows"]
    worth, alone = damage["effective_rows"], damage["alone"]
    return {
        "metric": f"{damage['metric']} ({unit})",
        "on_held_out_rows": amount_told(damage["reference"], unit),
        "expected_of_such_rows": interval_told(damage["estimated"], unit),
        "change": interval_told(damage["change"], unit, sign="+"),
        "tolerated_worsening": amount_told(damage["tolerance"], unit),
        "rows": f"{rows['current']:,}, held against {rows['reference']:,} held-out ones",
        "held_out_rows_are_worth": UNDEFINED if worth is None else f"{worth:,.0f} such rows",
        "like_no_held_out_row": UNDEFINED if alone is None else share_told(alone),
    }


def shares_told(damage: Mapping[str, Any]) -> list[dict[str, str]]:
    """What each column changes the expected loss by, the largest first."""
    return [
        {
            "column": column["name"],
            "share": share_told(column["share"]),
            "change": interval_told(column["change"], sign="+"),
            "loss": str(damage["loss"]),
        }
        for column in damage["columns"]
    ]
