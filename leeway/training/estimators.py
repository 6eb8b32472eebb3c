"""The scikit-learn estimators that Leeway adds to those of the library.

Belongs here: classes that predict and keep only arrays, bytes and numbers, so that skops can store
them without trusting anything of XGBoost. Does not belong here: their search spaces
(`leeway.training.candidates`), or transformers (`leeway.training.transformers`).
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.linear_model import Lasso
from sklearn.utils.validation import check_is_fitted


class RelativeLasso(Lasso):  # type: ignore[misc]  # sklearn has no stubs
    """Lasso whose `alpha` is relative to the standard deviation of the target.

    One search space then fits prices in dollars and rates in per cent alike.
    """

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Fits on the scaled target; `coef_` and `intercept_` are in the target's unit."""
        target = np.asarray(y, dtype=np.float64)
        scale = float(target.std()) or 1.0
        scaled = super().fit(X, target / scale)
        self.coef_, self.intercept_ = scaled.coef_ * scale, scaled.intercept_ * scale
        return self


class _XGBoost(BaseEstimator):  # type: ignore[misc]  # sklearn has no stubs
    """What the two XGBoost estimators share: training with one thread, and their stored form."""

    def __init__(
        self,
        n_estimators: int = 100,
        max_depth: int = 4,
        learning_rate: float = 0.1,
        subsample: float = 1.0,
        colsample_bytree: float = 1.0,
        colsample_bynode: float = 1.0,
        max_leaves: int = 0,
        min_child_weight: float = 1.0,
        reg_lambda: float = 1.0,
        reg_alpha: float = 0.0,
        random_state: int = 0,
    ) -> None:
        self.n_estimators = n_estimators
        self.max_depth = max_depth
        self.learning_rate = learning_rate
        self.subsample = subsample
        self.colsample_bytree = colsample_bytree
        self.colsample_bynode = colsample_bynode
        self.max_leaves = max_leaves
        self.min_child_weight = min_child_weight
        self.reg_lambda = reg_lambda
        self.reg_alpha = reg_alpha
        self.random_state = random_state

    def _train(
        self, X: ArrayLike, y: NDArray[Any], objective: dict[str, Any], **stopping: Any
    ) -> None:
        import xgboost

        parameters = self.get_params()
        rounds = parameters.pop("n_estimators")
        parameters |= objective
        # Trees with a number of leaves grow where the loss falls most, as scikit-learn's do.
        parameters["grow_policy"] = "lossguide" if self.max_leaves else "depthwise"
        parameters |= {"seed": parameters.pop("random_state"), "nthread": 1, "tree_method": "hist"}
        values = np.asarray(X, dtype=np.float64)
        data = xgboost.DMatrix(values, label=y, nthread=1)
        self.booster_ = xgboost.train(parameters, data, num_boost_round=rounds, **stopping)
        self.n_features_in_ = values.shape[1]

    def _train_until_no_gain(
        self,
        X: ArrayLike,
        y: NDArray[Any],
        objective: dict[str, Any],
        inner: tuple[ArrayLike, NDArray[Any]],
        patience: int,
    ) -> None:
        import xgboost

        data = xgboost.DMatrix(np.asarray(inner[0], dtype=np.float64), label=inner[1], nthread=1)
        stopping = {"evals": [(data, "inner")], "early_stopping_rounds": patience}
        self._train(X, y, objective, **stopping, verbose_eval=False)
        self.rounds_ = int(self.booster_.best_iteration) + 1
        self.booster_ = self.booster_[: self.rounds_]

    def _margin(self, X: ArrayLike) -> NDArray[Any]:
        check_is_fitted(self)
        values = np.asarray(X, dtype=np.float64)
        return np.asarray(self.booster_.inplace_predict(values, predict_type="margin"))

    def __getstate__(self) -> dict[str, Any]:
        """The attributes, with the booster in XGBoost's own binary JSON."""
        state = dict(self.__dict__)
        if "booster_" in state:
            state["booster_"] = bytes(self.booster_.save_raw("ubj"))
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Rebuilds the booster, still with one thread."""
        import xgboost

        self.__dict__.update(state)
        if "booster_" in state:
            self.booster_ = xgboost.Booster({"nthread": 1}, model_file=bytearray(state["booster_"]))


class XGBoostClassifier(ClassifierMixin, _XGBoost):  # type: ignore[misc]  # sklearn has no stubs
    """Gradient boosting by XGBoost for labels of any type; `classes_` holds them, sorted.

    With two classes `min_child_weight` and `reg_lambda` are those of two equally frequent ones.
    """

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Fits on `X`, shape (rows, columns), and labels `y`, shape (rows,).

        Raises:
            ValueError: when there are fewer than two classes.
        """
        self._train(X, *self._codes(y))
        return self

    def fit_until_no_gain(
        self, X: ArrayLike, y: ArrayLike, inner: ArrayLike, labels: ArrayLike, patience: int
    ) -> Self:
        """As `fit`, and stops after `patience` rounds without a lower log loss on `inner`.

        The booster keeps `rounds_` rounds, after which the loss was lowest.
        """
        codes, objective = self._codes(y)
        of_inner = np.searchsorted(self.classes_, np.asarray(labels))
        self._train_until_no_gain(X, codes, objective, (inner, of_inner), patience)
        return self

    def _codes(self, y: ArrayLike) -> tuple[NDArray[Any], dict[str, Any]]:
        """Learns the classes; the code of each label, and the objective."""
        self.classes_, codes = np.unique(np.asarray(y), return_inverse=True)
        count = len(self.classes_)
        if count < 2:
            raise ValueError("XGBoostClassifier needs at least two classes, got one")
        if count > 2:
            return codes, {"objective": "multi:softprob", "num_class": count, "base_score": 0.5}
        share = float(codes.mean())
        # XGBoost weighs a row by its curvature, p (1 - p): with few positives the same penalty is
        # that of many times the rows. Here it is that of as many rows as with two equal classes.
        weight = 4 * share * (1 - share)
        return codes, {
            "objective": "binary:logistic",
            "base_score": share,
            "min_child_weight": weight * self.min_child_weight,
            "reg_lambda": weight * self.reg_lambda,
        }

    def decision_function(self, X: ArrayLike) -> NDArray[Any]:
        """Margins in log-odds: shape (rows,) for two classes, else (rows, classes)."""
        return self._margin(X)

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Probabilities, shape (rows, classes)."""
        from scipy.special import expit, softmax

        margin = self._margin(X).astype(np.float64)
        if margin.ndim == 1:
            positive = expit(margin)
            return np.column_stack([1.0 - positive, positive])
        return np.asarray(softmax(margin, axis=1))

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """The most probable label, shape (rows,)."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])


class XGBoostRegressor(RegressorMixin, _XGBoost):  # type: ignore[misc]  # sklearn has no stubs
    """Gradient boosting by XGBoost with squared error."""

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Fits on `X`, shape (rows, columns), and `y`, shape (rows,), in the target's unit."""
        self._train(X, np.asarray(y, dtype=np.float64), {"objective": "reg:squarederror"})
        return self

    def fit_until_no_gain(
        self, X: ArrayLike, y: ArrayLike, inner: ArrayLike, target: ArrayLike, patience: int
    ) -> Self:
        """As `fit`, and stops after `patience` rounds without a lower squared error on `inner`.

        The booster keeps `rounds_` rounds, after which the error was lowest.
        """
        values, of_inner = (np.asarray(each, dtype=np.float64) for each in (y, target))
        objective = {"objective": "reg:squarederror"}
        self._train_until_no_gain(X, values, objective, (inner, of_inner), patience)
        return self

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """Predictions in the target's unit, shape (rows,)."""
        return self._margin(X).astype(np.float64)
