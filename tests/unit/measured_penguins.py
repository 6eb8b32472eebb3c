"""The measured penguins, as the unit tests of training read them.

Belongs here: the rows and their use case. Does not belong here: what a test makes of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import palmerpenguins
import pandas as pd
import pyarrow as pa
import yaml

from leeway.data.frames import feature_frame, target_array
from leeway.spec import UseCase

ROOT = Path(__file__).parents[2]
DEFS = yaml.safe_load((ROOT / "orchestration/defs/penguins/defs.yaml").read_text())
ATTRIBUTES: dict[str, Any] = DEFS["attributes"]
PENGUINS = UseCase.model_validate(ATTRIBUTES)


def measured() -> pa.Table:
    """The 342 penguins that have measurements."""
    frame = palmerpenguins.load_penguins()
    frame.insert(0, "penguin_id", range(len(frame)))
    return pa.Table.from_pandas(frame[frame["bill_length_mm"].notna()], preserve_index=False)


TABLE = measured()
FRAME = feature_frame(TABLE, PENGUINS)
TARGET = target_array(TABLE, PENGUINS)


def penguins(task: str = "classification", **search: Any) -> UseCase:
    """The use case with a quick search; `search` are fields of it that are others."""
    quick = {"folds": 3, "trials": 6, "candidates": ("decision_tree",), **search}
    changed = PENGUINS.search.model_copy(update=quick)
    return PENGUINS.model_copy(update={"search": changed, "task": task})


def mass() -> tuple[pd.DataFrame, np.ndarray[Any, np.dtype[np.float64]]]:
    """A regression: the body mass in g from the other columns."""
    return FRAME.assign(body_mass_g=0.0), FRAME["body_mass_g"].to_numpy()
