"""Areas under the ROC curve are scikit-learn's, and their intervals hold the true ones."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from leeway.metrics.auc import Placements, mean_auc, mean_auc_change, placements


def fold(rng: np.random.Generator, rows: int, distance: float) -> tuple[Placements, float]:
    """Placements of normal scores whose classes are `distance` apart, with ties, and the area."""
    positive = np.arange(rows) < rows // 3
    scores = np.asarray(np.round(rng.normal(size=rows) + distance * positive, 1), np.float64)
    return placements(scores, positive), float(roc_auc_score(positive, scores))


def test_the_mean_of_either_placement_is_the_area_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    found, area = fold(rng, 90, 0.7)
    assert found.positive.mean() == pytest.approx(area, abs=1e-12)
    assert found.negative.mean() == pytest.approx(area, abs=1e-12)
    other, second = fold(rng, 60, 0.7)
    assert mean_auc([found, other], 0.05).value == pytest.approx((area + second) / 2, abs=1e-12)


def test_an_interval_of_one_fold_holds_the_true_area_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    true = NormalDist().cdf(0.7 / np.sqrt(2))
    held = 0
    for _ in range(1500):
        found = mean_auc([fold(rng, 150, 0.7)[0]], 0.1)
        held += found.low <= true <= found.high
    assert 0.88 * 1500 <= held <= 0.92 * 1500


def test_folds_stray_together_so_that_their_interval_is_half_as_wide_again() -> None:
    one = fold(np.random.default_rng(0), 90, 0.7)[0]
    alone, five = mean_auc([one], 0.05), mean_auc([one] * 5, 0.05)
    ratio = (five.high - five.low) / (alone.high - alone.low)
    assert ratio == pytest.approx(1.5 / np.sqrt(5))


def test_scores_that_tell_every_row_have_a_bound_below_1() -> None:
    perfect = placements(np.arange(30, dtype=np.float64), np.arange(30) >= 10)
    found = mean_auc([perfect, perfect], 0.05)
    assert (found.value, found.high) == (1, 1)
    assert found.low == pytest.approx(0.025 ** (1 / 20)), "10 pairs in each fold share no row"


def test_a_change_of_the_area_is_judged_row_by_row() -> None:
    rng = np.random.default_rng(0)
    before, after = fold(rng, 300, 0.9)[0], fold(rng, 300, 0.9)[0]
    same = mean_auc_change([before], [before], 0.05)
    assert (same.value, same.low, same.high) == (0, 0, 0)
    changed = mean_auc_change([before], [after], 0.05)
    assert changed.low < changed.value < changed.high
    assert changed.value == pytest.approx(before.positive.mean() - after.positive.mean())


def test_what_has_no_area_is_refused() -> None:
    with pytest.raises(ValueError, match="both classes need a row"):
        placements(np.arange(3, dtype=np.float64), np.ones(3, np.bool_))
    with pytest.raises(ValueError, match="no fold"):
        mean_auc([], 0.05)
