"""Keys that no batch has: a copy of a batch with the keys of the first would be rejected whole.

Belongs here: making such keys. Does not belong here: whose a key is (`leeway.data.shared_keys`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pyarrow as pa
import pyarrow.compute as pc

from leeway.rehearsal.columns import NotHere, fitting, values_of
from leeway.spec import UseCase


def with_new_keys(
    table: pa.Table, use_case: UseCase, others: Sequence[pa.Table], series: int
) -> pa.Table:
    """The table with keys that neither `others` nor another series has, in the order of the rows.

    Raises:
        NotHere: when its key can have too few values, or none beyond those that it has.
    """
    key = use_case.key
    if key.from_position:
        return table
    first, rows = series * table.num_rows + 1, table.num_rows
    if key.type in ("text", "category"):
        width = len(str(first + rows))
        keys = pa.array([f"rehearsal-{number:0{width}d}" for number in range(first, first + rows)])
    elif key.type == "boolean":
        raise NotHere(f"the key {key.name} is boolean: there are no new ones")
    else:
        known = [pc.max(values_of(each, use_case, key.name)) for each in [*others, table]]
        highest = max(each.as_py() for each in known if each.is_valid)
        unit = timedelta(days=1) if key.type in ("date", "timestamp") else 1
        type_ = values_of(table, use_case, key.name).type
        with fitting(key.name):
            new = [highest + unit * number for number in range(first, first + rows)]
            keys = pa.array(new, type_)
    return table.set_column(table.column_names.index(key.in_source), key.in_source, keys)
