"""Answering in the shadow, in a worker: what a challenger makes of requests that were answered.

Belongs here: one request after the other, and what is said of one that fails. Does not belong here:
which requests (`serving.shadows`), or what follows from it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from math import isfinite

import msgspec
from msgspec import Struct

from leeway.served.contract import BadRequest, Classes, Estimates
from serving.loading import Loaded


class Shadowed(Struct, frozen=True):
    """The answers to one request, a JSON list; or why there are none."""

    seconds: float
    answers: bytes | None = None
    error: str | None = None


class Shadows(Struct, frozen=True):
    """Of each request in their order; none where the challenger answers none.

    `unproven` says why it never will, and `away` what is not there now.
    """

    requests: list[Shadowed] = []
    unproven: str | None = None
    away: str | None = None


class Unusable(ValueError):
    """What a model gave is no answer."""


def shadowed(loaded: Loaded, bodies: Sequence[bytes]) -> Shadows:
    """What the challenger makes of each request."""
    return Shadows([_shadowed(loaded, body) for body in bodies])


def answered(loaded: Loaded, body: bytes) -> tuple[list[object], Classes | Estimates]:
    """The rows of a request as a challenger reads it, and its answers.

    Raises:
        BadRequest: when it does not take what the champion took.
        Unusable: when a prediction is no number.
        Exception: whatever the model raises.
    """
    rows = loaded.contract.rows(body)
    loaded.contract.keys(rows)  # what is left are inputs
    answers = loaded.predict(rows)
    if isinstance(answers, Estimates):
        numbers = [each.prediction for each in answers.predictions]
    else:
        numbers = [share for each in answers.predictions for share in each.probabilities.values()]
    if not all(map(isfinite, numbers)):
        raise Unusable("a prediction is not a number")
    return rows, answers


def why_not(error: Exception) -> str:
    """Why a challenger has no answer, without a value of the request."""
    if isinstance(error, BadRequest):
        return f"it does not take the request: {error.problem.where}: {error.problem.message}"
    return f"{type(error).__name__}: {error}"


def _shadowed(loaded: Loaded, body: bytes) -> Shadowed:
    started = time.perf_counter()
    try:
        _, answers = answered(loaded, body)
    except Exception as error:  # of any kind: it is the challenger's failure
        return Shadowed(time.perf_counter() - started, error=why_not(error))
    content = msgspec.json.encode(answers.predictions)
    return Shadowed(time.perf_counter() - started, content)
