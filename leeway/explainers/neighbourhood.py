"""Where a row lies among the rows that a model was trained on.

Belongs here: nearest training rows and a map in two dimensions, both in the preprocessed space that
the model reads. Does not belong here: what the model makes of it (`leeway.explainers.shapley`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Neighbours:
    """The nearest training rows of each row, nearest first; all arrays have shape (rows, k).

    `indices` are positions in the training frame, `distances` Euclidean in standard deviations of
    the features, `labels` the targets. `agreement`, shape (rows,), is the share of neighbours with
    the label that the model predicts, and None for a regression, where it is undefined.
    """

    indices: NDArray[np.intp]
    distances: Floats
    labels: NDArray[Any]
    agreement: Floats | None


def nearest(
    pipeline: Any,
    train_frame: pd.DataFrame,
    train_target: NDArray[Any],
    rows: pd.DataFrame | None,
    k: int,
) -> Neighbours:
    """The `k` nearest training rows of each of `rows`, or all of them when there are fewer.

    Args:
        pipeline: fitted, with the step `preprocess`.
        train_frame: features of the training part.
        train_target: its targets, shape (training rows,).
        rows: rows to look up; None: the training rows, and none is a neighbour of its own.
        k: how many, at least 1.
    """
    others = len(train_frame) - (rows is None)
    known = _filled(pipeline, train_frame)
    sought = None if rows is None else _filled(pipeline, rows)
    # None: each row among the others.
    distances, indices = _search(known, min(k, others)).kneighbors(sought)
    labels = train_target[indices]
    agreement = None
    if hasattr(pipeline, "classes_"):
        predicted = np.asarray(pipeline.predict(train_frame if rows is None else rows))
        agreement = (labels == predicted[:, np.newaxis]).mean(axis=1)
    return Neighbours(indices, distances, labels, agreement)


class Neighbourhood:
    """The training rows of one model, to be searched and drawn again and again.

    `coordinates`, shape (training rows, 2), are where they are on the map.
    """

    def __init__(self, pipeline: Any, train_frame: pd.DataFrame, k: int, axes: Axes) -> None:
        """The rows of `train_frame`, of which the `k` nearest are found, or all if there are fewer.

        Args:
            pipeline: fitted, with the step `preprocess`.
            train_frame: features of the training part.
            k: how many, at least 1.
            axes: of the map.
        """
        known = _filled(pipeline, train_frame)
        self._pipeline, self._axes = pipeline, axes
        self._search = _search(known, min(k, len(known)))
        self.coordinates = axes.place(known)

    def look_up(self, rows: pd.DataFrame) -> tuple[NDArray[np.intp], Floats, Floats]:
        """Of each row the positions of its neighbours and their distances, as of `Neighbours`.

        The last array, shape (rows, 2), is where the rows are on the map.
        """
        sought = _filled(self._pipeline, rows)
        distances, indices = self._search.kneighbors(sought)
        return indices, distances, self._axes.place(sought)


def _search(known: Floats, k: int) -> Any:
    from sklearn.neighbors import NearestNeighbors

    return NearestNeighbors(n_neighbors=k, n_jobs=1).fit(known)


def _filled(pipeline: Any, frame: pd.DataFrame) -> Floats:
    """Rows as the model reads them; a gap that it reads as such stands at the mean, which is 0."""
    values = pipeline.named_steps["preprocess"].transform(frame)
    return np.nan_to_num(np.asarray(values, dtype=np.float64), nan=0.0)


@dataclass(frozen=True)
class Axes:
    """Two directions of the preprocessed features: `mean` (columns,), `components` (2, columns)."""

    mean: Floats
    components: Floats

    def place(self, values: Floats) -> Floats:
        """Where rows that are read as the model does are on the map, shape (rows, 2)."""
        return (values - self.mean) @ self.components.T


@dataclass(frozen=True)
class PcaMap(Axes):
    """Two principal components of the preprocessed training features.

    `coordinates` are of the training rows, shape (rows, 2); `explained_variance_ratio`, shape (2,),
    is the share of the variance that each axis shows. With fewer than two columns or rows the
    missing axis is 0.
    """

    coordinates: Floats
    explained_variance_ratio: Floats

    @classmethod
    def fit(cls, pipeline: Any, train_frame: pd.DataFrame) -> Self:
        """Fits the map on the training part.

        Args:
            pipeline: fitted, with the step `preprocess`.
            train_frame: features of the training part, at least one row.
        """
        from sklearn.decomposition import PCA

        values = _filled(pipeline, train_frame)
        found = min(2, *values.shape)
        components, ratio = np.zeros((2, values.shape[1])), np.zeros(2)
        if values.var(axis=0).sum() > 0:
            pca = PCA(n_components=found, svd_solver="full").fit(values)
            components[:found], ratio[:found] = pca.components_, pca.explained_variance_ratio_
        axes = Axes(values.mean(axis=0), components)
        return cls(axes.mean, components, axes.place(values), ratio)
