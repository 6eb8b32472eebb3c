"""The training part as what is fitted reads it.

Belongs here: features and target of a node's own attempt. Does not belong here: making either from
a table (`leeway.data.frames`), or the snapshot (`assets.training_set`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assets.stage import Work, give_back_memory
from assets.training_set import read_part
from leeway.data.frames import feature_frame, target_array
from leeway.data.training_set import TRAIN

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


def training_frame(work: Work) -> tuple[pd.DataFrame, NDArray[Any]]:
    """Features and target of the training part; the memory of its rows is free for a fit."""
    rows, use_case = read_part(work, TRAIN), work.stage.use_case
    found = feature_frame(rows, use_case), target_array(rows, use_case)
    del rows
    give_back_memory()
    return found
