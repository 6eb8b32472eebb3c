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
from leeway.drift.kinds import kind_of, kind_of_texts, levels_of_texts, numbers_of_texts
from leeway.drift.numbers import NumberProfile
from leeway.drift.profile import Kind, Profile, pieces_of, profile_column, profile_parquet
from resources.files import SourceError, check_header, check_suffix, read_file

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
            SourceError: when it is not Parquet, or two columns have one name.
        """
        import pyarrow as pa
        from pyarrow import parquet

        try:
            schema = parquet.read_schema(self.path)
        except (pa.ArrowException, OSError) as error:
            raise SourceError(f"{self.path}: no Parquet, or damaged: {error}") from error
        check_header(str(self.path), schema.names)
        return schema

    @cached_property
    def names(self) -> list[str]:
        """Of its columns."""
        return list(self.schema.names)

    def kind(self, name: str) -> Kind | None:
        """How the type of a column says that it is counted."""
        return kind_of(self.schema.field(name).type)

    def type(self, name: str) -> str:
        """The type of a column, as a person reads it."""
        return str(self.schema.field(name).type)

    def pieces(self, name: str) -> Iterator[pa.Array]:
        """The values of a numeric column."""
        return pieces_of(self.path, name, "number")

    def profile(self, kinds: dict[str, Kind]) -> Profile:
        """Its profile.

        Raises:
            SourceError: when a column cannot be read.
        """
        import pyarrow as pa

        try:
            return profile_parquet(self.path, kinds)
        except (pa.ArrowException, OSError, ValueError) as error:
            column = self._unreadable(kinds)
            raise SourceError(f"{self.path}: {column}it cannot be read: {error}") from error

    def _unreadable(self, kinds: dict[str, Kind]) -> str:
        """Which column it is that cannot be read, as the beginning of a message."""
        import pyarrow as pa

        for name, kind in kinds.items():
            try:
                profile_column(kind, pieces_of(self.path, name, kind))
            except (pa.ArrowException, OSError, ValueError):
                return f"column {name!r}: "
        return ""


@dataclass(frozen=True)
class TextFile:
    """A file of another format: its values are texts."""

    path: Path

    @cached_property
    def table(self) -> pa.Table:
        """All of it."""
        return read_file(self.path)

    @cached_property
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
                self.pieces(name) if kind == "number" else levels_of_texts(self.table[name]),
            )
            for name, kind in kinds.items()
        }
        return Profile(self.table.num_rows, columns)


Readable = ParquetFile | TextFile


@dataclass(frozen=True)
class Compared:
    """The profiles of two files, and the columns that either has.

    `unlike` says of a column that is in neither profile why it is not compared.
    """

    reference: Profile
    current: Profile
    columns: list[FileColumn]
    files: tuple[Readable, Readable]
    unlike: dict[str, str]

    def exact_ks(self, name: str) -> float:
        """The KS distance of a numeric column, from its rows where the profiles leave it open."""
        ours, theirs = self.reference.columns[name], self.current.columns[name]
        if not isinstance(ours, NumberProfile) or not isinstance(theirs, NumberProfile):
            raise TypeError(f"{name} is no number")
        return exact_ks(ours, theirs, (self.files[0].pieces(name), self.files[1].pieces(name)))


def profiles_of(reference: Path, current: Path) -> Compared:
    """Profiles both files, counting each column in the same way.

    The verdict is undefined of a column that one file lacks, or whose values are of another kind
    there, or of a type that is not compared.

    Raises:
        SourceError: when a file cannot be read, or they have no column in common.
    """
    ours, theirs = _opened(reference), _opened(current)
    if not set(ours.names) & set(theirs.names):
        raise SourceError(
            f"{current}: it has no column of {reference}, which has "
            f"{', '.join(map(repr, ours.names[:10]))}"
        )
    names = list(dict.fromkeys([*ours.names, *theirs.names]))
    agreed = {name: _agreed(ours, theirs, name) for name in names}
    kinds = {name: kind for name, (kind, _) in agreed.items() if kind is not None}
    unlike = {name: why for name, (kind, why) in agreed.items() if kind is None}
    columns = [FileColumn(name) for name in names]
    return Compared(ours.profile(kinds), theirs.profile(kinds), columns, (ours, theirs), unlike)


def _opened(path: Path) -> Readable:
    if path.is_dir():
        raise SourceError(f"{path}: it is a folder; name the file in it")
    if not path.is_file():
        raise SourceError(f"{path}: no such file")
    return ParquetFile(path) if check_suffix(path.name, str(path)) == ".parquet" else TextFile(path)


def _agreed(ours: Readable, theirs: Readable, name: str) -> tuple[Kind | None, str]:
    """How a column is counted in both files: types decide, and of two texts those of the reference.

    None where it is not compared, and why, by file and type.
    """
    for side in (ours, theirs):
        if name not in side.names:
            return None, f"{name} is not in {side.path}."
    typed = [side for side in (ours, theirs) if isinstance(side, ParquetFile)]
    if not typed:
        return ours.kind(name), ""
    for side in typed:
        if side.kind(name) is None:
            return None, f"{name} is {side.type(name)} in {side.path}, which is not compared."
    if len({side.kind(name) for side in typed}) > 1:
        told = (f"{side.type(name)} in {side.path}" for side in typed)
        return None, f"{name} is {' and '.join(told)}."
    return typed[0].kind(name), ""
