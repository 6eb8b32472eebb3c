"""How much worse a model may be expected to be on a batch.

Belongs here: the tolerance. Does not belong here: the estimate and its verdict (`leeway.damage`).
"""

from __future__ import annotations

from pydantic import Field

from leeway.spec.base import Strict


class Damage(Strict):
    """When the shift of a batch harms the champion, as far as that shows without labels."""

    tolerance: float = Field(
        default=0.05,
        ge=0,
        description="largest worsening of search.metric that is no harm: in its own unit where 1 "
        "is its best value, else as a share of its value on the held-out rows",
    )
