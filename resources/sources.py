"""Sources: where the rows of a use case come from, batch by batch.

Belongs here: finding batches and cutting a table into them. Does not belong here: reading a file
(`resources.files`), judging rows (`leeway.data.validation`) or storing them.
"""

from __future__ import annotations

import hashlib
import importlib.util
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

from leeway.identifiers import check_batch
from leeway.spec import BatchBy, FileSource, PackageSource, UseCase
from resources.files import (
    SUFFIXES,
    SourceError,
    State,
    is_quiet,
    read_file,
    read_quietly,
    state_of,
    still_written,
)
from resources.settings import PROJECT

if TYPE_CHECKING:
    import pyarrow as pa

Origin = Literal["real", "synthetic"]
_SHOWN = 5  # values that a message quotes


class BatchSource(Protocol):
    """A source that knows its batches."""

    description: str
    origin: ClassVar[Origin]

    def batches(self) -> list[str]:
        """Ids of the batches that exist now, oldest first.

        A file that changed just now is waited for, `QUIET_SECONDS` at most; one that still changes
        then is being copied, and is no batch yet.

        Raises:
            SourceError: when the source is not there, or cannot be taken for batches.
        """
        ...

    def place(self, batch: str) -> str:
        """Where the rows of one batch are, for messages."""
        ...

    def read(self, batch: str) -> pa.Table:
        """The rows of one batch, with the columns and types that the source has.

        Raises:
            SourceError: when the batch cannot be read, or changes meanwhile.
        """
        ...

    def fingerprint(self, batch: str) -> str | None:
        """SHA-256 of what the source holds of one batch; None when it no longer holds it.

        It is the same exactly when `read` gives the same rows. A batch that cannot be read has one,
        too, so that a file that was damaged is noticed, and one that was mended.
        """
        ...


def open_source(use_case: UseCase) -> BatchSource:
    """The source that a use case names.

    A folder named like `path` plus `batches/` is not guessed at: a file is one table, a folder is
    one file a batch.
    """
    source = use_case.source
    if source.kind == "package":
        return Package(source)
    path = Path(source.path).expanduser()
    path = path if path.is_absolute() else PROJECT / path
    return Folder(path) if path.is_dir() else SingleFile(path, source)


class Package:
    """The penguins of the `palmerpenguins` package, and later batches beside it.

    The key is the position of a row in the published table, which has none of its own.
    """

    origin: ClassVar[Origin] = "real"

    def __init__(self, source: PackageSource) -> None:
        self.source = source
        self.description = f"Python package {source.package}"

    def batches(self) -> list[str]:
        """See `BatchSource`."""
        return list(self.source.batch_by.batches)

    def place(self, batch: str) -> str:
        """See `BatchSource`."""
        return self.description

    def read(self, batch: str) -> pa.Table:
        """See `BatchSource`."""
        import palmerpenguins
        import pyarrow as pa

        table = pa.Table.from_pandas(palmerpenguins.load_penguins(), preserve_index=False)
        key = pa.array(range(1, table.num_rows + 1), pa.int64())
        return _cut(table.add_column(0, "penguin_id", key), self.source.batch_by, batch)

    def fingerprint(self, batch: str) -> str | None:
        """See `BatchSource`; of the version and the file of rows, without importing either."""
        if batch not in self.source.batch_by.batches:
            return None
        found = importlib.util.find_spec(self.source.package)
        assert found is not None  # noqa: S101  # Leeway depends on it
        assert found.origin is not None  # noqa: S101  # as above
        rows = (Path(found.origin).parent / "data" / "penguins.csv").read_bytes()
        return _sha256(f"{version(self.source.package)} {batch}\n".encode() + rows)


class SingleFile:
    """One table in one file."""

    origin: ClassVar[Origin] = "real"

    def __init__(self, path: Path, source: FileSource) -> None:
        self.path = path
        self.source = source
        self.description = f"file {path.name}"
        self._digests: tuple[State | None, dict[str, str]] = (None, {})

    def batches(self) -> list[str]:
        """See `BatchSource`."""
        if not self.path.exists():
            # What is missing may have been a folder, whose name is not that of a batch.
            raise SourceError(
                f"{self.path}: no such file or folder; check source.path in defs.yaml"
            )
        if not is_quiet(self.path):
            raise still_written(self.path)
        return self._known()

    def _known(self) -> list[str]:
        if self.source.batch_by is not None:
            return list(self.source.batch_by.batches)
        return [_batch_of(self.path)]

    def place(self, batch: str) -> str:
        """See `BatchSource`."""
        return str(self.path)

    def read(self, batch: str) -> pa.Table:
        """See `BatchSource`."""
        if batch not in self._known():
            raise _unknown(self.path, batch, self._known())
        table = read_quietly(self.path)
        return table if self.source.batch_by is None else _cut(table, self.source.batch_by, batch)

    def fingerprint(self, batch: str) -> str | None:
        """See `BatchSource`; of the file's bytes, or of the batch's rows where it is cut."""
        if not self.path.exists() or batch not in self._known():
            return None
        is_quiet(self.path)
        if self.source.batch_by is None:
            return _sha256(self.path.read_bytes())
        state = state_of(self.path)
        if self._digests[0] != state:
            self._digests = (state, self._row_digests(self.source.batch_by))
        return self._digests[1][batch]

    def _row_digests(self, batch_by: BatchBy) -> dict[str, str]:
        """One digest a batch; that of the whole file for all of them when it cannot be read."""
        import pyarrow as pa

        try:
            table = read_file(self.path)
            return {b: _sha256(_as_csv(_cut(table, batch_by, b))) for b in batch_by.batches}
        except (SourceError, pa.ArrowException):
            return dict.fromkeys(batch_by.batches, _sha256(self.path.read_bytes()))


class Folder:
    """A folder whose files are batches, in order of their names."""

    origin: ClassVar[Origin] = "real"

    def __init__(self, path: Path) -> None:
        self.path = path
        self.description = f"folder {path.name}"

    def _files(self) -> dict[str, Path]:
        files: dict[str, Path] = {}
        for path in sorted(self.path.iterdir()):
            if path.suffix.lower() not in SUFFIXES or path.name.startswith("."):
                continue
            batch = _batch_of(path)
            if batch in files:
                raise SourceError(
                    f"{path}: {files[batch].name} is batch {batch!r} too; rename or remove one"
                )
            files[batch] = path
        return files

    def batches(self) -> list[str]:
        """See `BatchSource`."""
        return [batch for batch, path in self._files().items() if is_quiet(path)]

    def place(self, batch: str) -> str:
        """See `BatchSource`."""
        return str(self._files()[batch])

    def read(self, batch: str) -> pa.Table:
        """See `BatchSource`."""
        files = self._files()
        if batch not in files:
            raise _unknown(self.path, batch, list(files))
        return read_quietly(files[batch])

    def fingerprint(self, batch: str) -> str | None:
        """See `BatchSource`; of the file's bytes."""
        path = self._files().get(batch)
        if path is None:
            return None
        is_quiet(path)
        return _sha256(path.read_bytes())


def _sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _as_csv(table: pa.Table) -> bytes:
    import pyarrow as pa
    from pyarrow import csv

    sink = pa.BufferOutputStream()
    csv.write_csv(table, sink)
    return bytes(sink.getvalue())


def _unknown(path: Path, batch: str, batches: list[str]) -> SourceError:
    return SourceError(f"{path}: unknown batch {batch!r}; there are {', '.join(batches) or 'none'}")


def _batch_of(path: Path) -> str:
    try:
        return check_batch(path.stem)
    except ValueError as error:
        raise SourceError(f"{path}: its name becomes the batch id, but {error}") from error


def _cut(table: pa.Table, batch_by: BatchBy, batch: str) -> pa.Table:
    import pyarrow as pa
    import pyarrow.compute as pc

    if batch not in batch_by.batches:
        raise SourceError(f"unknown batch {batch!r}; there are {', '.join(batch_by.batches)}")
    if batch_by.column not in table.column_names:
        raise SourceError(
            f"source.batch_by.column: the table has no column {batch_by.column!r} "
            f"(it has {', '.join(table.column_names)})"
        )
    values = pc.cast(table[batch_by.column], pa.string())
    _check_declared(values, batch_by)
    wanted = pa.array([str(value) for value in batch_by.batches[batch]])
    return table.filter(pc.is_in(values, value_set=wanted))


def _check_declared(values: pa.ChunkedArray, batch_by: BatchBy) -> None:
    """Refuses rows that would be in no batch: nobody would miss them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    declared = pa.array([str(value) for held in batch_by.batches.values() for value in held])
    stray = values.filter(pc.invert(pc.is_in(values, value_set=declared)))
    if not len(stray):
        return
    found = ["none" if value is None else repr(value) for value in stray.unique().to_pylist()]
    shown = ", ".join(found[:_SHOWN]) + (", …" if len(found) > _SHOWN else "")
    raise SourceError(
        f"column {batch_by.column!r}: {len(stray)} of {len(values)} rows are in no batch, their "
        f"value is {shown}; add each value under source.batch_by.batches in defs.yaml, and mend "
        "rows that have none"
    )
