"""The scikit-learn transformers that Leeway adds to those of the library.

Belongs here: classes with `fit`, `transform` and `get_feature_names_out` that keep only arrays,
texts and numbers, so that skops can store them. Does not belong here: which of them a use case
needs (`leeway.training.preprocessing`), or estimators that predict (`leeway.training.estimators`).
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.cluster import KMeans
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.preprocessing import StandardScaler, TargetEncoder
from sklearn.utils.validation import check_is_fitted

from leeway.spec import LARGEST_NUMBER

NO_CATEGORY = "missing"
FURTHEST = 1e30
_PAIRS = {"ratio": np.divide, "product": np.multiply, "sum": np.add}
MOST_FITTED_ROWS = 20_000


def category_name(column: str, category: object) -> str:
    """Name of a one-hot column: `=` cannot stand in an identifier, so no two names collide."""
    return f"{column}={category}"


class GapScaler(StandardScaler):  # type: ignore[misc]  # sklearn has no stubs
    """`StandardScaler` that is silent about a column without any value, which it leaves missing.

    A value further than `FURTHEST` standard deviations from the mean is put there: trees refuse
    what a 32-bit float does not hold, and with it the whole batch.
    """

    def partial_fit(
        self, X: ArrayLike, y: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Learns mean and standard deviation of the values that are there."""
        with np.errstate(invalid="ignore"):
            super().partial_fit(X, y, sample_weight)
        return self

    def transform(self, X: ArrayLike, copy: bool | None = None) -> NDArray[np.float64]:
        """Distances from the mean in standard deviations, NaN for a missing value, same shape."""
        scaled: NDArray[np.float64] = np.clip(super().transform(X, copy), -FURTHEST, FURTHEST)
        return scaled


class NeighbourImputer(KNNImputer):  # type: ignore[misc]  # sklearn has no stubs
    """`KNNImputer` that also names the columns without any value, which it keeps as 0.

    scikit-learn 1.9.1 leaves them out of the names though not out of the output.
    """

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[Any]:
        """The names that came in, shape (columns,)."""
        return np.asarray(input_features, dtype=object)


class MixedImputer(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # sklearn has no stubs
    """Fills each column by one of several imputers, every one of which reads all columns.

    A column whose strategy is none of theirs keeps its gaps.

    Those that relate rows or columns to each other are fitted on `MOST_FITTED_ROWS` evenly spaced
    rows: more cost time and change little.
    """

    def __init__(self, imputers: list[tuple[str, Any]], strategies: list[str]) -> None:
        self.imputers = imputers
        self.strategies = strategies

    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> Self:
        """Fits every imputer on `X`, shape (rows, columns), NaN for a missing value."""
        values = np.asarray(X, dtype=np.float64)
        some = values[:: max(1, -(-len(values) // MOST_FITTED_ROWS))]
        self.imputers_ = [
            clone(imputer).fit(values if isinstance(imputer, SimpleImputer) else some)
            for _, imputer in self.imputers
        ]
        self.n_features_in_ = values.shape[1]
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.float64]:
        """A copy of `X` with what the imputers fill, same shape."""
        check_is_fitted(self)
        filled = np.array(X, dtype=np.float64)
        chosen = np.array(self.strategies)
        gaps = np.isnan(filled)
        for (name, _), fitted in zip(self.imputers, self.imputers_, strict=True):
            own = gaps & (chosen == name)
            rows = own.any(axis=1)
            if rows.any():
                filled[own] = np.asarray(fitted.transform(np.asarray(X)[rows]))[own[rows]]
        return filled

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[Any]:
        """The names that came in, shape (columns,)."""
        return np.asarray(input_features, dtype=object)


class PairTransformer(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # sklearn has no stubs
    """One column from two: `left / right`, `left * right` or `left + right`.

    A result that no number column may hold is NaN, missing: a ratio with a zero denominator, or
    what is above `LARGEST_NUMBER` in size.
    """

    def __init__(self, name: str, operation: Literal["ratio", "product", "sum"]) -> None:
        self.name = name
        self.operation = operation

    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> Self:
        """Notes the width of `X`, shape (rows, 2).

        Raises:
            ValueError: when `X` does not have two columns.
        """
        width = np.shape(X)[1]
        if width != 2:
            raise ValueError(f"{self.name}: a {self.operation} needs 2 columns, got {width}")
        self.n_features_in_ = width
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.float64]:
        """The derived column, shape (rows, 1)."""
        check_is_fitted(self)
        left, right = np.asarray(X, dtype=np.float64).T
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            value = _PAIRS[self.operation](left, right)
        return np.where(np.abs(value) <= LARGEST_NUMBER, value, np.nan)[:, np.newaxis]

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[Any]:
        """The name of the derived feature, shape (1,)."""
        return np.array([self.name], dtype=object)


class ClusterDistances(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # sklearn has no stubs
    """Euclidean distances to the centres of k-means clusters, in the units of the scaled input.

    There are never more clusters than distinct rows to fit, and the distances to the clusters that
    could not be made are 0, so that the width stays `k`.
    """

    def __init__(self, name: str, k: int, random_state: int) -> None:
        self.name = name
        self.k = k
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> Self:
        """Finds the centres from `X`, shape (rows, columns), without missing values."""
        values = np.asarray(X, dtype=np.float64)
        k = min(self.k, len(np.unique(values, axis=0)))
        kmeans = KMeans(n_clusters=k, n_init=3, random_state=self.random_state).fit(values)
        self.centres_ = np.asarray(kmeans.cluster_centers_, dtype=np.float64)
        self.n_features_in_ = values.shape[1]
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.float64]:
        """Distances, shape (rows, k)."""
        check_is_fitted(self)
        values = np.asarray(X, dtype=np.float64)
        distances = np.zeros((len(values), self.k))
        for position, centre in enumerate(self.centres_):
            distances[:, position] = np.sqrt(((values - centre) ** 2).sum(axis=1))
        return distances

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[Any]:
        """`name#0` to `name#k-1`, shape (k,)."""
        return np.array([f"{self.name}#{i}" for i in range(self.k)], dtype=object)


class TargetMeanEncoder(TargetEncoder):  # type: ignore[misc]  # sklearn has no stubs
    """`TargetEncoder` whose names of several classes collide with no column.

    `|` cannot stand in an identifier; scikit-learn's `_` can.
    """

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[Any]:
        """The names that came in, or `column|class` for each of more than two classes."""
        names = np.asarray(input_features, dtype=object).tolist()
        if self.target_type_ == "multiclass":
            names = [f"{name}|{label}" for name in names for label in self.classes_]
        return np.array(names, dtype=object)


class CategoryPosition(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # no stubs
    """Where a category stands in the order of the names that were there; the first is 0.

    What stands close by is often alike: the first figures of a postal code or of a catalogue number
    say where it belongs. An unseen category stands between its neighbours.
    """

    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> Self:
        """Sorts the categories of `X`, texts of shape (rows, columns)."""
        columns = np.asarray(X, dtype=object).T
        self.known_ = [np.array(sorted(set(column.tolist())), dtype=str) for column in columns]
        self.n_features_in_ = len(columns)
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.float64]:
        """Positions, shape (rows, columns)."""
        check_is_fitted(self)
        columns = np.asarray(X, dtype=object).T
        return np.column_stack(
            [
                self._places(known, column)
                for known, column in zip(self.known_, columns, strict=True)
            ]
        )

    @staticmethod
    def _places(known: NDArray[np.str_], column: NDArray[np.object_]) -> list[float]:
        # Of each text once: as an array of text, every row takes as much as the longest.
        texts = list(set(column.tolist()))
        asked = np.array(texts, dtype=str)
        sides = np.searchsorted(known, asked) + np.searchsorted(known, asked, side="right")
        place = dict(zip(texts, ((sides - 1) / 2).tolist(), strict=True))
        return [place[text] for text in column.tolist()]

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[Any]:
        """`name#position`, shape (columns,)."""
        names = np.asarray(input_features, dtype=object).tolist()
        return np.array([f"{name}#position" for name in names], dtype=object)


class CategoryImputer(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # sklearn has no stubs
    """Fills a missing category (None or NaN) with the commonest one or with `missing`.

    Unlike `SimpleImputer` it gives text for a column that has no value at all. Ties go to the
    category that is first in the alphabet.
    """

    def __init__(self, strategy: Literal["most_frequent", "constant"]) -> None:
        self.strategy = strategy

    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> Self:
        """Counts the categories of `X`, shape (rows, columns)."""
        columns = np.asarray(X, dtype=object).T
        self.fill_values_ = [self._fill_value(column) for column in columns]
        self.n_features_in_ = len(columns)
        return self

    def _fill_value(self, column: NDArray[np.object_]) -> str:
        counts = Counter(value for value in column.tolist() if isinstance(value, str))
        if self.strategy == "constant" or not counts:
            return NO_CATEGORY
        return min(counts, key=lambda category: (-counts[category], category))

    def transform(self, X: ArrayLike) -> NDArray[np.object_]:
        """A copy of `X` without missing values, same shape."""
        check_is_fitted(self)
        values = np.array(X, dtype=object)
        for position, fill in enumerate(self.fill_values_):
            column = values[:, position]
            column[[not isinstance(value, str) for value in column.tolist()]] = fill
        return values

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[Any]:
        """The names that came in, shape (columns,)."""
        return np.asarray(input_features, dtype=object)
