"""Tables that `leeway new` was not written for, and what it infers of one.

Belongs here: making a table, and its draft. Does not belong here: what must be inferred. Tables are
written as files and read as the sources read them, so that a value is the text it is there.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from leeway.data.validation import validate
from leeway.scaffold.draft import Draft, infer
from resources.files import read_data

N = 200
Table = Mapping[str, Any]


def noise(seed: int = 0, rows: int = N) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.random.default_rng(seed).normal(size=rows).round(3)


def mixed(*values: Any, rows: int = N) -> list[Any]:
    """The values at random, the same at every call, others for other values."""
    random = np.random.default_rng(zlib.crc32(repr(values).encode()))
    return [values[position] for position in random.integers(0, len(values), rows)]


CHURN: dict[str, Any] = {"id": range(1, N + 1), "x": noise(), "y": mixed("no", "yes", "no", "no")}


def read(table: Table) -> pa.Table:
    """The table as it is read from a CSV file."""
    written = pd.DataFrame(dict(table)).to_csv(index=False)
    return read_data("t.csv", written.encode(), "t.csv")


def draft(table: Table, target: str = "y", *, rejected: int = 0, **options: Any) -> Any:
    """The `Draft` of the table; of its rows as many as `rejected` must not be accepted.

    Declared as anything, since a test knows which of its values are not None.
    """
    rows = read(table)
    found = infer(rows, path="t.csv", target=target, **options)
    assert validate(rows, found.use_case, batch="t").rejected_rows == rejected
    return found


def said(found: Draft, words: str) -> bool:
    return any(words in sentence for sentence in found.assumptions)
