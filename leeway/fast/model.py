"""A fast path as a whole: from the instances of a request to features and outputs, and as a file.

Belongs here: reading the values of instances, the features in their order, and the file's format.
Does not belong here: what the parts compute (`leeway.fast.blocks`, `leeway.fast.trees`), or making
them of a pipeline (`leeway.fast.copied`).

The file is MessagePack of the types below, whose arrays are type, shape, order and bytes. Whatever
else it holds is refused, and no code can be in it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from operator import attrgetter
from typing import Any, Literal, get_origin

import msgspec
import numpy as np
from numpy.typing import NDArray

from leeway.fast.blocks import Block, Columns, Pair
from leeway.fast.linear import Linear
from leeway.fast.trees import NODE, Trees

Floats = NDArray[np.float64]
_TYPES = {"<f8", "<f4", "<i4", "|b1"}
_NODES = "node"
_MOST_BYTES = 2**32 - 1  # of one array in MessagePack


class Fast(msgspec.Struct, frozen=True, eq=False, dict=True):
    """A pipeline of ours as arrays.

    `numbers` and `texts` are the inputs that it reads, by type; behind the numbers stand `pairs`,
    which are made of them.
    """

    numbers: tuple[str, ...]
    texts: tuple[str, ...]
    pairs: tuple[Pair, ...]
    blocks: tuple[Block, ...]
    model: Trees | Linear

    def columns(self, rows: Sequence[Any]) -> Columns:
        """The values of some rows, whose attributes are the inputs."""
        numbers = np.array([self._numbers_of(row) for row in rows], dtype=np.float64)
        return Columns(
            numbers.reshape(len(rows), len(self.numbers)),
            [[getattr(row, name) for row in rows] for name in self.texts],
        )

    def features(self, columns: Columns) -> Floats:
        """What the model reads, shape (rows, features)."""
        with np.errstate(all="ignore"):
            known = Columns(self._with_pairs(columns.numbers), columns.texts)
            features = np.empty((len(columns.numbers), self.model.width))
            for each in self.blocks:
                features[:, each.start : each.start + each.width] = each.of(known)
        return features

    def outputs(self, features: Floats) -> Floats:
        """Probabilities, shape (rows, classes), or predicted numbers, shape (rows, 1)."""
        return self.model.outputs(features)

    def _with_pairs(self, numbers: Floats) -> Floats:
        rows, own = numbers.shape
        known = np.empty((rows, own + len(self.pairs)))
        known[:, :own] = numbers
        for place, pair in enumerate(self.pairs, own):
            known[:, place] = pair.of(numbers)
        return known

    @cached_property
    def _numbers_of(self) -> Callable[[Any], Any]:
        if len(self.numbers) == 1:  # of which `attrgetter` gives no tuple
            return lambda row: (getattr(row, self.numbers[0]),)
        return attrgetter(*self.numbers) if self.numbers else lambda _: ()


def to_bytes(fast: Fast) -> bytes:
    """The file; equal ones give equal bytes.

    Raises:
        ValueError: when an array has more bytes than the format can say.
    """
    return msgspec.msgpack.encode(fast, enc_hook=_encode)


def from_bytes(data: bytes) -> Fast:
    """The inverse of `to_bytes`.

    Raises:
        ValueError: when the bytes are no fast path, or one that could read outside of its arrays.
    """
    try:
        fast = msgspec.msgpack.decode(data, type=Fast, dec_hook=_decode)
        fast.model.check()
        _check_features(fast)
        return fast
    except (msgspec.MsgspecError, TypeError, LookupError) as error:
        raise ValueError(f"this is no fast path: {error}; release the model again") from error


def _check_features(fast: Fast) -> None:
    """Each feature of the model is made by one block: what none writes would be any number."""
    made = sorted(place for b in fast.blocks for place in range(b.start, b.start + b.width))
    if made != list(range(fast.model.width)):
        raise ValueError("the blocks of the fast path do not make its features once each")


def _encode(value: Any) -> Any:
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{type(value).__name__} has no place in a fast path")
    if value.nbytes > _MOST_BYTES:
        raise ValueError(f"an array of {value.nbytes:,} bytes; {_MOST_BYTES:,} are the most")
    order: Literal["C", "F"] = "C" if value.flags.c_contiguous else "F"
    kind = _NODES if value.dtype == NODE else value.dtype.str
    return [kind, value.shape, order, value.tobytes(order)]


def _decode(kind: Any, value: Any) -> Any:
    if get_origin(kind) is not np.ndarray:
        raise TypeError(f"{kind} has no place in a fast path")
    name, shape, order, content = value
    if name not in _TYPES and name != _NODES:
        raise TypeError(f"arrays of {name} have no place in a fast path")
    dtype = NODE if name == _NODES else np.dtype(name)
    return np.frombuffer(content, dtype).reshape(shape, order=order)
