"""Metrics agree with scikit-learn, and say so when they are undefined."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics as sk

from leeway.metrics.bootstrap import bootstrap_weights
from leeway.metrics.evaluation import (
    classification_metrics,
    confusion_matrix,
    regression_metrics,
    row_losses,
)
from leeway.metrics.inputs import with_unseen
from leeway.spec import METRIC_RANGES, unit_of

CLASSES = ("a", "b", "c")


def sample(seed: int, rows: int, k: int = 3) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Labels of every class, and probabilities with ties that lean towards the truth."""
    rng = np.random.default_rng(seed)
    codes = np.r_[np.arange(k), rng.integers(0, k, rows - k)]
    raw = rng.integers(1, 5, (rows, k)) + 2.0 * np.eye(k)[codes]
    return np.array(CLASSES[:k])[codes], raw / raw.sum(axis=1, keepdims=True)


def skl(truth: NDArray[Any], p: NDArray[np.float64], k: int = 3) -> dict[str, float]:
    classes = np.array(CLASSES[:k])
    predicted = classes[p.argmax(axis=1)]
    one_hot = truth[:, None] == classes[None, :]
    pairs = [(one_hot[:, c], p[:, c]) for c in range(k)]
    return {
        "accuracy": sk.accuracy_score(truth, predicted),
        "balanced_accuracy": sk.balanced_accuracy_score(truth, predicted),
        "macro_f1": sk.f1_score(truth, predicted, average="macro"),
        "log_loss_nats": sk.log_loss(truth, p, labels=classes),
        "roc_auc": np.mean([sk.roc_auc_score(y, s) for y, s in pairs]),
        "pr_auc": np.mean([sk.average_precision_score(y, s) for y, s in pairs]),
        "brier_score": ((p - one_hot) ** 2).sum(axis=1).mean(),
    }


@settings(max_examples=40, derandomize=True, deadline=None)
@given(seed=st.integers(0, 10**6), rows=st.integers(6, 80), k=st.sampled_from([2, 3]))
def test_classification_metrics_equal_those_of_scikit_learn(seed: int, rows: int, k: int) -> None:
    truth, p = sample(seed, rows, k)
    found = classification_metrics(truth, p, CLASSES[:k], resamples=5)
    assert {name: metric.value for name, metric in found.items()} == pytest.approx(skl(truth, p, k))


@settings(max_examples=40, derandomize=True, deadline=None)
@given(seed=st.integers(0, 10**6), rows=st.integers(3, 80))
def test_regression_metrics_equal_those_of_scikit_learn(seed: int, rows: int) -> None:
    rng = np.random.default_rng(seed)
    truth, predicted = rng.normal(5, 2, rows), rng.normal(5, 2, rows)
    found = regression_metrics(truth, predicted, unit="USD", resamples=5)
    percent = 100 * np.abs(truth - predicted) / np.abs(truth)
    expected = {
        "mae": sk.mean_absolute_error(truth, predicted),
        "rmse": sk.root_mean_squared_error(truth, predicted),
        "r2": sk.r2_score(truth, predicted),
        "mape_percent": 100 * sk.mean_absolute_percentage_error(truth, predicted),
        "median_ape_percent": np.median(percent),
        "smape_percent": np.mean(200 * abs(truth - predicted) / (abs(truth) + abs(predicted))),
        "wmape_percent": 100 * sum(abs(truth - predicted)) / sum(abs(truth)),
        **{f"fraction_within_{near}_percent": np.mean(percent <= near) for near in (5, 10, 15)},
    }
    assert {name: metric.value for name, metric in found.items()} == pytest.approx(expected)
    assert (found["mae"].unit, found["r2"].unit) == ("USD", "score")


def test_the_interval_of_the_metrics_is_the_bootstrap_of_the_rows_themselves() -> None:
    truth, p = sample(3, 70)
    found = classification_metrics(truth, p, CLASSES, resamples=60, seed=5)
    rng = np.random.default_rng(5)
    drawn = []
    for _ in range(60):
        rows = rng.integers(0, 70, 70)
        drawn.append(skl(truth[rows], p[rows]))
    for name, metric in found.items():
        expected = np.quantile([one[name] for one in drawn], [0.025, 0.975])
        assert (metric.low, metric.high) == pytest.approx(tuple(expected)), name


def test_the_interval_of_the_median_is_the_bootstrap_of_the_rows_themselves() -> None:
    rng = np.random.default_rng(0)
    truth, predicted = rng.uniform(1, 9, 40), rng.uniform(1, 9, 40)
    found = regression_metrics(truth, predicted, unit="m", resamples=200, seed=5)
    percent = 100 * np.abs(truth - predicted) / truth
    rng = np.random.default_rng(5)
    medians = [np.median(percent[rng.integers(0, 40, 40)]) for _ in range(200)]
    metric = found["median_ape_percent"]
    assert (metric.low, metric.high) == pytest.approx(tuple(np.quantile(medians, [0.025, 0.975])))


def test_a_95_percent_interval_of_accuracy_covers_the_truth_about_95_times_in_100() -> None:
    rng = np.random.default_rng(1)
    covered = 0
    for seed in range(100):
        hit = rng.random(150) < 0.8
        truth = np.where(hit, "a", "b")
        p = np.tile([0.9, 0.1], (150, 1))
        metric = classification_metrics(truth, p, ["a", "b"], resamples=100, seed=seed)["accuracy"]
        assert metric.low is not None
        assert metric.high is not None
        covered += metric.low <= 0.8 <= metric.high
    assert 0.88 <= covered / 100 <= 0.99


def test_intervals_are_the_same_for_the_same_seed() -> None:
    truth, p = sample(0, 60)
    assert classification_metrics(truth, p, CLASSES) == classification_metrics(truth, p, CLASSES)
    other = classification_metrics(truth, p, CLASSES, seed=1)
    assert other != classification_metrics(truth, p, CLASSES)


def test_a_class_without_rows_makes_class_means_undefined_and_leaves_the_others() -> None:
    truth, p = sample(0, 30)
    truth[truth == "c"] = "a"
    found = classification_metrics(truth, p, CLASSES, resamples=20)
    for name in ("balanced_accuracy", "macro_f1", "roc_auc", "pr_auc"):
        metric = found[name]
        assert (metric.value, metric.low, metric.high) == (None, None, None)
        assert metric.reason == "no row of class 'c' among 30 rows"
        assert metric.as_dict()["reason"] == metric.reason
    assert found["accuracy"].value is not None
    assert "reason" not in found["accuracy"].as_dict()


def test_one_class_alone_has_no_ranking() -> None:
    found = classification_metrics(np.array(["a"] * 5), np.ones((5, 1)), ["a"], resamples=5)
    assert found["roc_auc"].reason == "there is only one class"
    assert found["accuracy"].value == 1.0


def test_no_rows_make_every_metric_undefined() -> None:
    found = classification_metrics(np.array([], dtype=str), np.empty((0, 3)), CLASSES)
    assert set(found) == set(METRIC_RANGES["classification"])
    errors = regression_metrics(np.array([]), np.array([]), unit="m")
    assert set(errors) == set(METRIC_RANGES["regression"])
    for metric in [*found.values(), *errors.values()]:
        assert metric.value is None
        assert metric.reason == "there are no rows"


def test_a_rare_class_never_brings_nan_into_an_interval() -> None:
    truth, p = sample(0, 40)
    truth[truth == "c"] = "a"
    truth[7] = "c"
    for metric in classification_metrics(truth, p, CLASSES, resamples=100).values():
        assert metric.value is not None
        assert metric.low is not None
        assert metric.high is not None
        assert np.isfinite([metric.value, metric.low, metric.high]).all()


def test_resamples_without_a_class_are_left_out_of_the_interval_of_macro_f1() -> None:
    truth = np.array(["b"] * 2 + ["a"] * 18)
    predicted = np.array(["b"] * 4 + ["a"] * 16)
    p = np.where((predicted == "a")[:, None], [0.9, 0.1], [0.1, 0.9])
    found = classification_metrics(truth, p, ["a", "b"], resamples=100, seed=2)["macro_f1"]
    rng = np.random.default_rng(2)
    draws = [rng.integers(0, 20, 20) for _ in range(100)]
    scores = [
        sk.f1_score(truth[rows], predicted[rows], average="macro")
        for rows in draws
        if "b" in truth[rows]
    ]
    assert len(scores) < 100
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(scores, [0.025, 0.975])))


def test_a_true_zero_and_a_constant_target_are_named_as_reasons() -> None:
    zero = regression_metrics(np.array([0.0, 1, 2]), np.ones(3), unit="m", resamples=5)
    assert zero["mape_percent"].value is None
    assert "0" in (zero["mape_percent"].reason or "")
    flat = regression_metrics(np.full(4, 3.0), np.array([0.0, 1, 2, 3]), unit="m", resamples=5)
    assert flat["r2"].value is None
    assert "equal" in (flat["r2"].reason or "")
    assert flat["mae"].value == pytest.approx(1.5)


def test_a_target_too_close_for_floating_point_is_undefined_and_not_nan() -> None:
    truth = np.array([1e-200, 2e-200, 3e-200])
    found = regression_metrics(truth, np.zeros(3), unit="m", resamples=5)["r2"]
    assert found.value is None
    assert "floating point" in (found.reason or "")


@pytest.mark.parametrize(
    ("truth", "p", "message"),
    [
        (["z"], [[0.5, 0.5]], "label 'z'"),
        (["a"], [[0.5, 0.3, 0.2]], "shape"),
        (["a"], [[np.nan, 0.5]], "missing or outside"),
        (["a"], [[0.2, 0.2]], "sum to 1"),
    ],
)
def test_unusable_predictions_are_refused_by_name(
    truth: list[str], p: list[list[float]], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        classification_metrics(np.array(truth), np.array(p), ["a", "b"])


def test_a_label_that_the_model_does_not_know_is_a_class_of_probability_zero() -> None:
    truth = np.array(["a", "z", "b", "y", "a"], dtype=object)
    p = np.array([[0.9, 0.1]] * 5)
    wider, classes = with_unseen(p, ["a", "b"], truth)
    assert classes == ["a", "b", "y", "z"]
    assert wider.tolist() == [[0.9, 0.1, 0, 0]] * 5
    losses = row_losses("classification", truth, wider, classes)
    assert losses[[1, 3]] == pytest.approx(-np.log(np.finfo(float).eps))
    assert classification_metrics(truth, wider, classes)["accuracy"].value == 0.4


def test_known_labels_leave_probabilities_and_classes_as_they_are() -> None:
    truth, p = sample(0, 12)
    same, classes = with_unseen(p, CLASSES, truth)
    assert classes == list(CLASSES)
    assert np.array_equal(same, p)


def test_infinite_or_unequal_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="infinite"):
        regression_metrics(np.array([1.0]), np.array([np.inf]), unit="m")
    with pytest.raises(ValueError, match="truth has shape"):
        regression_metrics(np.ones(2), np.ones(3), unit="m")


def test_the_confusion_matrix_equals_that_of_scikit_learn() -> None:
    truth, p = sample(4, 50)
    predicted = np.array(CLASSES)[p.argmax(axis=1)]
    found = confusion_matrix(truth, predicted, CLASSES)
    assert found == sk.confusion_matrix(truth, predicted, labels=CLASSES).tolist()
    with pytest.raises(ValueError, match="50 true labels but 49"):
        confusion_matrix(truth, predicted[1:], CLASSES)


def test_the_mean_of_the_row_losses_is_the_metric() -> None:
    truth, p = sample(4, 50)
    p[0] = np.where(np.array(CLASSES) == truth[0], 0.0, 0.5)
    losses = row_losses("classification", truth, p, CLASSES)
    assert losses.max() == pytest.approx(-np.log(np.finfo(float).eps))
    assert losses.mean() == pytest.approx(sk.log_loss(truth, p, labels=CLASSES))
    assert row_losses("regression", np.array([1.0, 5]), np.array([3.0, 4])).tolist() == [2, 1]


def test_every_metric_has_a_unit() -> None:
    assert unit_of("rmse", "USD") == "USD"
    assert unit_of("macro_f1") == "fraction"
    assert unit_of("log_loss_nats") == "nats"
    assert unit_of("brier_score") == "score"
    with pytest.raises(KeyError):
        unit_of("nonsense")
    for names in METRIC_RANGES.values():
        for name in names:
            if name.startswith("fraction_"):
                assert unit_of(name) == "fraction"
            else:
                assert (unit_of(name) == "percent") == name.endswith("_percent")


def test_a_metric_is_computed_in_the_unit_that_its_name_promises() -> None:
    truth = np.linspace(100, 200, 20)
    found = regression_metrics(truth, truth * 1.082, unit="USD", resamples=2)
    assert {name: metric.unit for name, metric in found.items()} == {
        name: unit_of(name, "USD") for name in METRIC_RANGES["regression"]
    }
    assert found["mape_percent"].value == pytest.approx(8.2), "per cent, and no fraction"


def test_many_rows_are_resampled_less_often() -> None:
    assert sum(1 for _ in bootstrap_weights(70, 500, seed=0)) == 500
    assert sum(1 for _ in bootstrap_weights(100_000, 500, seed=0)) == 100


def test_fewer_than_10_rows_have_metrics_without_an_interval() -> None:
    """Regression: a bootstrap of one row said that the metric was known exactly."""
    for rows, known in ((9, False), (10, True)):
        truth, p = sample(0, rows)
        loss = classification_metrics(truth, p, CLASSES)["log_loss_nats"]
        numbers = np.linspace(1, 5, rows)
        error = regression_metrics(numbers, numbers**1.5, unit="m")["mae"]
        for metric in (loss, error):
            assert metric.value is not None
            assert (metric.low is not None, metric.high is not None) == (known, known)


def test_rows_that_are_all_alike_have_no_interval_because_they_show_no_spread() -> None:
    truth = np.array(["a", "b"] * 20)
    wrong = classification_metrics(truth, np.eye(2)[[1, 0] * 20], ["a", "b"])
    right = classification_metrics(truth, np.eye(2)[[0, 1] * 20], ["a", "b"])
    numbers = np.linspace(1, 5, 40)
    shifted = regression_metrics(numbers, numbers + 0.1, unit="m")
    for metric in (wrong["log_loss_nats"], right["pr_auc"], shifted["mae"]):
        assert metric.value is not None
        assert (metric.low, metric.high) == (None, None)
