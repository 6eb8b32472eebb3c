"""Every candidate of the schema exists, is tuned around its defaults, and repeats itself."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import optuna
import pytest
from numpy.typing import NDArray
from sklearn.base import clone

from leeway.spec import CANDIDATES
from leeway.training.candidates import (
    DEFAULTS,
    MANY_ROWS,
    default_estimator,
    suggest_parameters,
    tuned_defaults,
)

EVERY = [
    *(("classification", name) for name in CANDIDATES["classification"]),
    *(("regression", name) for name in CANDIDATES["regression"]),
]
NAMES = sorted(DEFAULTS)


def data(task: str, rows: int = 150) -> tuple[NDArray[np.float64], NDArray[Any]]:
    random = np.random.default_rng(7)
    values = random.normal(size=(rows, 4))
    signal = values[:, 0] + 2 * values[:, 1]
    if task == "regression":
        return values, 1000 * signal + random.normal(size=rows)
    return values, np.array(["b", "a", "c"], dtype=object)[np.digitize(signal, [-1, 1])]


@pytest.mark.parametrize(("task", "name"), EVERY)
def test_a_candidate_learns_a_plain_signal(task: str, name: str) -> None:
    values, target = data(task)
    model = default_estimator(name, task, 3).fit(values, target)
    assert model.score(values, target) > 0.8
    if task == "classification":
        assert model.classes_.tolist() == ["a", "b", "c"]
        assert model.predict_proba(values).shape == (150, 3)
        np.testing.assert_allclose(model.predict_proba(values).sum(axis=1), 1)
        assert set(model.predict(values)) <= {"a", "b", "c"}


@pytest.mark.parametrize(("task", "name"), EVERY)
def test_the_same_seed_gives_the_same_bits(task: str, name: str) -> None:
    values, target = data(task)
    model = default_estimator(name, task, 3)
    once, twice = (clone(model).fit(values, target) for _ in range(2))
    assert np.array_equal(once.predict(values), twice.predict(values))
    assert model.get_params().get("random_state") == 3
    assert model.get_params().get("n_jobs") in (None, 1)


@pytest.mark.parametrize(("task", "name"), EVERY)
def test_every_suggestion_is_a_parameter_that_fits(task: str, name: str) -> None:
    values, target = data(task)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    for _ in range(3):
        parameters = suggest_parameters(name, study.ask())
        default_estimator(name, task, 3).set_params(**parameters).fit(values, target)


@pytest.mark.parametrize("name", NAMES)
def test_the_defaults_are_a_point_of_the_search_space(name: str) -> None:
    study = optuna.create_study()
    study.enqueue_trial(tuned_defaults(name))
    trial = study.ask()
    assert suggest_parameters(name, trial) == tuned_defaults(name)
    for parameter, distribution in trial.distributions.items():
        value = distribution.to_internal_repr(DEFAULTS[name][parameter])
        assert distribution._contains(value)


def test_a_candidate_of_the_other_task_is_refused_with_those_that_exist() -> None:
    with pytest.raises(ValueError, match=r"classification has no candidate 'ridge' \(known: log"):
        default_estimator("ridge", "classification", 0)


def test_the_lasso_does_not_depend_on_the_unit_of_the_target() -> None:
    values, target = data("regression")
    kilo = default_estimator("lasso", "regression", 0).fit(values, target / 1000)
    one = default_estimator("lasso", "regression", 0).fit(values, target)
    np.testing.assert_allclose(kilo.predict(values) * 1000, one.predict(values))
    assert (one.coef_ == 0).sum() == (kilo.coef_ == 0).sum() > 0


def test_xgboost_with_two_classes_predicts_the_likelier_label() -> None:
    values, target = data("classification")
    two = np.where(target == "c", "yes", "no").astype(object)
    model = default_estimator("xgboost", "classification", 0).fit(values, two)
    likelier = model.classes_[model.predict_proba(values).argmax(axis=1)]
    assert np.array_equal(model.predict(values), likelier)
    assert model.decision_function(values).shape == (150,)
    assert (model.predict(values) == two).mean() > 0.95


def test_xgboost_refuses_a_single_class() -> None:
    values, target = data("classification")
    with pytest.raises(ValueError, match="at least two classes"):
        default_estimator("xgboost", "classification", 0).fit(values, np.full_like(target, "a"))


@pytest.mark.parametrize("share", [0.5, 0.02])
def test_the_penalties_of_xgboost_are_of_as_many_rows_whatever_the_share_of_positives(
    share: float,
) -> None:
    """Regression: of 3 % positive rows, a leaf needed hundreds, and no tree found them."""
    target = np.arange(1000) < 1000 * share
    values = np.random.default_rng(3).normal(size=(1000, 2)) + 2 * target[:, np.newaxis]
    model = default_estimator("xgboost", "classification", 0, MANY_ROWS).fit(values, target)
    weight = share * (1 - share) / 0.25
    config = json.loads(model.booster_.save_config())["learner"]
    trained = config["gradient_booster"]["tree_train_param"]
    assert float(trained["min_child_weight"]) == pytest.approx(weight * model.min_child_weight)
    assert float(trained["reg_lambda"]) == pytest.approx(weight * model.reg_lambda)
    first = model.booster_.inplace_predict(values, iteration_range=(0, 1))
    assert first.mean() == pytest.approx(share, rel=0.2)


def test_trees_of_xgboost_have_at_most_the_leaves_that_are_asked_for() -> None:
    values, target = data("regression", 500)
    model = default_estimator("xgboost", "regression", 0).set_params(max_leaves=6, max_depth=12)
    trees = model.fit(values, target).booster_.trees_to_dataframe()
    leaves = (trees["Feature"] == "Leaf").groupby(trees["Tree"]).sum()
    assert leaves.max() == 6
