"""The distinct values of a column as texts, each with its number of rows.

Belongs here: making and narrowing them, and reading them as a type. Does not belong here: what they
say about the column (`leeway.scaffold.content`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from leeway.data.notations import PLAIN, Notation
from leeway.data.values import as_text, parse_column
from leeway.spec import Column, ColumnType


@dataclass(frozen=True)
class Levels:
    """Distinct texts, and the number of rows of each, shape (levels,)."""

    texts: pa.Array
    counts: NDArray[np.int64]

    @property
    def rows(self) -> int:
        """Number of rows that have one of them."""
        return int(self.counts.sum())

    def keep(self, mask: NDArray[np.bool_]) -> Levels:
        """Those where the mask is true."""
        return Levels(self.texts.filter(pa.array(mask)), self.counts[mask])

    def among(self, texts: Iterable[str]) -> Levels:
        """Those that are among some texts."""
        return self.keep(self._is_in(texts))

    def without(self, texts: Iterable[str]) -> Levels:
        """Those that are not among some texts."""
        return self.keep(~self._is_in(texts))

    def _is_in(self, texts: Iterable[str]) -> NDArray[np.bool_]:
        return _mask(pc.is_in(self.texts, value_set=pa.array(list(texts), pa.string())))

    def like(self, pattern: str) -> Levels:
        """Those that a regular expression finds something in."""
        return self.keep(_mask(pc.match_substring_regex(self.texts, pattern)))

    def sorted(self) -> tuple[tuple[str, int], ...]:
        """Text and rows of each, most frequent first."""
        pairs = zip(self.texts.to_pylist(), self.counts.tolist(), strict=True)
        return tuple(sorted(pairs, key=lambda pair: (-pair[1], pair[0])))


def levels_of(column: pa.ChunkedArray, type_: ColumnType) -> Levels:
    """The levels of a column, as texts that are read as `type_`.

    Raises:
        pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError: when values of this Arrow type have
            no text.
    """
    texts = as_text(column.combine_chunks(), type_)
    counted = pc.value_counts(texts.drop_null())
    counts = counted.field("counts").to_numpy(zero_copy_only=False)
    return Levels(counted.field("values"), counts.astype(np.int64))


def readable(levels: Levels, type_: ColumnType, notation: Notation = PLAIN) -> NDArray[np.bool_]:
    """Which levels can be read as the type, shape (levels,)."""
    return _mask(pc.is_valid(_read(levels, type_, notation)))


def numbers_of(levels: Levels, notation: Notation = PLAIN) -> NDArray[np.float64]:
    """The levels as numbers, NaN where they are none, shape (levels,)."""
    values = _read(levels, "number", notation)
    return np.array(values.to_numpy(zero_copy_only=False), np.float64)


def _read(levels: Levels, type_: ColumnType, notation: Notation) -> pa.Array:
    here = notation.for_type(type_)
    fields = {"written": here.written, "affix": here.affix}
    column = Column(name="x", type=type_, role="monitored", description="x", **fields)
    return parse_column(levels.texts, column).values


def _mask(values: pa.Array) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = pc.fill_null(values, False).to_numpy(zero_copy_only=False)
    return found
