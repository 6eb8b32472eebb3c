"""Copies of the transformers of our own pipelines: from the values of a request to features.

Belongs here: what each does with rows. Does not belong here: reading a fitted transformer
(`leeway.fast.copied`); what is meant by them (`leeway.training.preprocessing`).

Each writes its features into the columns from `start` on. Steps are in the order of the pipeline's:
another order of the same sums has other bits.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from functools import cached_property
from typing import Literal, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from leeway.spec.table import LARGEST_NUMBER

Floats = NDArray[np.float64]
Places = NDArray[np.int32]
FURTHEST = 1e30  # as `leeway.training.transformers.FURTHEST`, whose module imports scikit-learn


class Columns(NamedTuple):
    """The values of rows: numbers, shape (rows, numbers), NaN where missing; texts by column."""

    numbers: Floats
    texts: Sequence[Sequence[str | None]]


class Pair(msgspec.Struct, frozen=True, eq=False):
    """`left / right`, `left * right` or `left + right` of two number columns."""

    operation: Literal["ratio", "product", "sum"]
    left: int
    right: int

    def of(self, numbers: Floats) -> Floats:
        """Shape (rows,); NaN where no number column may hold the result."""
        left, right = numbers[:, self.left], numbers[:, self.right]
        operate = {"ratio": np.divide, "product": np.multiply, "sum": np.add}[self.operation]
        value = operate(left, right)
        return np.where(np.abs(value) <= LARGEST_NUMBER, value, np.nan)


class Regression(msgspec.Struct, frozen=True, eq=False):
    """One step of an iterative imputation: the gaps of `column` by those of `others`."""

    column: int
    others: Places
    weights: Floats
    intercept: float
    low: float
    high: float


class Rounds(msgspec.Struct, frozen=True, eq=False):
    """An iterative imputation: gaps are `first`, then what `steps` say; of all gaps, `first`."""

    first: Floats
    steps: tuple[Regression, ...]
    columns: NDArray[np.bool_]  # whose gaps it fills

    def fill(self, scaled: Floats, filled: Floats) -> None:
        """Fills the gaps that `scaled` has into `filled`, both of shape (rows, columns)."""
        gaps = np.isnan(scaled)
        for row in np.flatnonzero((gaps & self.columns).any(axis=1)):
            own = gaps[row]
            alone = np.where(own, self.first, scaled[row])[np.newaxis]
            if not own.all():
                for step in self.steps:
                    if own[step.column]:
                        self._step(step, alone)
            chosen = own & self.columns
            filled[row, chosen] = alone[0, chosen]

    @staticmethod
    def _step(step: Regression, row: Floats) -> None:
        found = row[:, step.others] @ step.weights + step.intercept
        row[:, step.column] = np.clip(found, step.low, step.high)


class Numbers(msgspec.Struct, frozen=True, eq=False, tag="numbers"):
    """Columns that are standardised and then filled; NaN in `fill` leaves a gap."""

    start: int
    columns: Places
    mean: Floats
    scale: Floats
    fill: Floats
    rounds: tuple[Rounds, ...] = ()

    @property
    def width(self) -> int:
        """How many features it makes."""
        return len(self.columns)

    def of(self, columns: Columns) -> Floats:
        """Shape (rows, columns)."""
        scaled = columns.numbers.take(self.columns, axis=1)
        scaled -= self.mean
        scaled /= self.scale
        np.minimum(np.maximum(scaled, -FURTHEST, out=scaled), FURTHEST, out=scaled)
        filled = np.where(np.isnan(scaled), self.fill, scaled)
        for each in self.rounds:
            each.fill(scaled, filled)
        return filled


class Clusters(msgspec.Struct, frozen=True, eq=False, tag="clusters"):
    """Distances to centres, shape (centres, columns), standardised; more than `centres` are 0."""

    start: int
    points: Numbers
    centres: Floats
    mean: Floats
    scale: Floats

    @property
    def width(self) -> int:
        """How many features it makes."""
        return len(self.mean)

    def of(self, columns: Columns) -> Floats:
        """Shape (rows, width)."""
        points = self.points.of(columns)
        distances = np.zeros((len(points), self.width))
        apart = points[:, np.newaxis] - self.centres
        distances[:, : len(self.centres)] = np.sqrt((apart * apart).sum(axis=2))
        distances -= self.mean
        distances /= self.scale
        return distances


class Lookup(msgspec.Struct, frozen=True, eq=False, tag="lookup", dict=True):
    """The features of a category.

    `values`, shape (known + 1, width), has them of each known one and then of all others; None
    where they are a 1 at the place of the known one. An `ordered` one has, behind the known ones,
    those of a text before the first, between the first and the second, and so on.
    """

    start: int
    text: int
    fill: str
    known: tuple[str, ...]
    values: Floats | None
    ordered: bool = False

    @cached_property
    def _places(self) -> dict[str | None, int]:
        places: dict[str | None, int] = {each: place for place, each in enumerate(self.known)}
        return places | {None: self._place(self.fill, places)}

    def _place(self, text: str, places: dict[str | None, int]) -> int:
        found = places.get(text)
        if found is not None:
            return found
        return len(self.known) + (bisect_left(self.known, text) if self.ordered else 0)

    @property
    def width(self) -> int:
        """How many features it makes."""
        return len(self.known) if self.values is None else self.values.shape[1]

    def of(self, columns: Columns) -> Floats:
        """Shape (rows, width)."""
        places = self._places
        # An array of texts knows no zeros at their end, which the order is made with.
        found = [
            self._place(each.rstrip("\0") if self.ordered else each, places)
            if each is not None
            else places[None]
            for each in columns.texts[self.text]
        ]
        if self.values is not None:
            return self.values[found]
        features = np.zeros((len(found), self.width))
        for row, place in enumerate(found):
            if place < self.width:
                features[row, place] = 1.0
        return features


Block = Numbers | Clusters | Lookup
