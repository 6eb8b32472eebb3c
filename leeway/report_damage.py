"""The parts of a batch's report that go beyond single columns: what a change costs, and rows whole.

Belongs here: HTML of what the node `damage` stored. Does not belong here: its words
(`leeway.damage.told`, `leeway.drift.joint_told`), or the page around it (`leeway.report`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leeway.damage.told import damage_told, shares_told
from leeway.drift.joint_told import joint_told, leaned_on_told
from leeway.report_parts import facts, foremost

MOST_COLUMNS = 20
_ABOUT_DAMAGE = (
    "Labels of a batch come late. Until then this is estimated from held-out rows that are like "
    "those of the batch. Where too few are like them, nobody can tell, and it is refused. Brackets "
    "are 95 % intervals."
)
_ABOUT_ROWS = (
    "Columns can each look as before and yet not go together as before. So a classifier tries to "
    "tell rows of the batch from held-out rows, and principal components of the held-out rows try "
    "to put rows of the batch together again."
)


def damage_html(damage: Mapping[str, Any]) -> str:
    """What the change of the batch does to the metric, and the columns that it comes from."""
    return (
        f"<h2>What it costs the model</h2><p>{_ABOUT_DAMAGE}</p>"
        f"{facts(damage_told(damage))}{foremost(shares_told(damage), MOST_COLUMNS)}"
    )


def joint_html(joint: Mapping[str, Any]) -> str:
    """Whether rows as a whole are others, and the columns that tell them apart."""
    return (
        f"<h2>Rows as a whole</h2><p>{_ABOUT_ROWS}</p>"
        f"{facts(joint_told(joint))}{foremost(leaned_on_told(joint), MOST_COLUMNS)}"
    )
