"""When an asset should be up to date, as named conditions.

Belongs here: automation conditions. Does not belong here: the decision to retrain, which is a
sensor's (docs/adr/0006).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg

from leeway.spec import UseCase


def conditions_of(use_case: UseCase) -> Mapping[str, dg.AutomationCondition[Any]]:
    """Conditions by node."""
    return {}
