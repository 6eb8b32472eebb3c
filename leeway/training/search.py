"""Which algorithm a use case gets: decided by cross-validation on the training part.

Belongs here: comparing candidates and fitting the final pipeline; `tune` is of
`leeway.training.tuning`. Does not belong here: the folds (`leeway.training.folds`), or anything
about the test part, which no function here may see.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from leeway.spec import LOWER_IS_BETTER
from leeway.training.folds import (
    Fold,
    TooFewRows,
    fit_model,
    make_pipeline,
    one_thread,
    prepare_folds,
    sample_positions,
)
from leeway.training.scoring import score_model
from leeway.training.tuning import MOST_SEARCHED_ROWS, TunedModel, tune

if TYPE_CHECKING:
    import pandas as pd

    from leeway.spec import UseCase


class NoCandidate(ValueError):
    """Every candidate failed; the message has the error of each."""


@dataclass(frozen=True)
class CandidateScore:
    """How one algorithm did with its default parameters, in the unit of the use case's metric."""

    name: str
    mean: float | None
    std: float | None
    folds: tuple[float, ...]
    train_mean: float | None
    error: str | None = None
    seconds: float = field(default=0.0, compare=False)


def compare_candidates(
    frame: pd.DataFrame, target: NDArray[Any], use_case: UseCase
) -> list[CandidateScore]:
    """Scores every candidate of the use case on the same folds, in the order of the use case.

    Of more than `MOST_SEARCHED_ROWS` rows, so many are drawn: the choice is that of a sample, and
    the model that is made in the end is fitted on all rows.

    A candidate that fails has an `error` and no mean.

    Raises:
        TooFewRows: when the folds cannot be made.
        NoCandidate: when all candidates fail.
    """
    some = sample_positions(target, use_case, MOST_SEARCHED_ROWS)
    with one_thread():
        folds = prepare_folds(frame.iloc[some], target[some], use_case)
        scores = [_score(folds, use_case, name) for name in use_case.candidates]
    if all(score.error for score in scores):
        errors = "; ".join(f"{score.name}: {score.error}" for score in scores)
        raise NoCandidate(f"every candidate failed: {errors}")
    return scores


def best_candidate(scores: Sequence[CandidateScore], metric: str) -> CandidateScore:
    """The candidate with the best mean; the first of those that are equal.

    Raises:
        NoCandidate: when none has a mean.
    """
    sign = -1.0 if metric in LOWER_IS_BETTER else 1.0
    means = [(sign * score.mean, score) for score in scores if score.mean is not None]
    if not means:
        raise NoCandidate("no candidate has a score")
    return max(means, key=lambda pair: pair[0])[1]


def _score(folds: Sequence[Fold], use_case: UseCase, name: str) -> CandidateScore:
    start = time.perf_counter()
    judged, seen = [], []
    try:
        for fold in folds:
            model, metric = fit_model(fold, use_case, name, {}), use_case.metric
            judged.append(score_model(model, fold.judged_rows, fold.judged_target, metric))
            seen.append(score_model(model, fold.rows, fold.target, metric))
    except Exception as error:  # one algorithm that fails must not hide what the others give
        reason = f"{type(error).__name__}: {error}"
        seconds = time.perf_counter() - start
        return CandidateScore(name, None, None, tuple(judged), None, reason, seconds)
    return CandidateScore(
        name=name,
        mean=float(np.mean(judged)),
        std=float(np.std(judged, ddof=1)),
        folds=tuple(judged),
        train_mean=float(np.mean(seen)),
        seconds=time.perf_counter() - start,
    )


def fit_final(
    frame: pd.DataFrame,
    target: NDArray[Any],
    use_case: UseCase,
    name: str,
    parameters: Mapping[str, Any],
) -> Any:
    """A `Pipeline` (steps `preprocess` and `model`) fitted on the whole training part."""
    with one_thread():
        return make_pipeline(use_case, name, parameters, len(frame)).fit(frame, target)


__all__ = [
    "MOST_SEARCHED_ROWS",
    "CandidateScore",
    "NoCandidate",
    "TooFewRows",
    "TunedModel",
    "best_candidate",
    "compare_candidates",
    "fit_final",
    "tune",
]
