"""A table that a Python package carries.

Belongs here: finding the package's rows. Does not belong here: cutting them (`cutting`).
"""

from __future__ import annotations

import importlib.util
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from leeway.spec import PackageSource
from resources.sources.base import Origin, sha256
from resources.sources.cutting import cut

if TYPE_CHECKING:
    import pyarrow as pa


class Package:
    """The penguins of the `palmerpenguins` package, and later batches beside it.

    The key is the position of a row in the published table, which has none of its own.
    """

    origin: Origin = "real"

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
        return cut(table.add_column(0, "penguin_id", key), self.source.batch_by, batch)

    def fingerprint(self, batch: str) -> str | None:
        """See `BatchSource`; of the version and the file of rows, without importing either."""
        if batch not in self.source.batch_by.batches:
            return None
        found = importlib.util.find_spec(self.source.package)
        assert found is not None  # noqa: S101  # Leeway depends on it
        assert found.origin is not None  # noqa: S101  # as above
        rows = (Path(found.origin).parent / "data" / "penguins.csv").read_bytes()
        return sha256(f"{version(self.source.package)} {batch}\n".encode() + rows)
