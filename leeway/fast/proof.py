"""The proof that a fast path gives the bits of its pipeline, or why there is none.

Belongs here: making the fast path of a release and comparing it, row by row. Does not belong here:
how it is made (`leeway.fast.copied`), or storing it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from leeway.data.frames import frame_of
from leeway.fast.model import Fast, from_bytes, to_bytes
from leeway.served.contract import Contract
from leeway.served.golden import Golden, features_of, first_difference, outputs_of

if TYPE_CHECKING:
    from leeway.served.inputs import Input, Instance

Floats = NDArray[np.float64]
ROWS_AT_ONCE = 1_000
MOST_ALONE = 10_000  # rows: what a pipeline takes for each is most of what the proof takes


class Unproven(ValueError):
    """The fast path has other bits than the pipeline somewhere; the message says where."""


def proven_fast_path(
    pipeline: Any, golden: Golden, rows: pa.Table, inputs: Sequence[Input]
) -> tuple[bytes | None, dict[str, Any]]:
    """The file of the fast path, and what is proven of it; None and the reason where it has none.

    Args:
        pipeline: fitted.
        golden: rows of the release, with what training has for them.
        rows: of the test part.
        inputs: of the model.
    """
    from leeway.fast.copied import copied

    try:
        data = to_bytes(copied(pipeline, inputs))
        proof = prove(from_bytes(data), pipeline, golden, rows, inputs)
    # Beside what it says itself: it reads what libraries keep private, and may find it otherwise.
    except (ValueError, AttributeError, LookupError, TypeError) as error:
        return None, {"path": "pipeline", "reason": f"not covered: {error}"}
    return data, {"path": "fast", **proof}


def prove(
    fast: Fast, pipeline: Any, golden: Golden, rows: pa.Table, inputs: Sequence[Input]
) -> dict[str, int]:
    """How many rows have the same bits; `alone` of the test part had to be asked for one by one.

    A pipeline may have other last bits for a row in a batch than for the row alone, and the fast
    path has those of the row alone. So rows that differ from the batch are compared alone.

    Raises:
        Unproven: at the first row that differs then, too.
    """
    instance = Contract(inputs).instance

    def serve(row: Instance) -> tuple[Floats, Floats]:
        features = fast.features(fast.columns([instance(**row)]))
        return features[0], fast.outputs(features)[0]

    difference = first_difference(golden, serve)
    if difference is not None:
        raise Unproven(str(difference))
    names = [each.name for each in inputs]
    alone = 0
    for first in range(0, rows.num_rows, ROWS_AT_ONCE):
        part = rows.slice(first, ROWS_AT_ONCE).select(names)
        features = fast.features(fast.columns([instance(**each) for each in part.to_pylist()]))
        outputs = fast.outputs(features)
        frame = frame_of(part, inputs)
        for row in np.flatnonzero(_differing(features, features_of(pipeline, frame))).tolist():
            expected = features_of(pipeline, frame.iloc[[row]])
            _same_alone("the features", features[[row]], expected, first + row)
        differing = np.flatnonzero(_differing(outputs, outputs_of(pipeline, frame)))
        alone += len(differing)
        if alone > MOST_ALONE:
            raise Unproven(f"more than {MOST_ALONE:,} rows differ from the batch that they are in")
        for row in differing.tolist():
            expected = outputs_of(pipeline.named_steps["model"], features[[row]])
            _same_alone("the prediction", outputs[[row]], expected, first + row)
    return {"golden_rows": len(golden.instances), "test_rows": rows.num_rows, "alone": alone}


def _same_alone(what: str, found: Floats, expected: Floats, row: int) -> None:
    if _differing(found, expected).any():
        raise Unproven(f"{what} of row {row} of the test part are not the pipeline's")


def _differing(found: Floats, expected: Floats) -> NDArray[np.bool_]:
    """Which rows have other bits; any NaN is as good as another."""
    if found.shape != expected.shape:
        raise Unproven(f"shape {found.shape}, where the pipeline has {expected.shape}")
    same = found.view(np.int64) == np.ascontiguousarray(expected).view(np.int64)
    other: NDArray[np.bool_] = ~(same | (np.isnan(found) & np.isnan(expected))).all(axis=1)
    return other
