"""Sensors: they look at the outside world and at recorded history, and request runs.

Belongs here: reading facts, asking a pure function, requesting a run under a key. Does not belong
here: deciding (`leeway.retraining`).
"""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from assets.stage import Stage


def sensors_of(stage: Stage) -> Sequence[dg.SensorDefinition]:
    """The sensors of one use case."""
    return []
