"""Which faults a use case gets, and in which columns: those that move its predictions most.

Belongs here: the list of faults and the choice of columns. Does not belong here: what a fault does
(`leeway.rehearsal.values`, `leeway.rehearsal.rows`, `leeway.rehearsal.labels`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import pyarrow as pa

from leeway.rehearsal import labels, rows, values
from leeway.rehearsal.columns import NotHere, Planted
from leeway.rehearsal.pairs import pairs
from leeway.spec import NUMERIC_TYPES, Column, UseCase

SEED = 20_261_122
MOST_COLUMNS = 10
Plant = Callable[[pa.Table], Planted]


@dataclass(frozen=True)
class Case:
    """One fault in one place. `columns` are empty for a fault of rows.

    `plant` raises `NotHere` where the fault does not apply. A `late` batch comes in place of none:
    it has an id before that of the last one.
    """

    fault: str
    columns: tuple[str, ...]
    plant: Plant
    late: bool = False


# In the order in which they are tried: the name, and what it is.
FAULTS = {
    "late_batch": "the time of every row lies before the last batch",
    "unit_1000": "a number times 1000",
    "unit_2_54": "a number times 2.54",
    "nulls": "half of the values of a column are missing",
    "duplicate_rows": "a tenth of the rows comes twice",
    "duplicate_keys": "a tenth of the keys comes twice, with other content",
    "swapped_columns": "two columns in each other's place",
    "shift": "a number moved by half a standard deviation",
    "small_shift": "a number moved by a fiftieth of a standard deviation",
    "new_level": "a category that was never there, in a tenth of the rows",
    "constant": "one value in every row",
    "encoding": "a text read in the wrong encoding",
    "truncated": "the last seven tenths of the rows are missing",
    "label_delay": "no label is known yet",
    "concept_change": "the labels mean something else",
}
OF_NUMBERS = ("unit_1000", "unit_2_54", "shift", "small_shift")
OF_CATEGORIES = ("new_level", "encoding")
OF_ANY = ("nulls", "constant")


def cases(
    use_case: UseCase,
    importance: Sequence[str],
    table: pa.Table,
    columns: int,
    only: Sequence[str] = (),
) -> list[Case]:
    """Every fault, each in so many columns at most.

    Args:
        use_case: declares the columns.
        importance: features of the model, the one that moves predictions most first; a feature that
            it does not name comes last.
        table: the batch that faults are planted into, to tell which columns look alike.
        columns: how many each fault is tried in, at most.
        only: names of faults; empty: all.
    """
    chosen = [name for name in FAULTS if name in only] if only else list(FAULTS)
    ranked = _ranked(use_case, importance)
    return [case for name in chosen for case in _cases_of(name, use_case, ranked, table, columns)]


def _ranked(use_case: UseCase, importance: Sequence[str]) -> list[Column]:
    """The features that a source gives, the most important first."""
    given = [column for column in use_case.feature_columns if not column.computed]
    place = {name: position for position, name in enumerate(importance)}
    return sorted(given, key=lambda column: place.get(column.name, len(place)))


def _cases_of(
    name: str, use_case: UseCase, ranked: Sequence[Column], table: pa.Table, columns: int
) -> list[Case]:
    whole = _of_rows(name, use_case)
    if whole is not None:
        return [Case(name, _labelled(name, use_case), whole, late=name == "late_batch")]
    numbers = [column for column in ranked if column.type in NUMERIC_TYPES]
    if name == "swapped_columns":
        found = [
            Case(name, pair, partial(_swap, use_case, pair))
            for pair in pairs(use_case, ranked, table)[:columns]
        ]
        return found or [_nowhere(name, "there are no two features of one type")]
    if name in OF_NUMBERS:
        fitting, kind = numbers, "a number"
    elif name in OF_CATEGORIES:
        fitting, kind = [column for column in ranked if column.type == "category"], "a category"
    else:
        fitting, kind = list(ranked), "given by the source"
    found = [
        Case(name, (column.name,), partial(_plant, name, use_case, column.name))
        for column in fitting[:columns]
    ]
    return found or [_nowhere(name, f"no feature is {kind}")]


def _labelled(name: str, use_case: UseCase) -> tuple[str, ...]:
    if name == "late_batch":
        return tuple(column.name for column in use_case.with_role("time"))[:1]
    return (use_case.target.name,) if name in ("label_delay", "concept_change") else ()


def _of_rows(name: str, use_case: UseCase) -> Plant | None:
    """The fault where it chooses no feature."""
    plants: dict[str, Plant] = {
        "late_batch": lambda table: rows.late(table, use_case),
        "duplicate_rows": lambda table: rows.repeated(table, use_case, SEED),
        "duplicate_keys": lambda table: rows.repeated_keys(table, use_case, SEED),
        "truncated": lambda table: rows.cut_off(table, use_case),
        "label_delay": lambda table: labels.delayed(table, use_case),
        "concept_change": lambda table: labels.other_concept(table, use_case, SEED),
    }
    return plants.get(name)


def _plant(name: str, use_case: UseCase, column: str, table: pa.Table) -> Planted:
    if name == "unit_1000":
        return values.other_unit(table, use_case, column, 1000)
    if name == "unit_2_54":
        return values.other_unit(table, use_case, column, 2.54)
    if name == "shift":
        return values.shifted(table, use_case, column, 0.5)
    if name == "small_shift":
        return values.shifted(table, use_case, column, 0.02)
    if name == "nulls":
        return values.gaps(table, use_case, column, SEED)
    if name == "new_level":
        return values.new_level(table, use_case, column, SEED)
    if name == "encoding":
        return values.damaged_text(table, use_case, column, SEED)
    return values.constant(table, use_case, column)


def _swap(use_case: UseCase, pair: tuple[str, str], table: pa.Table) -> Planted:
    return values.swapped(table, use_case, *pair)


def _nowhere(name: str, why: str) -> Case:
    def refuse(table: pa.Table) -> Planted:
        raise NotHere(why)

    return Case(name, (), refuse)
