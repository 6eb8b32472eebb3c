"""The algorithms that a use case can choose from, and the space that each is tuned in.

Belongs here: defaults and search spaces by the names of `leeway.spec`. Does not belong here:
comparing or tuning them (`leeway.training.search`), or estimators of our own
(`leeway.training.estimators`).

Every estimator runs in one thread: sums in another order differ in their last bits, and a release
is addressed by its bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from leeway.spec import CANDIDATES

if TYPE_CHECKING:
    import optuna


def default_estimator(name: str, task: str, seed: int, rows: int = 0) -> Any:
    """An unfitted estimator with the parameters that tuning starts from.

    Args:
        name: one of the candidates of the task.
        task: `classification` or `regression`.
        seed: random state of the estimator.
        rows: of the training part; boosting gets more and larger trees from `MANY_ROWS` on.

    Raises:
        ValueError: when the task has no such candidate.
    """
    known = CANDIDATES[task]
    if name not in known:
        raise ValueError(f"{task} has no candidate {name!r} (known: {', '.join(known)})")
    estimator = _class(name, task)(random_state=seed)
    return estimator.set_params(**defaults(name, rows))


def defaults(name: str, rows: int) -> dict[str, Any]:
    """The parameters that tuning starts from in a training part of `rows` rows."""
    return DEFAULTS[name] | (DEFAULTS_OF_MANY.get(name, {}) if rows >= MANY_ROWS else {})


def suggest_parameters(name: str, trial: optuna.trial.BaseTrial, rows: int = 0) -> dict[str, Any]:
    """Parameters of one Optuna trial for `default_estimator(name, ...).set_params`.

    The keys are those of `defaults(name, rows)` that are tuned, so that the defaults are one point
    of the space.

    Raises:
        KeyError: when there is no such candidate.
    """
    spaces = SPACES | SPACES_OF_MANY if rows >= MANY_ROWS else SPACES
    return spaces[name](trial)


def tuned_defaults(name: str, rows: int = 0) -> dict[str, Any]:
    """The default values of the parameters that `suggest_parameters` tunes."""
    import optuna

    first = defaults(name, rows)
    tuned = suggest_parameters(name, optuna.trial.FixedTrial(first), rows)
    return {parameter: first[parameter] for parameter in tuned}


def slower_learning(name: str, rows: int) -> dict[str, float]:
    """The learning rate that the best parameters of many rows are tried with at last.

    A third of the rate is nearly always a little better, and costs three times the rounds: trials
    have the higher one. Empty where no rate is learned with, or where it is tuned.
    """
    first = defaults(name, rows)
    if "learning_rate" not in first or "learning_rate" in tuned_defaults(name, rows):
        return {}
    return {"learning_rate": first["learning_rate"] / 3}


DEFAULTS: dict[str, dict[str, Any]] = {
    "logistic_regression": {"C": 1.0, "max_iter": 2000},
    "ridge": {"alpha": 1.0},
    "lasso": {"alpha": 0.01, "max_iter": 10_000},
    "decision_tree": {"max_depth": 6, "min_samples_leaf": 3, "ccp_alpha": 1e-4},
    "random_forest": {
        "n_estimators": 100,
        "max_depth": 16,
        "min_samples_leaf": 1,
        "max_features": 0.5,
        "n_jobs": 1,
    },
    "gradient_boosting": {
        "max_iter": 60,
        "early_stopping": False,
        "learning_rate": 0.1,
        "max_leaf_nodes": 15,
        "min_samples_leaf": 10,
        "l2_regularization": 1e-3,
        "max_bins": 63,  # half the time of 255 on hundreds of rows
    },
    "xgboost": {
        "n_estimators": 100,
        "max_depth": 4,
        "learning_rate": 0.1,
        "subsample": 0.8,
        "colsample_bytree": 0.8,
        "min_child_weight": 1.0,
        "reg_lambda": 1.0,
        "reg_alpha": 1e-4,  # as good as none; a point of the space, which is one of logarithms
    },
}
# From here on the rounds of boosting are found by stopping early while algorithms and parameters
# are compared; the final model has those rounds, and all rows. A model that is kept as
# it was stopped lacks the rows that said when: on 16 512 rows of housing its rmse was 1.4 % higher.
MANY_ROWS = 2_000
# The trees that tell forests of many rows apart: their order is that of all trees, for less than
# half the time. A forest that is compared with boosting has a handicap by them.
TREES_TO_CHOOSE = 40
DEFAULTS_OF_MANY: dict[str, dict[str, Any]] = {
    "gradient_boosting": {
        "max_iter": 300,
        "max_leaf_nodes": 31,
        "min_samples_leaf": 20,
        "max_features": 0.5,  # of the columns at each split: faster, and less alike
        "max_bins": 255,
    },
    "xgboost": {
        "n_estimators": 300,
        "max_leaves": 15,  # where the loss falls most: as deep as some rows need
        "max_depth": 12,
        "colsample_bytree": 1.0,
        "colsample_bynode": 0.5,
        "min_child_weight": 5.0,
        "reg_lambda": 20.0,
    },
}


def _class(name: str, task: str) -> Any:
    from sklearn import ensemble, linear_model, tree

    from leeway.training import estimators

    both = {
        "decision_tree": (tree.DecisionTreeClassifier, tree.DecisionTreeRegressor),
        "random_forest": (ensemble.RandomForestClassifier, ensemble.RandomForestRegressor),
        # Binned boosting: many times faster than GradientBoosting from a few thousand rows on, and
        # shap explains it for more than two classes, which it does not for the other.
        "gradient_boosting": (
            ensemble.HistGradientBoostingClassifier,
            ensemble.HistGradientBoostingRegressor,
        ),
        "xgboost": (estimators.XGBoostClassifier, estimators.XGBoostRegressor),
    }
    one = {
        "logistic_regression": linear_model.LogisticRegression,
        "ridge": linear_model.Ridge,
        "lasso": estimators.RelativeLasso,
    }
    return one[name] if name in one else both[name][task == "regression"]


def _logistic_regression(trial: optuna.trial.BaseTrial) -> dict[str, Any]:
    return {"C": trial.suggest_float("C", 1e-3, 1e3, log=True)}


def _ridge(trial: optuna.trial.BaseTrial) -> dict[str, Any]:
    return {"alpha": trial.suggest_float("alpha", 1e-3, 1e3, log=True)}


def _lasso(trial: optuna.trial.BaseTrial) -> dict[str, Any]:
    return {"alpha": trial.suggest_float("alpha", 1e-4, 1.0, log=True)}


def _decision_tree(trial: optuna.trial.BaseTrial) -> dict[str, Any]:
    return {
        "max_depth": trial.suggest_int("max_depth", 2, 12),
        "min_samples_leaf": trial.suggest_int("min_samples_leaf", 1, 30, log=True),
        "ccp_alpha": trial.suggest_float("ccp_alpha", 1e-5, 0.05, log=True),
    }


def _random_forest(trial: optuna.trial.BaseTrial) -> dict[str, Any]:
    return {
        "max_depth": trial.suggest_int("max_depth", 3, 16),
        "min_samples_leaf": trial.suggest_int("min_samples_leaf", 1, 20, log=True),
        "max_features": trial.suggest_float("max_features", 0.2, 1.0),
    }


def _gradient_boosting(trial: optuna.trial.BaseTrial) -> dict[str, Any]:
    return {
        "max_iter": trial.suggest_int("max_iter", 20, 100, log=True),
        "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.3, log=True),
        "max_leaf_nodes": trial.suggest_int("max_leaf_nodes", 4, 31, log=True),
        "min_samples_leaf": trial.suggest_int("min_samples_leaf", 2, 40, log=True),
        "l2_regularization": trial.suggest_float("l2_regularization", 1e-4, 10.0, log=True),
    }


def _xgboost(trial: optuna.trial.BaseTrial) -> dict[str, Any]:
    return {
        "n_estimators": trial.suggest_int("n_estimators", 30, 300, log=True),
        "max_depth": trial.suggest_int("max_depth", 2, 8),
        "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.3, log=True),
        "subsample": trial.suggest_float("subsample", 0.5, 1.0),
        "colsample_bytree": trial.suggest_float("colsample_bytree", 0.5, 1.0),
        "min_child_weight": trial.suggest_float("min_child_weight", 0.5, 20.0, log=True),
        "reg_lambda": trial.suggest_float("reg_lambda", 0.01, 10.0, log=True),
        "reg_alpha": trial.suggest_float("reg_alpha", 1e-4, 10.0, log=True),
    }


SPACES: dict[str, Callable[[optuna.trial.BaseTrial], dict[str, Any]]] = {
    "logistic_regression": _logistic_regression,
    "ridge": _ridge,
    "lasso": _lasso,
    "decision_tree": _decision_tree,
    "random_forest": _random_forest,
    "gradient_boosting": _gradient_boosting,
    "xgboost": _xgboost,
}


def _gradient_boosting_of_many(trial: optuna.trial.BaseTrial) -> dict[str, Any]:
    return {
        "max_leaf_nodes": trial.suggest_int("max_leaf_nodes", 7, 63, log=True),
        "min_samples_leaf": trial.suggest_int("min_samples_leaf", 5, 100, log=True),
        "l2_regularization": trial.suggest_float("l2_regularization", 1e-4, 10.0, log=True),
        "max_features": trial.suggest_float("max_features", 0.2, 1.0),
    }


def _xgboost_of_many(trial: optuna.trial.BaseTrial) -> dict[str, Any]:
    return {
        "max_leaves": trial.suggest_int("max_leaves", 7, 63, log=True),
        "max_depth": trial.suggest_int("max_depth", 4, 12),
        "subsample": trial.suggest_float("subsample", 0.5, 1.0),
        "colsample_bynode": trial.suggest_float("colsample_bynode", 0.2, 1.0),
        "min_child_weight": trial.suggest_float("min_child_weight", 1.0, 30.0, log=True),
        "reg_lambda": trial.suggest_float("reg_lambda", 1.0, 100.0, log=True),
        "reg_alpha": trial.suggest_float("reg_alpha", 1e-4, 10.0, log=True),
    }


SPACES_OF_MANY: dict[str, Callable[[optuna.trial.BaseTrial], dict[str, Any]]] = {
    "gradient_boosting": _gradient_boosting_of_many,
    "xgboost": _xgboost_of_many,
}
