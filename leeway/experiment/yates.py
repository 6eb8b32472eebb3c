"""Yates' algorithm: all effects of a two-level design by adding and subtracting pairs.

Belongs here: the columns and the table. Does not belong here: the standard order of runs
(`leeway.experiment.design`), or judging an effect (`leeway.experiment.effects`).

Source: F. Yates, The Design and Analysis of Factorial Experiments, Imperial Bureau of Soil Science,
Technical Communication 35, 1937; NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.5.18.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class YatesRow:
    """One row: a treatment on the left, the effect that stands in its place on the right.

    `columns` holds (1) to (k); the last is the contrast.
    """

    treatment: str
    response: float
    columns: tuple[float, ...]
    divisor: int
    estimate: float
    effect: str

    @property
    def contrast(self) -> float:
        """The last column."""
        return self.columns[-1]


def yates_columns(responses: Sequence[float] | Floats) -> list[Floats]:
    """The response and the columns (1) to (k) of 2^k responses in standard order.

    Each column is the sums of the pairs of the one before, then their differences, second less
    first.

    Raises:
        ValueError: when the number of responses is not a power of two from 2 on.
    """
    column = np.asarray(responses, np.float64)
    if len(column) < 2 or len(column) & len(column) - 1:
        raise ValueError(f"Yates' algorithm needs 2, 4, 8, ... responses, got {len(column)}")
    columns = [column]
    for _ in range(len(column).bit_length() - 1):
        first, second = column[0::2], column[1::2]
        column = np.concatenate([first + second, second - first])
        columns.append(column)
    return columns


def yates_table(
    responses: Sequence[float] | Floats,
    replicates: int,
    treatments: Sequence[str],
    effects: Sequence[str],
) -> tuple[YatesRow, ...]:
    """The algorithm as a table.

    Args:
        responses: total of the replicates of each cell, in standard order.
        replicates: runs in each total.
        treatments: names of the cells, such as `(1)`, `a`, `b`, `ab`.
        effects: names of the effects, such as `mean`, `A`, `B`, `AB`.

    Raises:
        ValueError: as `yates_columns`.
    """
    columns = yates_columns(responses)
    cells = len(columns[0])
    rows = []
    for row, (treatment, effect) in enumerate(zip(treatments, effects, strict=True)):
        divisor = replicates * (cells if row == 0 else cells // 2)
        found = tuple(float(column[row]) for column in columns)
        rows.append(YatesRow(treatment, found[0], found[1:], divisor, found[-1] / divisor, effect))
    return tuple(rows)
