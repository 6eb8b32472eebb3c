"""The two ways from the instances of a request to predictions: the fast path, and the pipeline.

Belongs here: what each gives. Does not belong here: which one serves a release
(`serving.loading`), or what the fast path computes (`leeway.fast`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Literal, NamedTuple, Protocol

import msgspec
import numpy as np

from leeway.data.frames import frame_of
from leeway.fast.blocks import Columns
from leeway.fast.model import Fast
from leeway.served.golden import Floats, features_of, outputs_of
from leeway.served.inputs import Input, table_of


class Predicted(NamedTuple):
    """Features, shape (rows, features), and probabilities or predictions, shape (rows, outputs).

    `odd` are the rows that may have a value unlike those of the training part.
    """

    features: Floats
    outputs: Floats
    odd: Sequence[int]


class Path(Protocol):
    """A way from instances, of the type of the release's contract, to predictions."""

    @property
    def name(self) -> Literal["fast", "pipeline"]:
        """As the service tells it."""

    def predict(self, rows: Sequence[Any]) -> Predicted:
        """Of the rows of a request."""


class FastPath:
    """By the arrays of a release."""

    name: Literal["fast"] = "fast"

    def __init__(self, fast: Fast, inputs: Sequence[Input]) -> None:
        self._fast = fast
        by_name = {each.name: each for each in inputs}
        numbers = [by_name[name] for name in fast.numbers]
        self._low = np.array([-np.inf if e.seen_low is None else e.seen_low for e in numbers])
        self._high = np.array([np.inf if e.seen_high is None else e.seen_high for e in numbers])
        self._seen = [frozenset(by_name[name].seen or ()) | {None} for name in fast.texts]

    def predict(self, rows: Sequence[Any]) -> Predicted:
        """Of the rows of a request; each has the bits that the pipeline gives it alone."""
        columns = self._fast.columns(rows)
        features = self._fast.features(columns)
        return Predicted(features, self._fast.outputs(features), self._odd(columns))

    def _odd(self, columns: Columns) -> list[int]:
        outside = (columns.numbers < self._low) | (columns.numbers > self._high)
        odd = set(np.flatnonzero(outside.any(axis=1)).tolist()) if outside.any() else set()
        for texts, seen in zip(columns.texts, self._seen, strict=True):
            odd |= {row for row, text in enumerate(texts) if text not in seen}
        return sorted(odd)


class PipelinePath:
    """By the fitted pipeline, which is read when it is first asked."""

    name: Literal["pipeline"] = "pipeline"

    def __init__(self, read: Callable[[], Any], inputs: Sequence[Input]) -> None:
        self._read, self._inputs = read, inputs

    @cached_property
    def pipeline(self) -> Any:
        """The fitted pipeline."""
        return self._read()

    def predict(self, rows: Sequence[Any]) -> Predicted:
        """Of the rows of a request."""
        instances = [msgspec.structs.asdict(each) for each in rows]
        frame = frame_of(table_of(instances, self._inputs), self._inputs)
        features, outputs = features_of(self.pipeline, frame), outputs_of(self.pipeline, frame)
        return Predicted(features, outputs, range(len(rows)))
