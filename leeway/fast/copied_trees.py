"""Trees of a library, laid out for `leeway.fast.trees`.

Belongs here: numbering nodes level by level. Does not belong here: reading them from a library.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from leeway.fast.finish import Finish
from leeway.fast.trees import NODE, Trees

_MOST = 2**31 - 2  # nodes that 32 bits count


class Grown(NamedTuple):
    """One tree by nodes, the root first; children are positions, negative at leaves.

    A value goes left when it is not greater than the limit, a gap where `gaps_left`; `values` has
    shape (nodes, values of a leaf).
    """

    left: NDArray[Any]
    right: NDArray[Any]
    feature: NDArray[Any]
    limit: NDArray[Any]
    gaps_left: NDArray[np.bool_]
    values: NDArray[Any]


def laid_out(
    grown: Sequence[Grown],
    width: int,
    *,
    single: bool,
    start: NDArray[Any],
    divisor: int,
    finish: Finish,
) -> Trees:
    """The trees in one array, all roots first, then all of their children, and so on.

    What a walk reads first stands together so, and every node before those below it.
    """
    first = np.cumsum([0, *(len(each.left) for each in grown)])
    if first[-1] > _MOST:
        raise ValueError(f"{first[-1]:,} nodes; {_MOST:,} are the most")
    whole = Grown(*(np.concatenate(parts) for parts in zip(*map(_limits, grown), strict=True)))
    inner = whole.left >= 0
    above = np.repeat(first[:-1], np.diff(first))
    left, right = whole.left + above, whole.right + above
    levels = [first[:-1]]
    while True:
        parents = levels[-1][inner[levels[-1]]]
        if not len(parents):
            break
        levels.append(np.column_stack([left[parents], right[parents]]).reshape(-1))
    order = np.concatenate(levels)
    numbers = np.empty(len(inner), np.int64)
    numbers[order] = np.arange(len(order))
    inner = inner[order]
    nodes = np.zeros(len(order), NODE)
    # Where every value goes left and only gaps go right, the limit is infinite, as gaps are here.
    finite = np.minimum(whole.limit[order], np.finfo(np.float64).max)
    nodes["limit"] = np.where(inner, finite, np.inf)
    leaves, which = np.unique(whole.values[order][~inner], axis=0, return_inverse=True)
    nodes["feature"][inner] = (2 * whole.feature + whole.gaps_left)[order][inner]
    nodes["feature"][~inner] = which.reshape(-1)
    nodes["next"] = np.arange(len(order))
    nodes["next"][inner] = numbers[left[order][inner]]
    roots = np.arange(len(grown), dtype=np.int32)
    depth = len(levels) - 1
    leaves = np.ascontiguousarray(leaves)
    return Trees(width, depth, single, nodes, roots, leaves, start, divisor, finish).check()


def _limits(tree: Grown) -> Grown:
    return tree._replace(limit=tree.limit.astype(np.float64))
