"""A folder whose files are batches.

Belongs here: which files are batches. Does not belong here: their format (`resources.files`).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from resources.files import SourceError, suffix_of
from resources.quiet import is_quiet, read_quietly
from resources.sources.base import Origin, batch_of, sha256_of_file, unknown_batch

if TYPE_CHECKING:
    import pyarrow as pa


class Folder:
    """A folder whose files are batches, in order of their names."""

    origin: Origin = "real"

    def __init__(self, path: Path, sheet: str | None = None) -> None:
        self.path = path
        self.sheet = sheet
        self.description = f"folder {path.name}"

    def _files(self) -> dict[str, Path]:
        files: dict[str, Path] = {}
        inside = self.path.resolve()
        for path in sorted(self.path.iterdir()):
            if suffix_of(path.name) is None or path.name.startswith("."):
                continue
            if not path.resolve().is_relative_to(inside):
                raise SourceError(f"{path}: a link that leads out of the folder; copy the file")
            batch = batch_of(path.name, path)
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
            raise unknown_batch(self.path, batch, list(files))
        return read_quietly(files[batch], self.sheet)

    def fingerprint(self, batch: str) -> str | None:
        """See `BatchSource`; of the file's bytes."""
        path = self._files().get(batch)
        if path is None:
            return None
        is_quiet(path)
        return sha256_of_file(path)
