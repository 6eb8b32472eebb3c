"""Labels that come apart from the rows that they are of: later, in any order, again, or never.

Belongs here: where they come from. Does not belong here: reading them (`leeway.labels`).
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from leeway.spec.base import Strict
from leeway.spec.sources import ArchiveSource, FileSource, HttpSource, SqlName, SqlSource

LabelSource = Annotated[
    FileSource | ArchiveSource | HttpSource | SqlSource, Field(discriminator="kind")
]


class Labels(Strict):
    """A source of labels; its batches are its own, and have nothing to do with those of the rows.

    The names are of its columns. A label that comes again for the same key takes the place of the
    one before, from when it came.
    """

    source: LabelSource
    key: SqlName = Field(description="column with the key of the row that a label is of")
    label: SqlName = Field(description="column with the label")
    event_time: SqlName | None = Field(
        default=None, description="column that says when it became true, in UTC"
    )
    arrival_time: SqlName | None = Field(
        default=None,
        description="column that says when it was known to the source, in UTC; null: when it was "
        "read",
    )
