"""Decision trees as one array of nodes.

Belongs here: the layout, and whether it is sound. Does not belong here: reading the trees of a
library (`leeway.fast.copied_trees`), or walking them (`leeway.fast.walk`).

A node takes 16 bytes: what a feature is compared with (float64), which feature, and the node that
is next when it is not greater; the one after that is next when it is. Features are counted in twos,
and odd ones mean that a gap is not greater. A leaf is next to itself, compares with infinity, and
has its place in `leaves` for a feature: all walks take as many steps as the deepest tree has.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from leeway.fast.finish import FINISHES, Finish
from leeway.fast.walk import Walk

Floats = NDArray[np.float64]
NODE = np.dtype([("limit", "<f8"), ("feature", "<i4"), ("next", "<i4")])


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
            and self.leaves.flags.c_contiguous
            and len(self.start) % self.leaves.shape[1] == 0
            and self.leaves.shape[1] * len(self.roots) % len(self.start) == 0
            and _deepest(nodes, self.roots) == self.depth
        )
        if not sound:
            raise ValueError("the trees of the fast path are damaged: release the model again")
        return self

    def outputs(self, features: Floats) -> Floats:
        """Of features, shape (rows, features): shape (rows, outputs)."""
        if features.shape[1] != self.width:  # the walk does not look where it reads
            raise ValueError(f"{features.shape[1]} features, and the trees have {self.width}")
        sums = np.empty((len(features), len(self.start)), self.start.dtype)
        sums[:] = self.start
        if len(features):
            given = np.ascontiguousarray(features)
            self._walk.add_leaves(given, sums)
        return FINISHES[self.finish](np.asarray(sums / sums.dtype.type(self.divisor), np.float64))

    @cached_property
    def _walk(self) -> Walk:
        return Walk(self.nodes, self.roots, self.leaves, self.depth, single=self.single)


def _deepest(nodes: NDArray[np.void], roots: NDArray[np.int32]) -> int | None:
    """Steps from a root to the furthest leaf; None where two nodes have the same one below them."""
    inner = nodes["next"] != np.arange(len(nodes))
    below = nodes["next"][inner]
    if np.bincount(np.concatenate([roots, below, below + 1])).max(initial=0) > 1:
        return None
    steps, level = 0, roots[inner[roots]]
    while len(level):
        steps += 1
        level = np.concatenate([nodes["next"][level], nodes["next"][level] + 1])
        level = level[inner[level]]
    return steps


def _within(values: NDArray[np.int32], end: int) -> bool:
    return not len(values) or bool(values.min() >= 0 and values.max() < end)
