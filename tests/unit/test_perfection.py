"""Bounds of classifiers that made no error, or nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binomtest
from sklearn.metrics import f1_score

from leeway.metrics.evaluation import classification_metrics
from leeway.metrics.perfection import TAIL, lower_bounds, upper_bounds
from leeway.performance import broken_gates
from leeway.spec import Gate

Floats = NDArray[np.float64]
COUNTS = [(10, 10), (8, 60), (60, 8), (12, 12, 12), (5, 20, 70), (4, 5, 6, 40)]
TRIALS = 20_000


def planted(counts: Sequence[int], classifiers: int) -> Iterator[tuple[Floats, Floats]]:
    """Classifiers by their recalls, and the share of all rows that each class takes wrongly.

    Each is perfect on `counts` rows with a probability between 0.3 % and 60 %; the errors lie on
    few classes or on many, and where they go is drawn, too.
    """
    rng = np.random.default_rng(sum(counts))
    rows = np.array(counts, np.float64)
    shares = rows / rows.sum()
    for number in range(classifiers):
        weights = [np.ones(len(rows)), rows, 1 / rows, rng.dirichlet(np.full(len(rows), 0.3))]
        spread = weights[min(number % 8, 3)]
        recalls = np.exp(-rng.uniform(0.5, 6) * spread / spread.sum() / rows)
        lost = shares * (1 - recalls)
        routes = rng.dirichlet(np.full(len(rows), rng.choice([0.05, 1, 100])), len(rows))
        np.fill_diagonal(routes, 0)
        totals = routes.sum(axis=1, keepdims=True)
        routes = np.where(totals > 0, routes / np.where(totals > 0, totals, 1), 0)
        if (totals > 0).all():
            yield recalls, lost @ routes


def true_metrics(counts: Sequence[int], recalls: Floats, taken: Floats) -> dict[str, float]:
    """The metrics of a planted classifier on endlessly many rows in the shares of `counts`.

    Its row of a class ranks above all rows of others, or below them when it is an error.
    """
    shares = np.array(counts) / sum(counts)
    hits = shares * recalls
    # Two classes share their ranking, so that an error of either one puts a pair out of order.
    areas = recalls if len(counts) > 2 else np.prod(recalls)
    return {
        "accuracy": float(hits.sum()),
        "balanced_accuracy": float(recalls.mean()),
        "macro_f1": float(np.mean(2 * hits / (hits + shares + taken))),
        "roc_auc": float(np.mean(areas)),
    }


def worst_overclaims(counts: Sequence[int], bounds: dict[str, float]) -> dict[str, float]:
    """By metric, how often a planted classifier is perfect whose metric is below its bound."""
    rng = np.random.default_rng(7)
    worst = dict.fromkeys(bounds, 0.0)
    for recalls, taken in planted(counts, 160):
        right = rng.binomial(counts, recalls, (TRIALS, len(counts)))
        perfect = float((right == counts).all(axis=1).mean())
        for name, value in true_metrics(counts, recalls, taken).items():
            if value < bounds[name]:
                worst[name] = max(worst[name], perfect)
    return worst


@pytest.mark.parametrize("counts", COUNTS)
def test_a_perfect_score_claims_too_much_at_most_25_times_in_1000(counts: tuple[int, ...]) -> None:
    for name, share in worst_overclaims(counts, lower_bounds(counts)).items():
        assert share <= 0.029, name


@pytest.mark.parametrize("name", ["accuracy", "balanced_accuracy", "macro_f1", "roc_auc"])
@pytest.mark.parametrize("counts", [(10, 10), (5, 20, 70)])
def test_a_bound_that_is_too_high_is_noticed(name: str, counts: tuple[int, ...]) -> None:
    """The twin of the test above: it can fail."""
    assert worst_overclaims(counts, lower_bounds(counts) | {name: 0.9999})[name] > 0.1


def smallest_found(counts: Sequence[int], draws: int) -> tuple[float, float]:
    """The smallest balanced accuracy and macro F1 of random classifiers at the region's edge."""
    rng = np.random.default_rng(1)
    rows = np.array(counts, np.float64)
    k = len(rows)
    spread = np.concatenate([rng.dirichlet(np.full(k, c), draws) for c in (0.1, 0.5, 1, 3)])
    recalls = np.exp(np.log(TAIL) * spread / rows)
    lost = rows * (1 - recalls)
    errors = lost.sum(axis=1, keepdims=True)
    taken = errors * rng.dirichlet(np.full(k, 1.0), len(spread))
    taken[::4] = (errors[::4] - lost[::4]) / (k - 1)
    possible = (taken + lost <= errors * (1 + 1e-9)).all(axis=1)
    if k == 2:  # errors of one class can only go to the other
        taken, possible = errors - lost, np.full(len(spread), True)
    f1 = 2 * rows * recalls / (rows * (1 + recalls) + taken)
    return float(recalls.mean(axis=1).min()), float(f1.mean(axis=1)[possible].min())


@pytest.mark.parametrize("counts", [*COUNTS, (25, 15, 23), (1, 30), (2, 2), (10**5, 100, 10)])
def test_no_random_classifier_of_the_region_is_below_the_bound_and_some_are_close(
    counts: tuple[int, ...],
) -> None:
    bounds = lower_bounds(counts)
    balanced, macro_f1 = smallest_found(counts, 20_000)
    assert -1e-9 <= balanced - bounds["balanced_accuracy"] < 0.01
    assert -1e-7 <= macro_f1 - bounds["macro_f1"] < 0.02


def test_the_bound_of_accuracy_is_that_of_clopper_and_pearson() -> None:
    expected = binomtest(63, 63).proportion_ci(0.95, method="exact").low
    assert lower_bounds([25, 15, 23])["accuracy"] == pytest.approx(expected)


def test_recalls_may_be_lower_where_rows_are_few_but_none_is_above_1() -> None:
    assert lower_bounds([10, 10])["balanced_accuracy"] == pytest.approx(TAIL ** (1 / 20))
    alone = (TAIL ** (1 / 5) + 1) / 2
    assert lower_bounds([5, 100])["balanced_accuracy"] == pytest.approx(alone)


def test_the_bound_of_a_roc_area_is_that_of_the_smaller_side() -> None:
    assert lower_bounds([40, 200])["roc_auc"] == pytest.approx(TAIL ** (1 / 40))
    three = [TAIL ** (1 / n) for n in (10, 20, 30)]
    assert lower_bounds([10, 20, 50])["roc_auc"] == pytest.approx(np.mean(three))


def test_the_bound_of_macro_f1_of_equal_classes_is_what_scikit_learn_says_of_its_worst_case() -> (
    None
):
    lost = round((1 - TAIL ** (1 / 80)) * 100_000)
    truth = np.repeat([0, 1], 100_000)
    predicted = truth.copy()
    predicted[:lost], predicted[-lost:] = 1, 0
    expected = f1_score(truth, predicted, average="macro")
    assert lower_bounds([40, 40])["macro_f1"] == pytest.approx(expected, abs=1e-4)


def test_a_perfect_classifier_has_an_interval_with_a_width_that_shrinks_with_rows() -> None:
    lows = []
    for rows in (9, 30, 300):
        truth = np.array(["a", "b", "c"] * (rows // 3), dtype=object)
        probabilities = np.eye(3)[np.searchsorted(["a", "b", "c"], truth.astype(str))]
        found = classification_metrics(truth, probabilities, ["a", "b", "c"])
        for name in ("accuracy", "balanced_accuracy", "macro_f1", "roc_auc"):
            metric = found[name]
            assert metric.value == metric.high == 1
            assert metric.low is not None
            assert metric.low < 1
        assert (found["pr_auc"].low, found["pr_auc"].high) == (None, None)
        lows.append(found["macro_f1"].low or 0.0)
    assert 0 < lows[0] < lows[1] < lows[2]


def test_accuracy_has_its_bound_also_when_a_class_has_no_row() -> None:
    """Regression: such rows claimed an accuracy of exactly 1."""
    found = classification_metrics(np.array(["a"] * 20), np.eye(2)[[0] * 20], ["a", "b"])
    assert found["accuracy"].low == pytest.approx(TAIL ** (1 / 20))
    assert found["accuracy"].high == 1
    assert lower_bounds([20]) == lower_bounds([20, 0]) == {"accuracy": found["accuracy"].low}
    assert lower_bounds([0, 0]) == {}


@pytest.mark.parametrize("rows", [1, 12, 119])
def test_no_hit_rules_out_what_would_have_hit_with_a_probability_of_975_in_1000(rows: int) -> None:
    bound = upper_bounds([rows])["accuracy"]
    assert (1 - bound) ** rows == pytest.approx(TAIL)


def test_a_model_that_is_wrong_on_every_row_is_proven_to_break_its_gate() -> None:
    """Regression: a metric of exactly 0 had no interval, so that nothing was ever proven of it."""
    classes = ["a", "b", "c"]
    predicted = np.array(classes * 40, dtype=object)
    truth = np.roll(predicted, 1)
    metrics = classification_metrics(truth, np.full((120, 3), 1 / 3), classes, predicted=predicted)
    for name in ("accuracy", "balanced_accuracy", "macro_f1"):
        found = metrics[name]
        assert found.high is not None, name
        assert (found.value, found.low) == (0, 0)
        assert 0 < found.high < 0.2
    gate = Gate(metric="macro_f1", at_least=0.9)
    assert broken_gates([gate], metrics) != []
    few = classification_metrics(
        truth[:3], np.full((3, 3), 1 / 3), classes, predicted=predicted[:3]
    )
    assert broken_gates([gate], few) == [], "of three rows nothing is proven"
