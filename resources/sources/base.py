"""What every source keeps: known batches, each read as it is, and a fingerprint of its content.

Belongs here: the one Protocol and what all kinds say alike. Does not belong here: any kind.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from leeway.identifiers import check_batch
from resources.files import SourceError, stem_of

if TYPE_CHECKING:
    import pyarrow as pa

Origin = Literal["real", "synthetic"]


class BatchSource(Protocol):
    """A source that knows its batches."""

    description: str

    @property
    def origin(self) -> Origin:
        """Whether the rows were observed, or made up to look like such."""
        ...

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

        Raises:
            SourceError: when the source is elsewhere and cannot be asked: nothing is known then.
        """
        ...


def unknown_batch(place: object, batch: str, batches: Sequence[str]) -> SourceError:
    """The refusal of a batch that the source does not have."""
    return SourceError(
        f"{place}: unknown batch {batch!r}; there are {', '.join(batches) or 'none'}"
    )


def batch_of(name: str, place: object) -> str:
    """The batch id that a file's name becomes.

    Raises:
        SourceError: when it cannot be one.
    """
    try:
        return check_batch(stem_of(name))
    except ValueError as error:
        raise SourceError(f"{place}: its name becomes the batch id, but {error}") from error


def sha256(data: bytes) -> str:
    """Digest of bytes, as `sha256:` and 64 hexadecimal digits."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def sha256_of_file(path: Path) -> str:
    """Digest of a file's bytes, which are not held in memory together."""
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def digest_of_rows(table: pa.Table) -> str:
    """Digest of the names and values of a table, in their order."""
    import pyarrow as pa
    from pyarrow import csv

    sink = pa.BufferOutputStream()
    csv.write_csv(table, sink)
    return sha256(bytes(sink.getvalue()))
