"""Faults of labels: not there yet, or not what they were.

Belongs here: what a fault does to the target. Does not belong here: faults of features.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from leeway.rehearsal.columns import NotHere, Planted, put, values_of
from leeway.spec import UseCase


def delayed(table: pa.Table, use_case: UseCase) -> Planted:
    """No row has its label yet."""
    name = _target(table, use_case)
    values = values_of(table, use_case, name)
    what = f"{name} is not known yet in any row"
    return put(table, use_case, name, pa.nulls(len(values), values.type), what)


def other_concept(table: pa.Table, use_case: UseCase, seed: int) -> Planted:
    """The same inputs mean something else: classes trade places, numbers are dealt out anew.

    Of classes each becomes the next one of the alphabet, so that no row keeps its own. `seed` deals
    the numbers.
    """
    name = _target(table, use_case)
    values = values_of(table, use_case, name)
    if use_case.task != "classification":
        order = np.random.default_rng(seed).permutation(len(values))
        what = f"{name} is that of another row"
        return put(table, use_case, name, values.take(pa.array(order)), what)
    levels = sorted(pc.unique(pc.drop_null(values)).to_pylist())
    if len(levels) < 2:
        raise NotHere(f"every row has the same {name}")
    following = dict(zip(levels, [*levels[1:], levels[0]], strict=True)) | {None: None}
    flipped = pa.array([following[each] for each in values.to_pylist()], values.type)
    return put(table, use_case, name, flipped, f"{name} is the next class in every row")


def _target(table: pa.Table, use_case: UseCase) -> str:
    if use_case.target.computed:
        raise NotHere(f"dbt computes {use_case.target.name}; the source does not have it")
    return use_case.target.name
