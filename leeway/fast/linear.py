"""Linear models as their coefficients.

Belongs here: the product and what follows it. Does not belong here: reading an estimator
(`leeway.fast.copied`).
"""

from __future__ import annotations

from typing import Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from leeway.fast.finish import FINISHES, Finish

Floats = NDArray[np.float64]


class Linear(msgspec.Struct, frozen=True, tag="linear", eq=False):
    """`features @ weights + intercept`; `weights` has shape (features,) or (features, outputs)."""

    weights: Floats
    intercept: Floats
    finish: Finish

    @property
    def width(self) -> int:
        """Of the features."""
        return len(self.weights)

    def check(self) -> Self:
        """Itself; nothing in it is an index."""
        return self

    def outputs(self, features: Floats) -> Floats:
        """Of features, shape (rows, features): shape (rows, outputs)."""
        # A product of several rows has other last bits than that of each alone.
        sums = [features[row : row + 1] @ self.weights for row in range(len(features))]
        whole = np.concatenate(sums).reshape(len(features), -1)
        return FINISHES[self.finish](whole + self.intercept)
