"""Rows of two tables as numbers that a model of both can read.

Belongs here: drawing a bounded number of rows, and coding columns without any label. Does not
belong here: profiles of single columns (`leeway.drift.profile`), or any model.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from leeway.data.tables import to_parquet
from leeway.spec import LARGEST_NUMBER, Column

Floats = NDArray[np.float64]

# scikit-learn's histograms have 255 cells; what is rarer than this shares one.
MOST_LEVELS = 200


@dataclass(frozen=True)
class CodedRows:
    """Two tables in one code, each of shape (rows, columns); NaN is a missing value.

    A number that is not finite is missing, as in a profile. `categories` marks the columns of codes
    of levels, 0 for the commonest of both tables; from `MOST_LEVELS` on levels share the last code.
    """

    reference: Floats
    current: Floats
    names: tuple[str, ...]
    categories: NDArray[np.bool_]

    @property
    def both(self) -> Floats:
        """The rows of the reference, and then the current ones."""
        return np.concatenate([self.reference, self.current])

    @property
    def varying(self) -> NDArray[np.bool_]:
        """Which columns differ between any two rows, a gap being a value; shape (columns,)."""
        distinct = [np.unique(column, equal_nan=True).size for column in self.both.T]
        return np.array(distinct, dtype=np.intp) > 1

    def only(self, chosen: NDArray[np.bool_]) -> CodedRows:
        """The same rows with some of the columns; `chosen` has shape (columns,)."""
        names = tuple(name for name, kept in zip(self.names, chosen, strict=True) if kept)
        return CodedRows(
            self.reference[:, chosen], self.current[:, chosen], names, self.categories[chosen]
        )


def draw(table: pa.Table, names: Sequence[str], most: int) -> pa.Table:
    """These columns of at most `most` rows, in their order, drawn with a seed from the content.

    The same table gives the same rows, and no period in it can meet a step.

    Raises:
        KeyError: when the table lacks a column.
    """
    rows = table.select(list(names))
    if rows.num_rows <= most:
        return rows
    content = to_parquet(rows.slice(0, most)) + str(rows.num_rows).encode()
    seed = int.from_bytes(hashlib.sha256(content).digest()[:8], "big")
    drawn = np.random.default_rng(seed).permutation(rows.num_rows)[:most]
    return rows.take(pa.array(np.sort(drawn)))


def code_rows(reference: pa.Table, current: pa.Table, columns: Sequence[Column]) -> CodedRows:
    """The values of two tables in one code; no label and no origin of a row takes part.

    Raises:
        KeyError: when a table lacks a column.
        pyarrow.ArrowInvalid: when a number column holds text that is no number.
    """
    pairs = [_coded(reference[column.name], current[column.name], column) for column in columns]
    categories = [column.type == "category" for column in columns]
    return CodedRows(
        np.array([ours for ours, _ in pairs]).reshape(len(columns), reference.num_rows).T,
        np.array([theirs for _, theirs in pairs]).reshape(len(columns), current.num_rows).T,
        tuple(column.name for column in columns),
        np.array(categories, dtype=np.bool_),
    )


def fittable(rows: Floats) -> Floats:
    """The rows with 0 in each column that has no value: scikit-learn 1.9 cannot bin one.

    Nothing can be split by it, so that a model of these rows judges any others as they are.
    """
    return np.where(np.isnan(rows).all(axis=0), 0.0, rows)


def seed_of(*arrays: Floats) -> int:
    """A seed for scikit-learn from the bytes of some arrays: 32 bits of their SHA-256."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(str(array.shape).encode() + np.ascontiguousarray(array).tobytes())
    return int.from_bytes(digest.digest()[:4], "big")


def _numbers(data: pa.ChunkedArray) -> Floats:
    values = np.array(data.cast(pa.float64(), safe=False).to_numpy(), dtype=np.float64)
    values[~np.isfinite(values)] = np.nan
    # Further out a mean of squares is infinite, whatever the other values are.
    return np.clip(values, -LARGEST_NUMBER, LARGEST_NUMBER)


def _coded(
    reference: pa.ChunkedArray, current: pa.ChunkedArray, column: Column
) -> tuple[Floats, Floats]:
    if column.type != "category":
        return _numbers(reference), _numbers(current)
    ours, theirs = reference.cast(pa.string()), current.cast(pa.string())
    counts: Counter[str] = Counter()
    for side in (ours, theirs):
        for entry in pc.value_counts(side.drop_null()).to_pylist():
            counts[entry["values"]] += entry["counts"]
    known = pa.array(sorted(counts, key=lambda level: (-counts[level], level)), pa.string())
    return _codes(ours, known), _codes(theirs, known)


def _codes(texts: pa.ChunkedArray, known: pa.Array) -> Floats:
    codes = pc.index_in(texts, value_set=known, skip_nulls=True).cast(pa.float64()).to_numpy()
    capped: Floats = np.minimum(codes, MOST_LEVELS)
    return capped
