"""Two files of rows as profiles that can be compared, without a use case that declares them.

Belongs here: reading them, each in the way that its format allows, and agreeing on how each column
is counted. Does not belong here: counting (`leeway.drift`), or the verdict.

Parquet is read column by column and row group by row group, in bounded memory; other formats have
no columns that could be read alone, and are read whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from leeway.drift.exact import exact_ks
from leeway.drift.kinds import kind_of, kind_of_texts, numbers_of_texts
from leeway.drift.numbers import NumberProfile
from leeway.drift.profile import Kind, Profile, pieces_of, profile_column, profile_parquet
from resources.files import SourceError, check_suffix, read_file

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class FileColumn:
    """A column of both files."""

    name: str
    role: Literal["feature"] = "feature"
    unit: str | None = None


@dataclass(frozen=True)
class ParquetFile:
    """A Parquet file: its columns have types."""

    path: Path

    @cached_property
    def schema(self) -> pa.Schema:
        """Names and types.

        Raises:
            SourceError: when it is not Parquet.
        """
        import pyarrow as pa
        from pyarrow import parquet

        try:
            return parquet.read_schema(self.path)
        except (pa.ArrowException, OSError) as error:
            raise SourceError(f"{self.path}: no Parquet, or damaged: {error}") from error

    @property
    def names(self) -> list[str]:
        """Of its columns."""
        return list(self.schema.names)

    def kind(self, name: str) -> Kind | None:
        """How the type of a column says that it is counted."""
        return kind_of(self.schema.field(name).type)

    def pieces(self, name: str) -> Iterator[pa.Array]:
        """The values of a numeric column."""
        return pieces_of(self.path, name, "number")

    def profile(self, kinds: dict[str, Kind]) -> Profile:
        """Its profile."""
        import pyarrow as pa

        try:
            return profile_parquet(self.path, kinds)
        except (pa.ArrowException, OSError) as error:
            raise SourceError(f"{self.path}: it is damaged: {error}") from error


@dataclass(frozen=True)
class TextFile:
    """A file of another format: its values are texts."""

    path: Path

    @cached_property
    def table(self) -> pa.Table:
        """All of it."""
        return read_file(self.path)

    @property
    def names(self) -> list[str]:
        """Of its columns."""
        return list(self.table.column_names)

    def kind(self, name: str) -> Kind:
        """How the texts of a column look."""
        return kind_of_texts(self.table[name])

    def pieces(self, name: str) -> Iterator[pa.Array]:
        """The values of a numeric column."""
        return numbers_of_texts(self.table[name])

    def profile(self, kinds: dict[str, Kind]) -> Profile:
        """Its profile."""
        columns = {
            name: profile_column(
                kind,
                self.pieces(name) if kind == "number" else self.table[name].chunks,
            )
            for name, kind in kinds.items()
        }
        return Profile(self.table.num_rows, columns)


Readable = ParquetFile | TextFile


@dataclass(frozen=True)
class Compared:
    """The profiles of two files, and the columns that either has."""

    reference: Profile
    current: Profile
    columns: list[FileColumn]
    files: tuple[Readable, Readable]

    def exact_ks(self, name: str) -> float:
        """The KS distance of a numeric column, from its rows where the profiles leave it open."""
        ours, theirs = self.reference.columns[name], self.current.columns[name]
        if not isinstance(ours, NumberProfile) or not isinstance(theirs, NumberProfile):
            raise TypeError(f"{name} is no number")
        return exact_ks(ours, theirs, (self.files[0].pieces(name), self.files[1].pieces(name)))


def profiles_of(reference: Path, current: Path) -> Compared:
    """Profiles both files, counting each column in the same way.

    A column that one file lacks, or whose values are of another kind there, is in one profile
    alone: its verdict is undefined.

    Raises:
        SourceError: when a file cannot be read, or they have no column in common.
    """
    ours, theirs = _opened(reference), _opened(current)
    common = [name for name in ours.names if name in theirs.names]
    if not common:
        raise SourceError(
            f"{current}: it has no column of {reference}, which has "
            f"{', '.join(map(repr, ours.names[:10]))}"
        )
    agreed = {name: kinds for name in common if (kinds := _agreed(ours, theirs, name)) is not None}
    profiles = [
        side.profile({name: kinds[place] for name, kinds in agreed.items()})
        for place, side in enumerate((ours, theirs))
    ]
    names = [*ours.names, *(name for name in theirs.names if name not in ours.names)]
    columns = [FileColumn(name) for name in names]
    return Compared(profiles[0], profiles[1], columns, (ours, theirs))


def _opened(path: Path) -> Readable:
    if not path.is_file():
        raise SourceError(f"{path}: no such file")
    return ParquetFile(path) if check_suffix(path.name, str(path)) == ".parquet" else TextFile(path)


def _agreed(ours: Readable, theirs: Readable, name: str) -> tuple[Kind, Kind] | None:
    """How the column is counted in both: types decide, and of two texts those of the reference.

    None where it cannot be.
    """
    if isinstance(ours, TextFile):
        kind = theirs.kind(name) if isinstance(theirs, ParquetFile) else ours.kind(name)
        return None if kind is None else (kind, kind)
    kind = ours.kind(name)
    other = kind if isinstance(theirs, TextFile) else theirs.kind(name)
    return None if kind is None or other is None else (kind, other)
