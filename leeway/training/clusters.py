"""How many clusters a cluster feature gets.

Belongs here: comparing numbers of clusters on the folds of the training part. Does not belong here:
the clusters of a model (`leeway.training.transformers`), or which decisions a use case leaves open
(`leeway.training.decisions`).

Centres are found in the rows outside a fold and judged on those inside it, as the model's are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from leeway.spec import LOWER_IS_BETTER, ClusterFeature
from leeway.training.folds import (
    cross_validation_folds,
    fit_model,
    one_thread,
    prepare_folds,
    sample_positions,
)
from leeway.training.preprocessing import fill_steps, reads_gaps
from leeway.training.scoring import score_model

if TYPE_CHECKING:
    import pandas as pd

    from leeway.spec import UseCase

Floats = NDArray[np.float64]

MOST_ROWS = 4_000  # of the training part that take part: more move the centres little
MOST_JUDGED = 1_000  # of a fold: silhouettes need the distance of every pair


@dataclass(frozen=True)
class ClusterScore:
    """One number of clusters, judged on rows that the centres were not made from.

    `silhouette` (-1 to 1, higher is better), `davies_bouldin` (0 up, lower is better) and
    `inertia`, the mean squared distance to the nearest centre in squared standard deviations, are
    means over folds; `silhouette_std` is the standard deviation between folds. None is undefined:
    there were fewer distinct points than clusters, or all judged rows fell into one. `error` is the
    model's mean metric, with `error_std`, where it was asked for.
    """

    k: int
    silhouette: float | None
    silhouette_std: float | None
    davies_bouldin: float | None
    inertia: float
    error: float | None = None
    error_std: float | None = None


@dataclass(frozen=True)
class ClusterComparison:
    """Every number of clusters of one feature, and the one that was chosen.

    `model` is the algorithm that gave `error`, with its default parameters; `reason` says why
    nothing could be compared, and `k` then is the smallest.
    """

    feature: str
    choose: Literal["silhouette", "error"]
    scores: tuple[ClusterScore, ...]
    k: int
    model: str | None = None
    reason: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def compare_clusters(
    frame: pd.DataFrame, target: NDArray[Any], use_case: UseCase
) -> list[ClusterComparison]:
    """Chooses k of each cluster feature that leaves it open, on the folds of the search.

    By silhouette (P. Rousseeuw, Journal of Computational and Applied Mathematics 20, 1987), the
    highest mean; by error, the best mean metric of gradient boosting, or of the first candidate
    where that is none. The smallest k wins among equals. While one feature is judged by error, the
    others have the k of their silhouette.

    Args:
        frame: features of the training part.
        target: shape (rows,).
        use_case: with settled imputation.

    Raises:
        TooFewRows: as `leeway.training.folds.cross_validation_folds`.
    """
    open_ = [f for f in use_case.features if f.kind == "clusters" and not isinstance(f.k, int)]
    if not open_:
        return []
    some = sample_positions(target, use_case, MOST_ROWS)
    frame, target = frame.iloc[some], target[some]
    with one_thread():
        found = [_by_silhouette(frame, target, use_case, feature) for feature in open_]
        settled = with_clusters(use_case, {each.feature: each.k for each in found})
        return [
            _by_error(frame, target, settled, each) if feature.choose == "error" else each
            for feature, each in zip(open_, found, strict=True)
        ]


def with_clusters(use_case: UseCase, chosen: dict[str, int]) -> UseCase:
    """The use case with these numbers of clusters, by name of the feature."""
    features = tuple(
        feature.model_copy(update={"k": chosen[feature.name], "choose": "silhouette"})
        if feature.name in chosen
        else feature
        for feature in use_case.features
    )
    return use_case.model_copy(update={"features": features})


def _by_silhouette(
    frame: pd.DataFrame, target: NDArray[Any], use_case: UseCase, feature: ClusterFeature
) -> ClusterComparison:
    from sklearn.pipeline import Pipeline

    columns, seed = list(feature.of), use_case.search.seed
    by_k: dict[int, list[tuple[float, float, float]]] = {k: [] for k in _range(feature)}
    for fit, judged in cross_validation_folds(target, use_case):
        fill = Pipeline(fill_steps(use_case, columns))
        points = fill.fit_transform(frame[columns].iloc[fit])
        some = np.random.default_rng(seed).permutation(judged)[:MOST_JUDGED]
        others = fill.transform(frame[columns].iloc[some])
        for k, scores in by_k.items():
            scores.append(_judge(points, others, k, seed))
    found = tuple(_summary(k, np.array(scores)) for k, scores in by_k.items())
    defined = [score for score in found if score.silhouette is not None]
    if not defined:
        reason = f"no number of clusters has a silhouette: {', '.join(columns)} hardly vary"
        return ClusterComparison(feature.name, feature.choose, found, found[0].k, None, reason)
    best = max(defined, key=lambda score: score.silhouette or 0.0)
    return ClusterComparison(feature.name, feature.choose, found, best.k)


def _range(feature: ClusterFeature) -> Sequence[int]:
    if isinstance(feature.k, int):
        return range(feature.k, feature.k + 1)
    return range(feature.k.low, feature.k.high + 1)


def _judge(points: Floats, others: Floats, k: int, seed: int) -> tuple[float, float, float]:
    """Silhouette, Davies-Bouldin index and inertia of `others`; NaN where they are undefined."""
    from sklearn.metrics import davies_bouldin_score, silhouette_score

    from leeway.training.transformers import ClusterDistances

    clusters = ClusterDistances("", k, seed).fit(points)
    distances = clusters.transform(others)[:, : len(clusters.centres_)]
    inertia = float((distances.min(axis=1) ** 2).mean())
    nearest = distances.argmin(axis=1)
    if len(clusters.centres_) < k or not 1 < len(np.unique(nearest)) < len(others):
        return np.nan, np.nan, inertia
    silhouette = float(silhouette_score(others, nearest))
    return silhouette, float(davies_bouldin_score(others, nearest)), inertia


def _summary(k: int, folds: Floats) -> ClusterScore:
    silhouette, davies_bouldin, inertia = folds.mean(axis=0).tolist()
    if np.isnan(silhouette):
        return ClusterScore(k, None, None, None, inertia)
    return ClusterScore(k, silhouette, float(folds[:, 0].std(ddof=1)), davies_bouldin, inertia)


def _by_error(
    frame: pd.DataFrame, target: NDArray[Any], use_case: UseCase, compared: ClusterComparison
) -> ClusterComparison:
    names = use_case.candidates
    model = "gradient_boosting" if "gradient_boosting" in names else names[0]
    scores = []
    for score in compared.scores:
        tried = with_clusters(use_case, {compared.feature: score.k})
        folds = [
            score_model(
                fit_model(fold, tried, model, {}),
                fold.judged_rows,
                fold.judged_target,
                tried.metric,
            )
            for fold in prepare_folds(frame, target, tried, gaps=reads_gaps(tried, model))
        ]
        mean, std = float(np.mean(folds)), float(np.std(folds, ddof=1))
        scores.append(ClusterScore(**{**asdict(score), "error": mean, "error_std": std}))
    sign = 1.0 if use_case.metric in LOWER_IS_BETTER else -1.0
    best = min(scores, key=lambda score: sign * (score.error or 0.0))
    return ClusterComparison(compared.feature, "error", tuple(scores), best.k, model)
