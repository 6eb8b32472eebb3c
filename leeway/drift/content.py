"""What is kept of a verdict: for the report, the dashboard, and whoever asks later.

Belongs here: putting together what was found. Does not belong here: finding it.
"""

from __future__ import annotations

from collections.abc import Mapping

from leeway.drift.distribution import Distribution
from leeway.drift.origin import Origin
from leeway.drift.verdict import BatchDrift


def content_of(
    found: BatchDrift,
    origins: Mapping[str, Origin],
    distributions: Mapping[str, Distribution],
) -> dict[str, object]:
    """The verdict, who moved the confirmed columns, and the distributions of the foremost."""
    return {
        **found.as_dict(),
        "origins": {name: origin.as_dict() for name, origin in origins.items()},
        "distributions": {name: each.as_dict() for name, each in distributions.items()},
    }
