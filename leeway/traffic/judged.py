"""How good the answers of one release were in a window, as far as the truth of their rows is known.

Belongs here: which answers are judged, and by what. Does not belong here: the metrics
(`leeway.performance`), or what is known (`resources.traffic`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from leeway.data.values import ARROW_TYPES
from leeway.performance import Performance, measure
from leeway.traffic.rows import inputs_of, predictions_of

if TYPE_CHECKING:
    from leeway.spec import UseCase


def performance_of(
    answers: pa.Table,
    truth: pa.Table,
    use_case: UseCase,
    classes: Sequence[str] | None,
    fitted_on: pa.Array | None = None,
) -> Performance:
    """Metrics of the answers whose row has a known truth, whole and by segment.

    A row that was asked several times counts once, with its last answer. One without a key counts
    among the rows, and its truth is never known. Segments are of what was asked.

    Args:
        answers: of one release, as `leeway.traffic.rows.traffic_table` has them.
        truth: columns `row_key` and `label`, both text; a key comes once.
        use_case: names the target and the segment columns.
        classes: of the release; None for a regression.
        fitted_on: keys, as text, of the rows that the release was fitted on.
    """
    keyed = _last_of_each(answers)
    features = {column.name for column in use_case.feature_columns}
    segments = tuple(name for name in use_case.monitoring.segments if name in features)
    monitoring = use_case.monitoring.model_copy(update={"segments": segments})
    key, target = use_case.key.name, use_case.target
    labels = truth["label"].take(pc.index_in(keyed["row_key"], value_set=truth["row_key"]))
    inputs = inputs_of(keyed)
    rows = {key: keyed["row_key"], target.name: pc.cast(labels, ARROW_TYPES[target.type])}
    clean = pa.table(rows | {name: inputs[name] for name in segments})
    found = measure(
        clean,
        predictions_of(keyed, classes).rename_columns({"row_key": key}),
        use_case.model_copy(update={"monitoring": monitoring}),
        classes,
        fitted_on,
    )
    return replace(found, rows=found.rows + answers["row_key"].null_count)


def _last_of_each(answers: pa.Table) -> pa.Table:
    """The last answer for each key; those without a key are left out."""
    places = pa.table({"key": answers["row_key"], "place": pa.array(range(answers.num_rows))})
    last = places.filter(pc.is_valid(places["key"])).group_by("key").aggregate([("place", "max")])
    return answers.take(last["place_max"])
