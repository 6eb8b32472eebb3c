"""The cells of a declared design, before any run.

Belongs here: which levels each cell has. Does not belong here: runs (`leeway.experiment.design`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from leeway.experiment.aliases import parse_generators, product_of

if TYPE_CHECKING:
    from leeway.spec import Experiment


def cells_of(block: Experiment) -> list[tuple[float, ...]]:
    """Codes of the factors, -1 and +1, for each cell in standard order.

    Raises:
        DesignError: when a generator is none.
    """
    count = len(block.factors)
    generated = {each.factor: each for each in parse_generators(block.generators, count)}
    basic = [factor for factor in range(count) if factor not in generated]
    cells = []
    for place in range(1 << len(basic)):
        codes = [0.0] * count
        for bit, factor in enumerate(basic):
            codes[factor] = 1.0 if place >> bit & 1 else -1.0
        for factor, each in generated.items():
            codes[factor] = each.sign * product_of(codes, each.word)
        cells.append(tuple(codes))
    return cells
