"""What a batch looks like: counts per column that merge, so that any window is a sum of profiles.

Belongs here: the profile of a table, made whole or column by column, and merged. Does not belong
here: one column (`leeway.drift.numbers`, `leeway.drift.levels`), its stored form
(`leeway.drift.stored`), comparing (`leeway.drift.verdict`), or which rows are valid
(`leeway.data.validation`).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import pyarrow as pa
from pyarrow import parquet

from leeway.drift.levels import CategoryProfile, LevelCounter, merge_levels
from leeway.drift.numbers import NumberCounter, NumberProfile, merge_numbers

Kind = Literal["number", "category"]
ColumnProfile = NumberProfile | CategoryProfile

PROFILED_ROLES = frozenset({"target", "feature", "monitored"})
_MOST_THREADS = 8  # each holds a piece of one column


@dataclass(frozen=True)
class Profile:
    """Profiles of the columns of `rows` rows.

    `since` and `until` are the first and the last moment of the time column, in seconds since 1970;
    None where there is none.
    """

    rows: int
    columns: Mapping[str, ColumnProfile]
    since: float | None = None
    until: float | None = None


def merge_profiles(profiles: Sequence[Profile]) -> Profile:
    """The profile of the rows of all; how they are grouped or ordered does not matter.

    Raises:
        ValueError: when there is none, or when the columns or their kinds differ.
    """
    if not profiles:
        raise ValueError("there is no profile to merge")
    names = profiles[0].columns.keys()
    for each in profiles[1:]:
        if each.columns.keys() != names:
            differing = sorted(each.columns.keys() ^ names)
            raise ValueError(f"cannot merge profiles: only one has the columns {differing}")
    sinces = [each.since for each in profiles if each.since is not None]
    untils = [each.until for each in profiles if each.until is not None]
    return Profile(
        sum(each.rows for each in profiles),
        {name: _merge(name, [each.columns[name] for each in profiles]) for name in names},
        min(sinces, default=None),
        max(untils, default=None),
    )


def merge_common(profiles: Sequence[Profile]) -> Profile:
    """The profile of the rows of all, of the columns that each has, as the same kind.

    Raises:
        ValueError: when there is none.
    """
    first = profiles[0].columns if profiles else {}
    names = [
        name for name in first if len({type(each.columns.get(name)) for each in profiles}) == 1
    ]
    return merge_profiles(
        [replace(each, columns={name: each.columns[name] for name in names}) for each in profiles]
    )


def _merge(name: str, columns: Sequence[ColumnProfile]) -> ColumnProfile:
    numbers = [each for each in columns if isinstance(each, NumberProfile)]
    if len(numbers) == len(columns):
        return merge_numbers(numbers)
    categories = [each for each in columns if isinstance(each, CategoryProfile)]
    if len(categories) == len(columns):
        return merge_levels(categories)
    raise ValueError(f"cannot merge profiles: column {name!r} is a number in only one of them")


def profile_column(kind: Kind, pieces: Iterable[pa.Array]) -> ColumnProfile:
    """Profiles the pieces of one column.

    Raises:
        ValueError: when it cannot be read as its kind (`pyarrow.ArrowInvalid`).
    """
    counter = NumberCounter() if kind == "number" else LevelCounter()
    for piece in pieces:
        counter.add(piece)
    return counter.profile()


def profile_parquet(
    source: Path | pa.Buffer, kinds: Mapping[str, Kind], moment: str | None = None
) -> Profile:
    """Profiles columns of a Parquet file, each for itself, a row group at a time, on all cores.

    Args:
        source: the file, or its content.
        kinds: of the columns to profile.
        moment: the time column.

    Raises:
        KeyError: when the file lacks a column.
        ValueError: when it is not Parquet, or a column cannot be read as its kind
            (`pyarrow.ArrowInvalid`).
    """

    def profiled(item: tuple[str, Kind]) -> ColumnProfile:
        return profile_column(item[1], pieces_of(source, *item))

    # The dearest first, so that no thread is left with one of them at the end.
    ordered = sorted(kinds.items(), key=lambda item: item[1])
    with ThreadPoolExecutor(min(os.cpu_count() or 1, _MOST_THREADS)) as threads:
        columns = dict(zip(dict(ordered), threads.map(profiled, ordered), strict=True))
    span = (None, None) if moment is None else span_of(pieces_of(source, moment, "number"))
    with parquet.ParquetFile(source) as file:
        rows = file.metadata.num_rows
    return Profile(rows, {name: columns[name] for name in kinds}, *span)


def pieces_of(source: Path | pa.Buffer, name: str, kind: Kind) -> Iterator[pa.Array]:
    """The pieces of a column of a Parquet file, a row group at a time.

    Raises:
        KeyError: when the file lacks the column.
    """
    # Levels stay numbers into a dictionary: they are counted as such. Others are not concerned.
    levels = [name] if kind == "category" else None
    with parquet.ParquetFile(source, read_dictionary=levels, pre_buffer=False) as file:
        if name not in file.schema_arrow.names:
            raise KeyError(name)
        for group in range(file.num_row_groups):
            # A path, to pyarrow: `s.x` is also the field x of a struct s, which comes first.
            found = file.read_row_group(group, columns=[name], use_threads=False)
            yield from found.column(name).chunks


def span_of(pieces: Iterable[pa.Array]) -> tuple[float | None, float | None]:
    """The first and the last of dates or moments, in seconds since 1970."""
    counter = NumberCounter()
    for piece in pieces:
        counter.add(piece)
    profile = counter.profile()
    return profile.lowest, profile.highest
