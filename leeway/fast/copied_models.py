"""The fast path of a fitted estimator: reading what it has learned.

Belongs here: the candidates of `leeway.training.candidates`. Does not belong here: laying out trees
(`leeway.fast.copied_trees`), or transformers (`leeway.fast.copied`).
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from leeway.fast.copied_trees import Grown, laid_out
from leeway.fast.finish import Finish
from leeway.fast.linear import Linear
from leeway.fast.trees import Trees


class NotCovered(ValueError):
    """A fitted step has no copy; the message names it."""


def copied_model(model: Any, width: int) -> Trees | Linear:
    """The fast path of an estimator that reads `width` features.

    Raises:
        NotCovered: when there is none.
    """
    kind = type(model).__name__
    if kind in ("Ridge", "RelativeLasso", "LogisticRegression"):
        return _linear(model)
    if kind.startswith("DecisionTree"):
        return _forest([model.tree_], width)
    if kind.startswith("RandomForest"):
        return _forest([each.tree_ for each in model.estimators_], width)
    if kind.startswith("HistGradientBoosting"):
        return _binned_boosting(model, width)
    if kind in ("XGBoostClassifier", "XGBoostRegressor"):
        return _xgboost(model, width)
    raise NotCovered(kind)


def _linear(model: Any) -> Linear:
    weights = model.coef_.T  # as the model itself asks for the product, order in memory included
    finish: Finish = "number"
    if hasattr(model, "classes_"):
        finish = "softmax" if len(model.classes_) > 2 else "logistic"
    return Linear(weights, np.atleast_1d(np.asarray(model.intercept_, np.float64)), finish)


def _forest(trees: list[Any], width: int) -> Trees:
    """Of scikit-learn's trees: mean of leaves, features in 32 bits, thresholds in 64."""
    grown = [
        Grown(
            tree.children_left,
            tree.children_right,
            tree.feature,
            tree.threshold,
            tree.missing_go_to_left.astype(np.bool_),
            tree.value[:, 0, :],
        )
        for tree in trees
    ]
    start = np.zeros(grown[0].values.shape[1])
    return laid_out(grown, width, single=True, start=start, divisor=len(trees), finish="number")


def _binned_boosting(model: Any, width: int) -> Trees:
    grown = []
    for each in (tree for step in model._predictors for tree in step):
        nodes = each.nodes
        if nodes["is_categorical"].any():
            raise NotCovered("splits by categories")
        leaf = nodes["is_leaf"].astype(np.bool_)
        grown.append(
            Grown(
                np.where(leaf, -1, nodes["left"].astype(np.int64)),
                np.where(leaf, -1, nodes["right"].astype(np.int64)),
                nodes["feature_idx"],
                nodes["num_threshold"],
                nodes["missing_go_to_left"].astype(np.bool_),
                nodes["value"][:, np.newaxis],
            )
        )
    start = model._baseline_prediction.reshape(-1).astype(np.float64)
    return laid_out(
        grown, width, single=False, start=start, divisor=1, finish=_finish(model, len(start))
    )


def _xgboost(model: Any, width: int) -> Trees:
    learner = msgspec.json.decode(bytes(model.booster_.save_raw("json")))["learner"]
    stored = learner["gradient_booster"]["model"]
    outputs = max(1, int(learner["learner_model_param"]["num_class"]))
    in_turn = [place % outputs for place in range(len(stored["trees"]))]
    if stored["tree_info"] != in_turn:
        raise NotCovered("trees that do not take turns with the classes")
    grown = []
    for tree in stored["trees"]:
        if any(tree["split_type"]):
            raise NotCovered("splits by categories")
        conditions = np.array(tree["split_conditions"], np.float32)
        grown.append(
            Grown(
                np.array(tree["left_children"]),
                np.array(tree["right_children"]),
                np.array(tree["split_indices"]),
                # Ours go left at equality, and XGBoost's do not.
                np.nextafter(conditions, np.float32(-np.inf)),
                np.array(tree["default_left"], np.bool_),
                conditions[:, np.newaxis],
            )
        )
    return laid_out(
        grown,
        width,
        single=True,
        start=_margin_without_trees(model, outputs),
        divisor=1,
        finish=_finish(model, outputs),
    )


def _margin_without_trees(model: Any, outputs: int) -> Any:
    """What XGBoost adds leaves to, shape (outputs,); it is asked, for its logarithm is its own."""
    import xgboost

    content = msgspec.json.decode(bytes(model.booster_.save_raw("json")))
    for tree in content["learner"]["gradient_booster"]["model"]["trees"]:
        leaves = [left < 0 for left in tree["left_children"]]
        conditions = zip(tree["split_conditions"], leaves, strict=True)
        tree["split_conditions"] = [0.0 if leaf else value for value, leaf in conditions]
    empty = xgboost.Booster({"nthread": 1}, model_file=bytearray(msgspec.json.encode(content)))
    row = np.zeros((1, model.n_features_in_))
    return np.asarray(empty.inplace_predict(row, predict_type="margin")).reshape(outputs)


def _finish(model: Any, outputs: int) -> Finish:
    if not hasattr(model, "classes_"):
        return "number"
    return "softmax" if outputs > 1 else "logistic"
