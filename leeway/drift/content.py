"""What is kept of a verdict: for the report, the dashboard, and whoever asks later.

Belongs here: putting together what was found. Does not belong here: finding it.
"""

from __future__ import annotations

from collections.abc import Mapping

from leeway.drift.distribution import distributions_of
from leeway.drift.origin import Origin
from leeway.drift.profile import Profile
from leeway.drift.verdict import BatchDrift


def content_of(
    found: BatchDrift, reference: Profile, current: Profile, origins: Mapping[str, Origin]
) -> dict[str, object]:
    """The verdict, who moved the confirmed columns, and the distributions of the foremost."""
    shown = distributions_of(reference, current, found.columns)
    return {
        **found.as_dict(),
        "origins": {name: origin.as_dict() for name, origin in origins.items()},
        "distributions": {name: each.as_dict() for name, each in shown.items()},
    }
