"""After how many rows of a batch a verdict on all of them would have been reached.

Belongs here: the search for it. Does not belong here: any verdict.
"""

from __future__ import annotations

from collections.abc import Callable


def smallest_prefix(rows: int, holds: Callable[[int], bool], fewest: int = 1) -> int | None:
    """The smallest number of rows from the beginning at which `holds`, found by halving.

    It takes for granted that what holds once holds for more rows: where a verdict comes and goes
    with single rows, it finds one of the places where it comes.

    Args:
        rows: of the batch.
        holds: says it for the first so many rows; asked log2(rows) times.
        fewest: rows for which it is asked at all.

    Returns:
        None when it does not hold for all of them.
    """
    if rows < fewest or not holds(rows):
        return None
    low, high = fewest, rows  # it holds at `high`
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return high
