"""A folder whose files are batches.

Belongs here: which files are batches. Does not belong here: their format (`resources.files`).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from resources.files import USUAL, Layout, SourceError, fingerprint_of, suffix_of
from resources.opening import within
from resources.quiet import is_quiet, read_quietly
from resources.sources.base import Origin, batch_of, unknown_batch

if TYPE_CHECKING:
    import pyarrow as pa


class Folder:
    """A folder whose files are batches, in order of their names.

    No file is read that is not in `inside`, which is the folder itself unless it is given.
    """

    origin: Origin = "real"

    def __init__(self, path: Path, layout: Layout = USUAL, inside: Path | None = None) -> None:
        self.path = path
        self.layout = layout
        self.inside = inside or path
        self.description = f"folder {path.name}"

    def _files(self) -> dict[str, Path]:
        files: dict[str, Path] = {}
        for path in sorted(self.path.iterdir()):
            if suffix_of(path.name) is None or path.name.startswith("."):
                continue
            if within(path, self.path) is None:
                raise SourceError(
                    f"{path}: a link that leads out of the folder or to itself; copy the file"
                )
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
        return read_quietly(files[batch], self.layout, self.inside)

    def fingerprint(self, batch: str) -> str | None:
        """See `BatchSource`; of the file's bytes."""
        path = self._files().get(batch)
        if path is None:
            return None
        is_quiet(path)
        return fingerprint_of(path, self.inside)
