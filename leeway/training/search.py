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
    fit_to_choose,
    make_pipeline,
    one_thread,
    prepare_folds,
    sample_positions,
)
from leeway.training.preprocessing import reads_gaps
from leeway.training.scoring import paired_gain, score_model
from leeway.training.tuning import MOST_SEARCHED_ROWS, TunedModel, tune

if TYPE_CHECKING:
    import pandas as pd

    from leeway.spec import UseCase


MOST_COMPARED_ROWS = 2_500
# By what fitting, storing, explaining and asking a model costs.
CHEAPEST_FIRST = (
    "ridge",
    "logistic_regression",
    "lasso",
    "decision_tree",
    "xgboost",
    "gradient_boosting",
    "random_forest",
)


class NoCandidate(ValueError):
    """Every candidate failed; the message has the error of each."""


@dataclass(frozen=True)
class CandidateScore:
    """How one algorithm did with its default parameters, in the unit of the use case's metric.

    `rows` took part in its folds.
    """

    name: str
    mean: float | None
    std: float | None
    folds: tuple[float, ...]
    train_mean: float | None
    error: str | None = None
    rows: int = 0
    seconds: float = field(default=0.0, compare=False)


def compare_candidates(
    frame: pd.DataFrame, target: NDArray[Any], use_case: UseCase
) -> list[CandidateScore]:
    """Scores every candidate of the use case on the same folds, in the order of the use case.

    Of more than `MOST_COMPARED_ROWS` rows, so many are drawn. The best one there and the cheapest
    that noise cannot tell from it, or else the second, are compared once more, on
    `MOST_SEARCHED_ROWS` rows: what is best on few rows need not be on many, and what is far behind
    on few does not become the best (successive halving: K. Jamieson and A. Talwalkar, AISTATS
    2016). The model that is made in the end is fitted on all rows.

    A candidate that fails has an `error` and no mean.

    Raises:
        TooFewRows: when the folds cannot be made.
        NoCandidate: when all candidates fail.
    """
    names = use_case.candidates
    with one_thread():
        scores = _compare(frame, target, use_case, names, MOST_COMPARED_ROWS)
        if all(score.error for score in scores):
            errors = "; ".join(f"{score.name}: {score.error}" for score in scores)
            raise NoCandidate(f"every candidate failed: {errors}")
        if len(target) > MOST_COMPARED_ROWS and len(scores) > 1:
            best = _finalists(scores, use_case.metric)
            again = _compare(frame, target, use_case, best, MOST_SEARCHED_ROWS)
            found = {score.name: score for score in again if score.mean is not None}
            scores = [found.get(score.name, score) for score in scores]
    return scores


def _finalists(scores: Sequence[CandidateScore], metric: str) -> list[str]:
    first, cheapest = _best_mean(scores, metric), best_candidate(scores, metric)
    others = [score for score in scores if score is not first and score.mean is not None]
    if cheapest is first and others:
        return [first.name, _best_mean(others, metric).name]
    return list(dict.fromkeys([first.name, cheapest.name]))


def _compare(
    frame: pd.DataFrame,
    target: NDArray[Any],
    use_case: UseCase,
    names: Sequence[str],
    most: int,
) -> list[CandidateScore]:
    some = sample_positions(target, use_case, most)
    rows, labels = frame.iloc[some], target[some]
    kinds = {name: reads_gaps(use_case, name) for name in names}
    folds = {gaps: prepare_folds(rows, labels, use_case, gaps=gaps) for gaps in {*kinds.values()}}
    return [_score(folds[kinds[name]], use_case, name, len(some)) for name in names]


def best_candidate(scores: Sequence[CandidateScore], metric: str) -> CandidateScore:
    """The cheapest candidate that is not worse than the best one beyond noise.

    Of those compared on most rows. Worse is one that is behind the best mean by more than the
    standard error of the paired difference (L. Breiman et al., Classification and Regression Trees,
    1984, section 3.4.3).

    Raises:
        NoCandidate: when none has a mean.
    """
    behind = behind_best(scores, metric)
    near = [s for s in scores if s.name in behind and behind[s.name][0] <= behind[s.name][1]]
    return min(near, key=lambda score: CHEAPEST_FIRST.index(score.name))


def behind_best(scores: Sequence[CandidateScore], metric: str) -> dict[str, tuple[float, float]]:
    """How far each one is behind the best mean, and the standard error of that; 0 for the best.

    In the unit of the metric, by name, of those that were compared on most rows.

    Raises:
        NoCandidate: when none has a mean.
    """
    best = _best_mean(scores, metric)
    return {
        score.name: paired_gain(best.folds, score.folds, metric)
        for score in scores
        if score.mean is not None and score.rows == best.rows
    }


def _best_mean(scores: Sequence[CandidateScore], metric: str) -> CandidateScore:
    """The candidate with the best mean of those compared on most rows; the first of equal ones."""
    sign = -1.0 if metric in LOWER_IS_BETTER else 1.0
    means = [((score.rows, sign * score.mean), score) for score in scores if score.mean is not None]
    if not means:
        raise NoCandidate("no candidate has a score")
    return max(means, key=lambda pair: pair[0])[1]


def _score(folds: Sequence[Fold], use_case: UseCase, name: str, rows: int) -> CandidateScore:
    start = time.perf_counter()
    judged, seen = [], []
    try:
        for fold in folds:
            (model, _), metric = fit_to_choose(fold, use_case, name, {}), use_case.metric
            judged.append(score_model(model, fold.judged_rows, fold.judged_target, metric))
            seen.append(score_model(model, fold.rows, fold.target, metric))
    except Exception as error:  # one algorithm that fails must not hide what the others give
        reason = f"{type(error).__name__}: {error}"
        seconds = time.perf_counter() - start
        return CandidateScore(name, None, None, tuple(judged), None, reason, rows, seconds)
    return CandidateScore(
        name=name,
        mean=float(np.mean(judged)),
        std=float(np.std(judged, ddof=1)),
        folds=tuple(judged),
        train_mean=float(np.mean(seen)),
        rows=rows,
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
    "behind_best",
    "best_candidate",
    "compare_candidates",
    "fit_final",
    "tune",
]
