"""One table in one file, whole or cut into batches.

Belongs here: which batches the file holds. Does not belong here: its format (`resources.files`).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from leeway.spec import BatchBy, FileSource
from resources.files import SourceError, Unavailable, read_file
from resources.quiet import State, is_quiet, read_quietly, state_of, still_written
from resources.sources.base import Origin, batch_of, digest_of_rows, sha256_of_file, unknown_batch
from resources.sources.cutting import cut

if TYPE_CHECKING:
    import pyarrow as pa


class SingleFile:
    """One table in one file."""

    origin: Origin = "real"

    def __init__(self, path: Path, source: FileSource) -> None:
        self.path = path
        self.source = source
        self.description = f"file {path.name}"
        self._digests: tuple[State | None, dict[str, str]] = (None, {})

    def batches(self) -> list[str]:
        """See `BatchSource`."""
        if not self.path.exists():
            # What is missing may have been a folder, whose name is not that of a batch.
            raise Unavailable(
                f"{self.path}: no such file or folder; check source.path in defs.yaml"
            )
        if not is_quiet(self.path):
            raise still_written(self.path)
        return self._known()

    def _known(self) -> list[str]:
        if self.source.batch_by is not None:
            return list(self.source.batch_by.batches)
        return [batch_of(self.path.name, self.path)]

    def place(self, batch: str) -> str:
        """See `BatchSource`."""
        return str(self.path)

    def read(self, batch: str) -> pa.Table:
        """See `BatchSource`."""
        if batch not in self._known():
            raise unknown_batch(self.path, batch, self._known())
        table = read_quietly(self.path, self.source.sheet)
        return table if self.source.batch_by is None else cut(table, self.source.batch_by, batch)

    def fingerprint(self, batch: str) -> str | None:
        """See `BatchSource`; of the file's bytes, or of the batch's rows where it is cut."""
        if not self.path.exists() or batch not in self._known():
            return None
        is_quiet(self.path)
        if self.source.batch_by is None:
            return sha256_of_file(self.path)
        state = state_of(self.path)
        if self._digests[0] != state:
            self._digests = (state, self._row_digests(self.source.batch_by))
        return self._digests[1][batch]

    def _row_digests(self, batch_by: BatchBy) -> dict[str, str]:
        """One digest a batch; that of the whole file for all of them when it cannot be read."""
        import pyarrow as pa

        try:
            table = read_file(self.path, self.source.sheet)
            return {b: digest_of_rows(cut(table, batch_by, b)) for b in batch_by.batches}
        except (SourceError, pa.ArrowException):
            return dict.fromkeys(batch_by.batches, sha256_of_file(self.path))
