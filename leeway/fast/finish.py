"""From what an estimator sums to what it predicts.

Belongs here: the functions at the end of the estimators. Does not belong here: the sums.

Each gives the bits of the library's: `expit` and `softmax` of SciPy 1.17 and scikit-learn 1.9. The
exponential of `math` is the C library's, as `expit`'s is; that of NumPy may differ in the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Finish = Literal["number", "logistic", "softmax"]


def number(sums: Floats) -> Floats:
    """The sums themselves."""
    return sums


def logistic(sums: Floats) -> Floats:
    """Probabilities of two classes, shape (rows, 2), of log-odds, shape (rows, 1)."""
    positive = np.array([_expit(each) for each in sums[:, 0].tolist()])
    return np.column_stack([1.0 - positive, positive])


def softmax(sums: Floats) -> Floats:
    """Probabilities of the classes, same shape."""
    shares: Floats = np.exp(sums - sums.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    return shares


FINISHES: dict[Finish, Callable[[Floats], Floats]] = {
    "number": number,
    "logistic": logistic,
    "softmax": softmax,
}


def _expit(value: float) -> float:
    try:
        return 1.0 / (1.0 + math.exp(-value))
    except OverflowError:  # where the C library has infinity
        return 0.0
