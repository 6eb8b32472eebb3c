"""Arrow's numbers as NumPy arrays, by their memory.

Belongs here: this one way. Does not belong here: what the numbers are. Arrow's own conversion
imports pandas, wherever that is installed, which takes half of the time that `leeway drift` has.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def numbers_in(data: pa.Array) -> NDArray[Any]:
    """The values of an array of integers or floats without NULL, shape (rows,); not to be written.

    Raises:
        ValueError: when a value is missing.
    """
    if data.null_count:
        raise ValueError(f"{data.null_count} values are missing")
    buffer = data.buffers()[1]
    dtype = np.dtype(str(data.type).replace("double", "float64").replace("halffloat", "float16"))
    if buffer is None:
        return np.zeros(0, dtype)
    start = data.offset * dtype.itemsize
    return np.frombuffer(buffer, dtype, len(data), start)
