"""Faults of single values: another unit, gaps, swapped or constant columns, shifts, odd texts.

Belongs here: what a fault does to the values of a column. Does not belong here: faults of whole
rows (`leeway.rehearsal.rows`) or of labels (`leeway.rehearsal.labels`), or which column is chosen
(`leeway.rehearsal.catalogue`). Each is a pure function of the table and a seed.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from leeway.rehearsal.columns import (
    Mask,
    NotHere,
    Planted,
    differing,
    numbers_of,
    numeric_like,
    put,
    together,
    values_of,
)
from leeway.spec import UseCase

GAPS = 0.5  # share of rows that lose their value: an outage of half a day
SOME = 0.1  # share of rows with a new category, or a damaged text
UNKNOWN = "rehearsed"
BYTE_ORDER_MARK = "\u00ef\u00bb\u00bf"  # of UTF-8, read as Latin-1


def other_unit(table: pa.Table, use_case: UseCase, name: str, factor: float) -> Planted:
    """Every number of a column times `factor`, as when its unit changes.

    Raises:
        NotHere: when a product does not fit the type of the column.
    """
    values = values_of(table, use_case, name)
    numbers = numbers_of(table, use_case, name) * factor
    what = f"{name} times {factor:g} in every row"
    return put(table, use_case, name, numeric_like(numbers, values.type, name), what)


def gaps(table: pa.Table, use_case: UseCase, name: str, seed: int) -> Planted:
    """Half of the values of a column missing, at random rows."""
    values = values_of(table, use_case, name)
    hit = chosen(len(values), GAPS, seed)
    what = f"{name} missing in {hit.sum()} of {len(values)} rows"
    return put(table, use_case, name, _where(hit, None, values), what)


def shifted(table: pa.Table, use_case: UseCase, name: str, deviations: float) -> Planted:
    """Every number of a column moved by so many of its standard deviations.

    Raises:
        NotHere: when it does not vary, or a sum does not fit its type.
    """
    values = values_of(table, use_case, name)
    numbers = numbers_of(table, use_case, name)
    known = numbers[np.isfinite(numbers)]
    spread = float(known.std()) if known.size else 0.0
    if spread == 0:
        raise NotHere(f"{name} does not vary, so that a shift has no size")
    step = deviations * spread
    unit = use_case.column(name).unit
    what = f"{name} + {step:.3g}{f' {unit}' if unit else ''}, {deviations:g} standard deviations"
    return put(table, use_case, name, numeric_like(numbers + step, values.type, name), what)


def constant(table: pa.Table, use_case: UseCase, name: str) -> Planted:
    """One value in every row, the most frequent or the median one, as of a stuck sensor."""
    values = values_of(table, use_case, name)
    if values.null_count == len(values):
        raise NotHere(f"{name} has no value")
    if pa.types.is_floating(values.type) or pa.types.is_integer(values.type):
        middle = pc.quantile(values, 0.5, interpolation="lower")[0].as_py()
    else:
        middle = pc.mode(pc.drop_null(values).dictionary_encode().indices)[0]["mode"].as_py()
        middle = pc.drop_null(values).dictionary_encode().dictionary[middle].as_py()
    stuck = pa.array([middle] * len(values), values.type)
    return put(table, use_case, name, stuck, f"{name} is {middle} in every row")


def swapped(table: pa.Table, use_case: UseCase, first: str, second: str) -> Planted:
    """The values of two columns of one type in each other's place."""
    one, other = (values_of(table, use_case, name) for name in (first, second))
    if one.type != other.type:
        raise NotHere(f"{first} and {second} are of different types")
    if not differing(one, other).any():
        raise NotHere(f"{first} and {second} have the same values")
    what = f"{first} and {second} in each other's place"
    half = put(table, use_case, first, other, what)
    return together([half, put(half.table, use_case, second, one, what)], what)


def new_level(table: pa.Table, use_case: UseCase, name: str, seed: int) -> Planted:
    """A category that was never there, in a tenth of the rows."""
    values = values_of(table, use_case, name)
    hit = chosen(len(values), SOME, seed)
    what = f"{name} is {UNKNOWN!r} in {hit.sum()} of {len(values)} rows"
    return put(table, use_case, name, _where(hit, UNKNOWN, values), what)


def damaged_text(table: pa.Table, use_case: UseCase, name: str, seed: int) -> Planted:
    """Texts that were read in the wrong encoding: UTF-8 as Latin-1.

    Letters beyond ASCII become two each. Where there is none, a tenth of the texts begins with the
    byte order mark of UTF-8, as where files were put one after the other.
    """
    values = values_of(table, use_case, name)
    texts = values.to_pylist()
    wrong = [text if text is None else text.encode().decode("latin-1") for text in texts]
    what = f"{name} is UTF-8 that was read as Latin-1"
    if wrong == texts:
        hit = chosen(len(texts), SOME, seed)
        wrong = [
            BYTE_ORDER_MARK + text if here and text is not None else text
            for text, here in zip(texts, hit, strict=True)
        ]
        what = f"{name} begins with a byte order mark in {hit.sum()} of {len(texts)} rows"
    return put(table, use_case, name, pa.array(wrong, values.type), what)


def chosen(rows: int, share: float, seed: int) -> Mask:
    """A share of the rows at random, at least one."""
    hit = np.zeros(rows, bool)
    count = max(1, round(share * rows))
    hit[np.random.default_rng(seed).permutation(rows)[:count]] = True
    return hit


def _where(hit: Mask, value: str | None, values: pa.Array) -> pa.Array:
    return pc.if_else(pa.array(hit), pa.scalar(value, values.type), values)
