"""What becomes of a column that gives the target away: it is ignored, or used with a warning.

Belongs here: asking `leeway.scaffold.leaks` about each feature, and the sentences. Does not belong
here: what a leak is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from leeway.scaffold.content import Content
from leeway.scaffold.leaks import Sampled, leak, sample_rows, sampled, suspicion
from leeway.scaffold.roles import Placed
from leeway.scaffold.target import Target


@dataclass(frozen=True)
class LeakCheck:
    """The sampled rows of the target, which each feature is held against."""

    positions: NDArray[np.int64]
    truth: Sampled
    classes: bool

    @classmethod
    def on(cls, column: pa.ChunkedArray, content: Content, goal: Target) -> Self:
        """The check for one target."""
        positions = sample_rows(len(column))
        truth = sampled(column, positions, goal.type, content.missing, content.notation)
        return cls(positions, truth, goal.task == "classification")

    def judge(
        self, name: str, column: pa.ChunkedArray, content: Content, place: Placed
    ) -> tuple[Placed, str | None]:
        """The place of a column, ignored if it leaks, and a warning if it may."""
        if place.role != "feature":
            return place, None
        values = sampled(column, self.positions, place.type, content.missing, content.notation)
        how = leak(values, self.truth, classes=self.classes)
        if how is not None:
            why = f"{how}; write role: feature if it is known before the target is"
            return replace(place, role="ignored", why=why), None
        odd = suspicion(values, self.truth) if self.classes else None
        if odd is None:
            return place, None
        return place, (
            f"{name} {odd}: it is used; write role: ignored if it is known only with the target"
        )
