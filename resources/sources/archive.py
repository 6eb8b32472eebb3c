"""A table at a public address whose content never changes, alone or within an archive.

Belongs here: which batches it has, and its rows. Does not belong here: getting the file
(`resources.downloads`) or unpacking it (`unpack`).
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from leeway.spec import ArchiveSource
from resources.addresses import place_of
from resources.downloads import pinned
from resources.files import read_data
from resources.sources.base import Origin, batch_of, sha256, unknown_batch
from resources.sources.cutting import cut
from resources.sources.unpack import member_of
from resources.web import Web

if TYPE_CHECKING:
    import pyarrow as pa


class Archive:
    """One table of one file, which its digest names; the network is asked once in its life."""

    origin: Origin = "real"

    def __init__(self, source: ArchiveSource, web: Web | None = None) -> None:
        self.source = source
        self.web = web or Web()
        self.table_name = PurePosixPath(source.member or source.file_name).name
        self.description = f"archive {source.file_name}"

    def batches(self) -> list[str]:
        """See `BatchSource`."""
        if self.source.batch_by is not None:
            return list(self.source.batch_by.batches)
        return [batch_of(self.table_name, place_of(self.source.url))]

    def place(self, batch: str) -> str:
        """See `BatchSource`."""
        member = f", {self.source.member}" if self.source.member else ""
        return f"{place_of(self.source.url)}{member}"

    def read(self, batch: str) -> pa.Table:
        """See `BatchSource`."""
        place = self.place(batch)
        if batch not in self.batches():
            raise unknown_batch(place, batch, self.batches())
        source = self.source
        data = pinned(source.url, source.file_name, source.digest, self.web)
        if source.member is not None:
            data = member_of(data, source.file_name, source.member, place)
        table = read_data(self.table_name, data, place)
        return table if source.batch_by is None else cut(table, source.batch_by, batch)

    def fingerprint(self, batch: str) -> str | None:
        """See `BatchSource`; of the digest and the choice of rows, without the network."""
        if batch not in self.batches():
            return None
        chosen = (self.source.digest, self.source.member, batch)
        return sha256(repr(chosen).encode())
