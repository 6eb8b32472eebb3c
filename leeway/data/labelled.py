"""Rows with labels that came apart from them.

Belongs here: putting both together. Does not belong here: what is known of labels
(`resources.labels`).
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from leeway.spec import UseCase


def with_labels(rows: pa.Table, labels: pa.Table, use_case: UseCase) -> pa.Table:
    """The rows with the label of each, where one is known, in place of their own target.

    Args:
        rows: of a batch, with its key and target.
        labels: columns `key` and `label`, each of the type of its column; a key comes once.
        use_case: names key and target.
    """
    target = use_case.target.name
    position = pc.index_in(rows[use_case.key.name], value_set=labels["key"])
    known = labels["label"].take(position)
    place = rows.column_names.index(target)
    return rows.set_column(place, target, pc.coalesce(known, rows[target]))
