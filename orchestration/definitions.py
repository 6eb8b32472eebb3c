"""The code location: what `dagster`, `dg` and workspace.yaml load.

Belongs here: nothing but the call.
"""

import dagster as dg

from orchestration.build import build_defs


@dg.definitions
def defs() -> dg.Definitions:
    """Every use case of this installation."""
    return build_defs()
