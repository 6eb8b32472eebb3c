"""What a person reads of rows as a whole: what tells those of a batch from the reference.

Belongs here: words for what was found, for the metadata of a node and the report alike. Does not
belong here: finding it out (`leeway.drift.multivariate`), or its verdict in words.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leeway.amounts import UNDEFINED, interval_told


def joint_told(joint: Mapping[str, Any]) -> dict[str, str]:
    """What tells the rows of a batch from the reference as a whole, by what it is.

    Args:
        joint: `leeway.drift.multivariate.MultivariateDrift.as_dict`.
    """
    rows, error = joint["rows"], joint["reconstruction"]
    found = {"rows_compared": f"{rows['current']:,}, with {rows['reference']:,} held-out ones"}
    limits = joint["auc_threshold"], joint["reconstruction_threshold"]
    auc = f"{interval_told(joint['auc'])}; 0.5 is guessing, {limits[0]:.4g} is the limit"
    found["auc_of_a_classifier"] = UNDEFINED if joint["auc"] is None else auc
    change = interval_told(error and error["change"], "standard deviations", sign="+")
    told = f"{change}; {limits[1]:.4g} is the limit"
    found["change_of_the_reconstruction_error"] = UNDEFINED if error is None else told
    return found


def leaned_on_told(joint: Mapping[str, Any]) -> list[dict[str, str]]:
    """By column, the area under the curve that the classifier loses without it, largest first."""
    return [
        {"column": name, "auc lost without it": interval_told(lost)}
        for name, lost in joint["leaned_on"].items()
    ]
