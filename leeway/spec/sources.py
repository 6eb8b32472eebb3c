"""Where the rows of a use case come from, and how they are cut into batches.

Belongs here: one model for each kind of source. Does not belong here: reading one
(`resources.sources`).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from leeway.identifiers import BATCH_PATTERN
from leeway.spec.base import Identifier, Strict

BatchId = Annotated[str, Field(pattern=BATCH_PATTERN)]


class BatchBy(Strict):
    """How the rows of one table are cut into batches: by the values of a column."""

    column: Identifier
    batches: dict[BatchId, tuple[str | int, ...]] = Field(
        min_length=1, description="batch id to the values it holds, oldest batch first"
    )


class PackageSource(Strict):
    """A table that a Python package carries."""

    kind: Literal["package"]
    package: Literal["palmerpenguins"]
    batch_by: BatchBy


class FileSource(Strict):
    """A file, or a folder whose files are batches in order of their names.

    CSV, TSV and JSON lines, each also within gzip, and Parquet.
    """

    kind: Literal["file"]
    path: str = Field(min_length=1, description="relative paths start at the project's folder")
    batch_by: BatchBy | None = None


Source = Annotated[PackageSource | FileSource, Field(discriminator="kind")]
