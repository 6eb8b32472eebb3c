"""Jobs: the parts of a use case's graph that run together.

Belongs here: selections of assets. Does not belong here: when they run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from assets.stage import Stage


def jobs_of(stage: Stage) -> Sequence[Any]:
    """The jobs of one use case."""
    return []
