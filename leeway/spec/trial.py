"""How a release is tried beside the champion before it takes its place.

Belongs here: the policy. Does not belong here: what follows from a trial (`leeway.trial`).
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from leeway.spec.base import Strict


class Trial(Strict):
    """What a release that would be promoted has to stand first."""

    mode: Literal["shadow", "canary"] = Field(
        default="shadow",
        description="shadow: it answers what the champion answers, and nobody sees it; canary: it "
        "answers for a share of the keys",
    )
    share: float = Field(default=0.1, gt=0, le=0.5, description="of the keys, for a canary")
    hours: float = Field(
        default=1, gt=0, le=24 * 90, description="how long, where no labels are waited for"
    )
    labelled_rows: int | None = Field(
        default=None,
        ge=30,
        le=1_000_000,
        description="rows with a label after which it goes if it is not shown to be better; null: "
        "no labels are waited for",
    )
    max_error_rate: float = Field(default=0.05, ge=0, le=1, description="of its requests")
