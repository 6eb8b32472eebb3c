"""Arrow's numbers as NumPy arrays, by their memory, and texts as Arrow's.

Belongs here: these ways. Does not belong here: what the values are. Arrow's own conversions import
pandas, wherever that is installed, which takes half of the time that `leeway drift` has.
"""

from __future__ import annotations

from collections.abc import Iterable
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
    return _values(data)


def floats_in(data: pa.Array) -> NDArray[np.float64]:
    """The values of an array of float64, shape (rows,), NaN where one is missing."""
    values = _values(data)
    if not data.null_count:
        return values
    bits = np.frombuffer(data.buffers()[0], np.uint8)
    first, end = data.offset // 8, (data.offset + len(data) + 7) // 8
    known = np.unpackbits(bits[first:end], bitorder="little")[data.offset - 8 * first :]
    return np.where(known[: len(data)].view(np.bool_), values, np.nan)


def texts(values: Iterable[str]) -> pa.Array:
    """The texts as an array of strings, in their order."""
    encoded = [value.encode() for value in values]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    buffers = pa.py_buffer(ends), pa.py_buffer(b"".join(encoded))
    return pa.StringArray.from_buffers(len(encoded), *buffers)


def _values(data: pa.Array) -> NDArray[Any]:
    """Whatever the memory holds where a value is missing."""
    buffer = data.buffers()[1]
    dtype = np.dtype(str(data.type).replace("double", "float64").replace("halffloat", "float16"))
    if buffer is None:
        return np.zeros(0, dtype)
    start = data.offset * dtype.itemsize
    return np.frombuffer(buffer, dtype, len(data), start)
