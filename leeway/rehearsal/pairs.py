"""Which two columns are swapped: those that look alike to a rule for single rows.

Belongs here: the choice. Does not belong here: swapping (`leeway.rehearsal.values`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from leeway.rehearsal.columns import numbers_of
from leeway.spec import NUMERIC_TYPES, Column, UseCase


def pairs(use_case: UseCase, ranked: Sequence[Column], table: pa.Table) -> list[tuple[str, str]]:
    """Each feature with the one of its type that a range can tell from it least."""
    found: list[tuple[str, str]] = []
    for column in ranked:
        others = [each for each in ranked if each.type == column.type and each is not column]
        alike = sorted(others, key=lambda each: -_fitting(use_case, column, each, table))
        pair = (column.name, alike[0].name) if alike else None
        if pair is not None and pair[::-1] not in found:
            found.append(pair)
    return found


def _fitting(use_case: UseCase, one: Column, other: Column, table: pa.Table) -> int:
    """How many values are allowed in each other's column."""
    if one.type not in NUMERIC_TYPES:
        return len({*(one.values or ())} & {*(other.values or ())})
    count = 0
    for source, target in ((one, other), (other, one)):
        numbers = numbers_of(table, use_case, source.name)
        low, high = target.range or (None, None)
        least, most = -np.inf if low is None else low, np.inf if high is None else high
        count += int(((numbers >= least) & (numbers <= most)).sum())
    return count
