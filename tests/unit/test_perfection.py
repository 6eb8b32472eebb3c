"""Bounds of classifiers that made no error."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import f1_score

from leeway.metrics.evaluation import classification_metrics
from leeway.metrics.perfection import lower_bounds


def test_the_bound_of_accuracy_is_that_of_clopper_and_pearson() -> None:
    expected = binomtest(63, 63).proportion_ci(0.95, method="exact").low
    assert lower_bounds([25, 15, 23], 0.95)["accuracy"] == pytest.approx(expected)


def test_the_bound_of_macro_f1_is_what_scikit_learn_says_of_its_worst_case() -> None:
    bound = lower_bounds([200, 40], 0.95)["macro_f1"]
    lost = round(40 * (1 - 0.025 ** (1 / 40)) * 1000)
    truth = np.repeat([0, 1], [200_000, 40_000])
    predicted = truth.copy()
    predicted[-lost:] = 0
    assert bound == pytest.approx(f1_score(truth, predicted, average="macro"), abs=1e-4)


def test_a_perfect_classifier_has_an_interval_with_a_width_that_shrinks_with_rows() -> None:
    lows = []
    for rows in (30, 300):
        truth = np.array(["a", "b", "c"] * (rows // 3), dtype=object)
        probabilities = np.eye(3)[np.searchsorted(["a", "b", "c"], truth.astype(str))]
        found = classification_metrics(truth, probabilities, ["a", "b", "c"])
        for name in ("accuracy", "balanced_accuracy", "macro_f1", "roc_auc", "pr_auc"):
            metric = found[name]
            assert metric.value == metric.high == 1
            assert metric.low is not None
            assert metric.low < 1
        lows.append(found["macro_f1"].low or 0.0)
    assert 0 < lows[0] < lows[1]


def test_one_true_error_rate_is_covered_as_often_as_promised() -> None:
    rng = np.random.default_rng(0)
    recall, rows, trials = 0.95, 40, 4000
    bound = lower_bounds([rows, rows], 0.95)["accuracy"]
    perfect = (rng.random((trials, 2 * rows)) < recall).all(axis=1).mean()
    assert bound <= recall or perfect <= 0.025
