"""Golden rows: what a release makes of rows that are known, for its service to make the same.

Belongs here: choosing the rows, the features and outputs that training has for them, and finding
the first one that a service has otherwise. Does not belong here: where they are kept, or what
follows from a difference.

The rows are instances, as a request gives them, so that what is compared is the whole way from the
request to the prediction. Each is computed by itself: sums over many rows at once may differ in
their last bits.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from leeway.data.frames import frame_of
from leeway.data.tables import from_parquet, to_parquet
from leeway.served.inputs import Input, Instance, table_of
from leeway.spec.table import LARGEST_NUMBER

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

Floats = NDArray[np.float64]
LEAST_ROWS = 100
REAL_ROWS = 50
MOST_EDGES = 200
_UNSEEN = "a category that no row had"
_EDGES = (0.0, -0.0, 5e-324, 2.0**53 + 2)  # of numbers: both zeros, the smallest, no 32-bit float
_BETWEEN = (5**0.5 - 1) / 2
_NAMES = "leeway.features"


@dataclass(frozen=True)
class Golden:
    """Rows and what training has for them.

    `features`, shape (rows, features), is what the model reads, in the order of `names`; NaN where
    it reads a gap. `outputs` are its probabilities, shape (rows, classes), or predicted numbers,
    shape (rows, 1).
    """

    instances: tuple[Instance, ...]
    names: tuple[str, ...]
    features: Floats
    outputs: Floats


@dataclass(frozen=True)
class Difference:
    """The first value that a service has otherwise; `feature` is None for an output."""

    row: int
    feature: str | None
    expected: float
    found: float

    def __str__(self) -> str:
        what = "the prediction" if self.feature is None else f"feature {self.feature}"
        return (
            f"{what} of golden row {self.row} is {self.found!r}, and {self.expected!r} where the "
            "model was trained"
        )


def golden_rows(rows: pa.Table, inputs: Sequence[Input], seed: int) -> tuple[Instance, ...]:
    """At least `LEAST_ROWS` instances: real rows, edges of each input, and mixtures.

    A mixture has the value of each input from another row: few rows alone have few combinations.

    Args:
        rows: of the training part, at least one.
        inputs: of the model.
        seed: of the mixtures.
    """
    names = [each.name for each in inputs]
    known = rows.select(names)
    step = max(1, known.num_rows // REAL_ROWS)
    real = known.take(list(range(0, known.num_rows, step))[:REAL_ROWS]).to_pylist()
    edges = list(_edges(real[0], inputs))
    edges = edges[:: -(-len(edges) // MOST_EDGES)]
    rng = np.random.default_rng(seed)
    missing = max(0, LEAST_ROWS - len(real) - len(edges))
    drawn = rng.integers(known.num_rows, size=(missing, len(names)))
    columns = [
        known[name].take(drawn[:, position]).to_pylist() for position, name in enumerate(names)
    ]
    mixed = [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]
    return (*real, *edges, *mixed)


def golden_of(pipeline: Any, instances: Sequence[Instance], inputs: Sequence[Input]) -> Golden:
    """What training has for the instances.

    Args:
        pipeline: fitted, with the steps `preprocess` and `model`.
        instances: from `golden_rows`.
        inputs: of the model.
    """
    frame = frame_of(table_of(instances, inputs), inputs)
    alone = [frame.iloc[[row]] for row in range(len(frame))]
    preprocess = pipeline.named_steps["preprocess"]
    return Golden(
        tuple(instances),
        tuple(preprocess.get_feature_names_out()),
        np.vstack([features_of(pipeline, each) for each in alone]),
        np.vstack([outputs_of(pipeline, each) for each in alone]),
    )


def features_of(pipeline: Any, frame: pd.DataFrame) -> Floats:
    """What the model reads of a frame, shape (rows, features)."""
    return np.asarray(pipeline.named_steps["preprocess"].transform(frame), dtype=np.float64)


def outputs_of(pipeline: Any, frame: pd.DataFrame | Floats) -> Floats:
    """Probabilities, shape (rows, classes), or predicted numbers, shape (rows, 1)."""
    if hasattr(pipeline, "predict_proba"):
        return np.asarray(pipeline.predict_proba(frame), dtype=np.float64)
    return np.asarray(pipeline.predict(frame), dtype=np.float64)[:, np.newaxis]


def first_difference(
    golden: Golden, serve: Callable[[Instance], tuple[Floats, Floats]]
) -> Difference | None:
    """The first value that is not the same bits; None where all are.

    Args:
        golden: of the release.
        serve: features, shape (features,), and outputs, shape (outputs,), of one instance.
    """
    for row, instance in enumerate(golden.instances):
        features, outputs = serve(instance)
        position = _differs(golden.features[row], features)
        if position is not None:
            return _difference(row, golden.names, golden.features[row], features, position)
        position = _differs(golden.outputs[row], outputs)
        if position is not None:
            return _difference(row, None, golden.outputs[row], outputs, position)
    return None


def to_bytes(golden: Golden) -> bytes:
    """As a Parquet file; equal ones give equal bytes."""
    table = pa.table(
        {
            "instance": [json.dumps(each) for each in golden.instances],
            "features": pa.array(list(golden.features), pa.list_(pa.float64())),
            "outputs": pa.array(list(golden.outputs), pa.list_(pa.float64())),
        }
    )
    return to_parquet(table, {_NAMES: json.dumps(golden.names)})


def from_bytes(data: bytes) -> Golden:
    """The inverse of `to_bytes`.

    Raises:
        ValueError: when the bytes are not golden rows.
    """
    try:
        table = from_parquet(data)
        names = json.loads(table.schema.metadata[_NAMES.encode()])
    except (pa.ArrowInvalid, KeyError, TypeError) as error:
        raise ValueError("these are not golden rows; release the model again") from error
    return Golden(
        tuple(json.loads(each) for each in table["instance"].to_pylist()),
        tuple(names),
        np.array(table["features"].to_pylist(), dtype=np.float64),
        np.array(table["outputs"].to_pylist(), dtype=np.float64),
    )


def _edges(base: Instance, inputs: Sequence[Input]) -> Iterator[Instance]:
    """`base` with one input at a time at an edge of what it may be, and with none at all."""
    yield {each.name: None for each in inputs}
    for each in inputs:
        for value in _edge_values(each):
            yield {**base, each.name: value}


def _edge_values(each: Input) -> Iterator[Any]:
    yield None
    if each.type == "boolean":
        yield from (False, True)
    elif each.type == "category":
        seen = each.seen or ()
        yield from seen[:: max(1, len(seen) // 5)]
        allowed = each.values if each.values is not None else (_UNSEEN,)
        yield from (value for value in allowed if value not in seen)
    else:
        low = -LARGEST_NUMBER if each.low is None else each.low
        high = LARGEST_NUMBER if each.high is None else each.high
        whole = each.type == "integer"
        for value in (low, high, *_within(each), *_EDGES):
            if low <= value <= high:
                yield _integer(value) if whole else float(value)


def _within(each: Input) -> tuple[float, ...]:
    """The ends of what was seen, and a number between them that needs all of its bits."""
    if each.seen_low is None or each.seen_high is None:
        return ()
    between = each.seen_low + _BETWEEN * (each.seen_high - each.seen_low)
    return (each.seen_low, each.seen_high, between)


def _integer(value: float) -> int:
    return max(-(2**63), min(2**63 - 1, int(value)))


def _differs(expected: Floats, found: Floats) -> int | None:
    """The first position with other bits; any NaN is as good as another."""
    if found.shape != expected.shape:
        return min(len(expected), len(found))
    same = (expected.view(np.int64) == found.view(np.int64)) | (
        np.isnan(expected) & np.isnan(found)
    )
    return None if same.all() else int(np.argmin(same))


def _difference(
    row: int, names: Sequence[str] | None, expected: Floats, found: Floats, position: int
) -> Difference:
    def at(values: Floats) -> float:
        return float(values[position]) if position < len(values) else float("nan")

    name = None if names is None else (*names, "one too many")[min(position, len(names))]
    return Difference(row, name, at(expected), at(found))
