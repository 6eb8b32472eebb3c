"""Decision trees as one array of nodes, walked level by level for all rows and trees at once.

Belongs here: the layout, the walk and the sum of leaves. Does not belong here: reading the trees of
a library (`leeway.fast.copied_trees`).

A node takes 16 bytes: what a feature is compared with (float64), which feature, and the node that
is next when it is not greater; the one after that is next when it is. A leaf is next to itself and
compares with infinity, so that all walks take as many steps as the deepest tree and none asks
whether it has ended. Features stand twice, NaN as infinity and as minus infinity: a node that sends
gaps to the right reads the first, others the second.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from leeway.fast.finish import FINISHES, Finish

Floats = NDArray[np.float64]
NODE = np.dtype([("limit", "<f8"), ("feature", "<i4"), ("next", "<i4")])
_WHOLE = np.complex128  # of the size of a node: NumPy copies such numbers at once
ROWS_AT_ONCE = 50  # more do not fit into the cache with their trees


class Trees(msgspec.Struct, frozen=True, tag="trees", eq=False, dict=True):
    """Trees whose leaves are summed in their order.

    `nodes` has shape (nodes,), `roots` (trees,) and `leaves` (leaves, values); tree after tree adds
    its values to the outputs in turn. Sums begin at `start`, shape (outputs,), have the precision
    of `leaves`, and are divided by `divisor`. With `single` features are rounded to 32 bits first.
    """

    width: int  # of the features
    depth: int
    single: bool
    nodes: NDArray[np.void]
    roots: NDArray[np.int32]
    leaves: NDArray[Any]  # of 32 or 64 bits
    start: NDArray[Any]
    divisor: int
    finish: Finish

    def check(self) -> Self:
        """Itself, where no walk can leave the arrays or go in a circle.

        Raises:
            ValueError: where one could.
        """
        nodes, at = self.nodes, np.arange(len(self.nodes))
        leaf = nodes["next"] == at
        inner = ~leaf
        sound = (
            nodes.dtype == NODE
            and (nodes["next"][inner] > at[inner]).all()
            and (nodes["next"][inner] + 1 < len(nodes)).all()
            and _within(nodes["feature"][inner], 2 * self.width)
            and _within(nodes["feature"][leaf], len(self.leaves))
            and np.isposinf(nodes["limit"][leaf]).all()
            and _within(self.roots, len(nodes))
            and self.leaves.dtype == self.start.dtype
            and len(self.start) % self.leaves.shape[1] == 0
            and self.leaves.shape[1] * len(self.roots) % len(self.start) == 0
        )
        if not sound:
            raise ValueError("the trees of the fast path are damaged: release the model again")
        return self

    def outputs(self, features: Floats) -> Floats:
        """Of features, shape (rows, features): shape (rows, outputs)."""
        rows = len(features)
        if rows <= ROWS_AT_ONCE:
            return FINISHES[self.finish](self._sums(features))
        parts = [
            self._sums(features[first : first + ROWS_AT_ONCE])
            for first in range(0, rows, ROWS_AT_ONCE)
        ]
        return FINISHES[self.finish](np.concatenate(parts))

    def _sums(self, features: Floats) -> Floats:
        rows, outputs, values = len(features), len(self.start), self.leaves.shape[1]
        in_turn = outputs // values
        found = self.leaves.take(self._leaves_of(features), axis=0)
        addends = np.empty((len(self.roots) // in_turn + 1, in_turn, rows, values), found.dtype)
        addends[0] = self.start.reshape(in_turn, 1, values)
        addends[1:] = found.reshape(-1, in_turn, rows, values)
        sums = summed(addends).swapaxes(0, 1).reshape(rows, outputs)
        return np.asarray(sums / self.leaves.dtype.type(self.divisor), np.float64)

    def _leaves_of(self, features: Floats) -> NDArray[np.int32]:
        """The leaf of each tree and row, trees first."""
        rows, trees = len(features), len(self.roots)
        if self.single:
            features = features.astype(np.float32).astype(np.float64)
        twice = _twice(features)
        begin = np.empty((trees, rows), np.intp)
        begin[:] = self.roots[:, np.newaxis]
        at = begin.reshape(-1)
        first: NDArray[np.intp] | int = 0
        if rows > 1:
            first = np.tile(np.arange(0, twice.size, 2 * self.width), trees)
        known, found = self._whole, np.empty(at.size, _WHOLE)
        node = found.view(NODE)
        feature, limit, following = node["feature"], node["limit"], node["next"]
        place, value = np.empty(at.size, np.intp), np.empty(at.size)
        right = np.empty(at.size, np.bool_)
        # Clipping is how `take` may write into `out` at once; no index is outside, see `check`,
        # but for leaves, whose comparison is the same for every value.
        for _ in range(self.depth):
            known.take(at, out=found, mode="clip")
            np.add(feature, first, out=place)
            twice.take(place, out=value, mode="clip")
            np.greater(value, limit, out=right)
            np.add(following, right, out=at)
        known.take(at, out=found, mode="clip")
        return feature

    @cached_property
    def _whole(self) -> NDArray[np.complex128]:
        return self.nodes.view(_WHOLE)


def summed(addends: NDArray[Any]) -> NDArray[Any]:
    """The sum over the first axis, one after the other, as the libraries add trees.

    NumPy adds in pairs along the axis that is contiguous in memory, and only there.
    """
    if addends[0].size == 1:
        return np.asarray(addends.cumsum(axis=0)[-1])
    return np.asarray(addends.sum(axis=0))


def _twice(features: Floats) -> Floats:
    """Each feature for nodes that send gaps to the right, and for those that send them left."""
    twice = features.repeat(2, axis=1)
    gaps = np.isnan(features)
    if gaps.any():
        twice[:, 0::2][gaps], twice[:, 1::2][gaps] = np.inf, -np.inf
    return twice.reshape(-1)


def _within(values: NDArray[np.int32], end: int) -> bool:
    return not len(values) or bool(values.min() >= 0 and values.max() < end)
