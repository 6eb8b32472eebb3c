"""The measured penguins, as the unit tests of training read them.

Belongs here: the rows and their use case. Does not belong here: what a test makes of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import palmerpenguins
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
