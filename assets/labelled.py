"""The clean rows of a batch with what is known of their labels, for nodes that read both.

Belongs here: reading them. Does not belong here: the node of labels (`assets.labels`).
"""

from typing import TYPE_CHECKING

from assets.stage import Work
from leeway.data.labelled import with_labels
from leeway.data.tables import from_parquet
from leeway.plan import label

if TYPE_CHECKING:
    import pyarrow as pa


def labelled(work: Work, batch: str) -> "pa.Table":
    """The rows; those whose label does not come apart have their own target."""
    clean = from_parquet(work.read("clean", batch))
    if label("labels", batch) not in work.inputs:
        return clean
    known = from_parquet(work.read("labels", batch))
    return with_labels(clean, known, work.stage.use_case)
