"""What is kept of a verdict: for the report, the dashboard, and whoever asks later.

Belongs here: putting together what was found. Does not belong here: finding it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from leeway.drift.distribution import Distribution
from leeway.drift.verdict import BatchDrift

if TYPE_CHECKING:
    from leeway.drift.origin import Origin


def content_of(
    found: BatchDrift,
    origins: Mapping[str, Origin],
    distributions: Mapping[str, Distribution],
    who_moved: str = "",
    reference: str = "training_part",
) -> dict[str, Any]:
    """The verdict, who moved the confirmed columns, and the distributions of the foremost.

    `who_moved` is what `leeway.drift.who_moved.who_told` says of them, `reference` what the batch
    was compared with, as `drift.reference` has it.
    """
    return {
        **found.as_dict(),
        "who_moved": who_moved,
        "reference": reference,
        "origins": {name: origin.as_dict() for name, origin in origins.items()},
        "distributions": {name: each.as_dict() for name, each in distributions.items()},
    }
