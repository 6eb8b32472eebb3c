"""Rows with planted changes, and the use case that reads them, for tests of a replay.

Belongs here: making batches in time order, and the models of a replay. Does not belong here: what a
test expects of it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from leeway.backtest.models import Recipe, Refitted
from leeway.backtest.recorded import Loaded, Recorded, RecordedRelease
from leeway.data.training_set import build_training_set
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


def released(
    version: int, tables: dict[str, pa.Table], case: UseCase, seconds: float | None = 60.0
) -> RecordedRelease:
    """What the ledger would hold of a training on these batches."""

    def load() -> Loaded:
        recipe, names = Recipe("logistic_regression"), list(tables)
        models = Refitted(case, tables, profiles(tables, case), names, recipe)
        reference = models.first().reference
        (fitted,) = models.fitted.values()
        return Loaded(fitted.model, build_training_set(tables, case).table, reference)

    return RecordedRelease(version, tuple(tables), seconds, load)


def once_released(
    tables: dict[str, pa.Table], stored: dict[str, Stored], case: UseCase, first: int
) -> Recorded:
    """A release on the first batches, and no other: each training gives a model that is unknown.

    The labels of later batches have not come, so that nothing is scored, which takes most of the
    time of a replay.
    """
    none = pa.nulls(next(iter(tables.values())).num_rows, pa.string())
    begin = {name: tables[name] for name in list(tables)[:first]}
    later = {
        name: table.set_column(table.column_names.index("y"), "y", none[: table.num_rows])
        for name, table in tables.items()
    }
    return Recorded(case, [released(1, begin, case)], {**later, **begin}, stored)
