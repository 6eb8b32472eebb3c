"""Rows with planted changes, and the use case that reads them, for tests of a replay.

Belongs here: making batches in time order. Does not belong here: what a test expects of a replay.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from leeway.drift.declared import profile_table
from leeway.drift.stored import Stored
from leeway.spec import UseCase

FIRST_DAY = datetime(2024, 1, 1, tzinfo=UTC)
# Sign of what `a` means for the label, and how far `b` is moved, in each batch.
Concept = Callable[[int], tuple[float, float]]


def use_case(**attributes: Any) -> UseCase:
    """Two features, a label, a time."""
    return UseCase.model_validate(
        {
            "title": "Planted changes",
            "task": "classification",
            "source": {"kind": "file", "path": "planted.csv"},
            "columns": [
                {"name": "id", "type": "integer", "role": "key", "description": "."},
                {"name": "day", "type": "timestamp", "role": "time", "description": "."},
                {"name": "a", "type": "number", "description": "."},
                {"name": "b", "type": "number", "description": "."},
                {"name": "y", "type": "category", "role": "target", "values": ["no", "yes"],
                 "description": "."},
            ],
            "retraining": {"cooldown": "1d"},
            **attributes,
        }
    )  # fmt: skip


def batches(
    concept: Concept, count: int = 20, rows: int = 300, seed: int = 1
) -> dict[str, pa.Table]:
    """Weekly batches; the label is `a` above 0 where the concept says so, with some noise."""
    found = {}
    for number in range(count):
        random = np.random.default_rng([seed, number])
        sign, shift = concept(number)
        a, b = random.normal(size=rows), random.normal(shift, size=rows)
        likely = sign * 4 * a + random.logistic(size=rows) > 0
        name = f"w{number:02d}"
        found[name] = pa.table(
            {
                "id": pa.array(range(number * rows, (number + 1) * rows)),
                "day": pa.array(
                    [FIRST_DAY + timedelta(days=7 * number, minutes=i) for i in range(rows)],
                    pa.timestamp("us", tz="UTC"),
                ),
                "a": a,
                "b": b,
                "y": np.where(likely, "yes", "no"),
                "batch_id": [name] * rows,
            }
        )
    return found


def profiles(tables: dict[str, pa.Table], case: UseCase) -> dict[str, Stored]:
    """As the node `profile` stores them, of the clean rows alone."""
    return {
        name: Stored({"clean": profile_table(table, case.columns)})
        for name, table in tables.items()
    }
