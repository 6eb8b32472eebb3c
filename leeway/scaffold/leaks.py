"""Columns that give the target away: equal to it, or determining it.

Belongs here: looking for a leak between one column and the target, on a sample of rows. Does not
belong here: what becomes of such a column (`leeway.scaffold.roles`).

A leak is what no honest feature does on so many rows: every value of a column goes with one target,
or its order is that of the target without an exception. A missing value counts as a value, since a
reason for leaving is there only for those who left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from leeway.data.notations import PLAIN, Notation
from leeway.data.values import as_text, parse_column
from leeway.spec import NUMERIC_TYPES, Column, ColumnType

SAMPLED = 50_000
_FEWEST = 20  # rows; fewer agree by chance
_ORDERED = 100  # rows that an order without exception needs
_PER_VALUE = 5  # rows per distinct value: a key determines everything
_SAME = 0.9999  # rank correlation of what was only rounded
_PURE = 10  # rows of one value that go with the rarer class alone
_RARE = 0.3


@dataclass(frozen=True)
class Sampled:
    """The sampled values of one column: codes of its distinct texts, and its numbers if it has any.

    Both have shape (rows,); -1 and NaN are missing.
    """

    codes: NDArray[np.int64]
    numbers: NDArray[np.float64] | None
    texts: tuple[str, ...]


def sample_rows(rows: int) -> NDArray[np.int64]:
    """Positions of at most `SAMPLED` rows, spread evenly over the table."""
    return np.unique(np.linspace(0, rows - 1, min(rows, SAMPLED)).astype(np.int64))


def sampled(
    column: pa.ChunkedArray,
    positions: NDArray[np.int64],
    type_: ColumnType,
    missing: tuple[str, ...],
    notation: Notation = PLAIN,
) -> Sampled:
    """The values of a column at some positions."""
    raw = column.take(pa.array(positions)).combine_chunks()
    encoded = as_text(raw, type_, missing).dictionary_encode()
    codes = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    numbers = None
    if type_ in NUMERIC_TYPES:
        read = Column(
            name="x",
            type="number",
            missing=missing,
            written=notation.written,
            affix=notation.affix,
            description="x",
        )
        values = parse_column(raw, read).values
        numbers = np.array(values.to_numpy(zero_copy_only=False), np.float64)
    return Sampled(codes, numbers, tuple(encoded.dictionary.to_pylist()))


def leak(column: Sampled, target: Sampled, *, classes: bool) -> str | None:
    """How a column gives the target away, as the rest of a sentence; None when it does not.

    Args:
        column: what may leak.
        target: of the same rows.
        classes: whether the target is one of several classes, and not a number.
    """
    known = target.codes >= 0
    if known.sum() < _FEWEST or len(np.unique(target.codes[known])) < 2:
        return None
    codes, truth = column.codes[known], target.codes[known]
    groups = len(np.unique(codes))
    if len(codes) >= groups * _PER_VALUE and groups > 1 and _determines(codes, truth):
        if _determines(truth, codes):
            return "is the target under another name: each value goes with one of the target's"
        return "determines the target: each of its values goes with one value of the target"
    if column.numbers is None:
        return None
    if classes:
        return _separates(column.numbers[known], truth)
    assert target.numbers is not None  # noqa: S101  # a target without classes is a number
    return _follows(column.numbers[known], target.numbers[known])


def _determines(one: NDArray[np.int64], other: NDArray[np.int64]) -> bool:
    """Whether each value of `one` goes with a single value of `other`."""
    pairs = np.unique(np.stack([one, other]), axis=1).shape[1]
    return bool(pairs == len(np.unique(one)))


def _separates(numbers: NDArray[np.float64], truth: NDArray[np.int64]) -> str | None:
    """Whether bounds on the numbers tell all classes apart."""
    given = np.isfinite(numbers)
    if given.sum() < _ORDERED:
        return None
    order = np.argsort(numbers[given], kind="stable")
    values, labels = numbers[given][order], truth[given][order]
    changes = np.flatnonzero(labels[1:] != labels[:-1])
    if len(changes) != len(np.unique(truth)) - 1 or (values[changes] == values[changes + 1]).any():
        return None
    return "tells the target without an error: bounds on its values separate the classes"


def _follows(numbers: NDArray[np.float64], truth: NDArray[np.float64]) -> str | None:
    """Whether the numbers have the order of the target."""
    from scipy.stats import rankdata

    both = np.isfinite(numbers) & np.isfinite(truth)
    if both.sum() < _FEWEST or both.sum() * 2 < len(both):
        return None
    one, other = numbers[both], truth[both]
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return None
    if np.array_equal(one, other):
        return "equals the target"
    correlation = float(np.corrcoef(rankdata(one), rankdata(other))[0, 1])
    if abs(correlation) < _SAME:
        return None
    return f"has the order of the target (rank correlation {correlation:.4f}), only another scale"


def suspicion(column: Sampled, target: Sampled) -> str | None:
    """A value that goes with the rarer of two classes alone, as the rest of a sentence."""
    known = target.codes >= 0
    codes, truth = column.codes[known], target.codes[known]
    labels, counts = np.unique(truth, return_counts=True)
    if len(labels) != 2 or counts.min() > _RARE * len(truth):
        return None
    rare = labels[counts.argmin()]
    for code in np.unique(codes):
        with_it = truth[codes == code]
        if len(with_it) >= _PURE and (with_it == rare).all():
            value = "missing" if code < 0 else repr(column.texts[code])
            return f"is {value} in {len(with_it)} rows, all of them {target.texts[rare]!r}"
    return None
