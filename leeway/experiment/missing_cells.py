"""Cells of a two-level design that were not run, told so that they can be mended.

Belongs here: finding them, and recognising a fraction that was not declared as one. Does not belong
here: reading runs (`leeway.experiment.design`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from leeway.experiment.aliases import (
    LOWEST_RESOLUTION,
    AliasStructure,
    DesignError,
    Generator,
    generators_of,
)
from leeway.experiment.coding import Factor
from leeway.experiment.yates import yates_columns

Floats = NDArray[np.float64]

MOST_NAMED = 3  # cells in a message


def check_cells(
    codes: Floats, cells: Floats, factors: Sequence[Factor], generators: Sequence[Generator]
) -> None:
    """Checks that each cell was run.

    Args:
        codes: of the runs that are no centre points, shape (runs, factors).
        cells: of the design, shape (cells, factors).
        factors: of the columns.
        generators: as declared.

    Raises:
        DesignError: names missing cells by levels, and the fraction that the runs are, if any.
    """
    run = {tuple(row) for row in codes.tolist()}
    missing = [cell for cell in cells.tolist() if tuple(cell) not in run]
    if not missing:
        return
    named = "; ".join(_levels(cell, factors) for cell in missing[:MOST_NAMED])
    more = f" and {len(missing) - MOST_NAMED} more" if len(missing) > MOST_NAMED else ""
    raise DesignError(
        f"{len(missing)} of {len(cells)} cells have no run: {named}{more}. "
        f"Add the runs{_hint(codes, generators)}."
    )


def _levels(cell: Sequence[float], factors: Sequence[Factor]) -> str:
    return ", ".join(
        f"{factor.name} {factor.level(1 if code > 0 else -1)}"
        for factor, code in zip(factors, cell, strict=True)
    )


def _hint(codes: Floats, generators: Sequence[Generator]) -> str:
    if generators or not len(codes):
        return ""
    relation = constant_words(codes)
    found = AliasStructure(relation)
    cells = len(np.unique(codes, axis=0))
    regular = cells * (len(relation) + 1) == 2 ** codes.shape[1]
    if not regular or found.resolution is None or found.resolution < LOWEST_RESOLUTION:
        return ", or leave a factor out"
    texts = ", ".join(str(each) for each in generators_of(relation))
    return f", or, when a fraction was planned, declare its generators: these are {texts} ({found})"


def constant_words(codes: Floats) -> dict[int, int]:
    """Words whose product is the same in every run, with that sign.

    Yates' algorithm on the presence of each cell gives the sum of every such product at once.
    """
    bits = np.array([1 << factor for factor in range(codes.shape[1])], np.int64)
    present = np.zeros(2 ** codes.shape[1])
    present[(codes > 0) @ bits] = 1
    contrasts = yates_columns(present)[-1]
    words = np.flatnonzero(np.abs(contrasts) == present.sum())
    return {int(word): int(np.sign(contrasts[word])) for word in words if word}
