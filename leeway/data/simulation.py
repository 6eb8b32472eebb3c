"""Numbers that follow a declared truth: the target of made-up rows, and tools that wear.

Belongs here: the arithmetic. Does not belong here: the other columns (`leeway.data.synthetic`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from leeway.spec import Truth, Wear

Numbers = np.ndarray[Any, np.dtype[np.float64]]
SAME = 0.95  # correlation of a row's conditions with those of its tool


def follow(truth: Truth, codes: Mapping[str, Numbers], random: np.random.Generator) -> Numbers:
    """The mean + half of each effect times its code + noise, one number per row of `codes`."""
    rows = len(next(iter(codes.values())))
    total = np.full(rows, truth.mean)
    for term, effect in truth.effects.items():
        product = np.prod([codes[name] for name in term.split("*")], axis=0)
        total += effect / 2 * product
    return np.asarray(total + truth.noise * random.standard_normal(rows))


def wear_out(
    wear: Wear, codes: Mapping[str, Numbers], random: np.random.Generator
) -> tuple[Numbers, dict[str, Numbers]]:
    """The wear of each row before its cut, and the codes of its conditions.

    A tool is changed after the cut that brings it beyond its life, which is at least one cut.
    """
    rows = len(next(iter(codes.values())))
    of_tools = {name: random.standard_normal(rows) for name in codes}  # more than enough tools
    lives = np.maximum(follow(wear.life, of_tools, random), wear.per_row[1])
    steps = random.uniform(*wear.per_row, rows)
    worn, tools = np.empty(rows), np.empty(rows, np.int64)
    at, tool = 0.0, 0
    for row in range(rows):
        if at > lives[tool]:
            at, tool = 0.0, tool + 1
        worn[row], tools[row] = at, tool
        at += steps[row]
    own = np.sqrt(1 - SAME**2)
    mixed = {name: SAME * of_tools[name][tools] + own * codes[name] for name in wear.life.columns}
    return worn, mixed
