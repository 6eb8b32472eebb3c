"""The compiled walk of rows through trees: `walk.ll`, made machine code when it is first asked for.

Belongs here: compiling it and handing it arrays. Does not belong here: what the arrays hold, or
whether they are sound (`leeway.fast.trees`): the walk looks at no bounds.

LLVM compiles, by llvmlite, which shap brings by Numba: nobody needs a compiler. The code is ours
and the same for every release, and no release carries any.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import lru_cache
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

WALKS_AT_ONCE = 512  # their nodes and places fit into the first cache
_NUMBERS = {"<f4": "float", "<f8": "double"}
_ARRAYS, _COUNTS = 7, 7


class Walk:
    """A walk through trees whose arrays are as `leeway.fast.trees` has them, all contiguous.

    Args:
        nodes: shape (nodes,).
        roots: shape (trees,).
        leaves: shape (leaves, values), of 32 or 64 bits.
        depth: steps from a root to the furthest leaf.
        single: whether features are rounded to 32 bits first.
    """

    def __init__(
        self,
        nodes: NDArray[np.void],
        roots: NDArray[np.int32],
        leaves: NDArray[Any],
        depth: int,
        *,
        single: bool,
    ) -> None:
        self._arrays = nodes, roots, leaves
        self._addresses = [each.ctypes.data for each in self._arrays]
        self._depth, self._single = depth, single

    def add_leaves(self, features: NDArray[np.float64], sums: NDArray[Any]) -> None:
        """Adds the leaf of each tree and row, tree after tree.

        Args:
            features: shape (rows, features), at least one row.
            sums: shape (rows, outputs), of the type of leaves; each tree adds to the next `values`.
        """
        _, roots, leaves = self._arrays
        (rows, width), outputs, values = features.shape, sums.shape[1], leaves.shape[1]
        block = max(1, WALKS_AT_ONCE // rows)
        twice, at = np.empty(2 * rows * width), np.empty(block * rows, np.int32)
        own = (each.ctypes.data for each in (features, sums, twice, at))
        counts = len(roots), rows, width, self._depth, values, outputs // values, block
        compiled(leaves.dtype.str).call(*self._addresses, *own, *counts, self._single)


class Compiled(NamedTuple):
    """Machine code that takes addresses, and then counts; `engine` owns it."""

    call: Callable[..., None]
    engine: Any


@lru_cache
def compiled(dtype: str) -> Compiled:
    """The walk for leaves of a NumPy type, "<f4" or "<f8"."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    text = files("leeway.fast").joinpath("walk.ll").read_text()
    module = llvm.parse_assembly(text.replace("NUMBER", _NUMBERS[dtype]))
    machine = llvm.Target.from_default_triple().create_target_machine(opt=3)
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    # It keeps Python's lock: it takes microseconds, and to get the lock back may take milliseconds.
    kinds = [*[ctypes.c_void_p] * _ARRAYS, *[ctypes.c_int64] * _COUNTS, ctypes.c_bool]
    call = ctypes.PYFUNCTYPE(None, *kinds)(engine.get_function_address("walk"))
    return Compiled(call, engine)
