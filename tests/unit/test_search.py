"""Candidates are judged on rows they have not seen, and the cheapest of the best is taken."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from sklearn.metrics import f1_score, mean_absolute_error

from leeway.spec import CANDIDATES, METRIC_RANGES
from leeway.training import search
from leeway.training.folds import cross_validation_folds, out_of_fold
from leeway.training.scoring import paired_gain
from leeway.training.search import (
    CHEAPEST_FIRST,
    CandidateScore,
    NoCandidate,
    TooFewRows,
    best_candidate,
    compare_candidates,
    fit_final,
    tune,
)
from tests.unit.measured_penguins import FRAME, PENGUINS, TARGET, mass, penguins


def test_a_score_is_the_metric_on_the_judged_folds_and_their_mean() -> None:
    use_case = penguins()
    (score,) = compare_candidates(FRAME, TARGET, use_case)
    by_hand = []
    for fit, judged in cross_validation_folds(TARGET, use_case):
        pipeline = fit_final(FRAME.iloc[fit], TARGET[fit], use_case, "decision_tree", {})
        predicted = pipeline.predict(FRAME.iloc[judged])
        by_hand.append(f1_score(TARGET[judged], predicted, average="macro"))
    assert score.folds == pytest.approx(by_hand)
    assert score.mean == pytest.approx(np.mean(by_hand))
    assert score.std == pytest.approx(np.std(by_hand, ddof=1))


def test_a_model_without_anything_to_learn_scores_by_chance_and_overfits() -> None:
    noise = np.random.default_rng(0).permutation(TARGET)
    (score,) = compare_candidates(FRAME, noise, penguins(candidates=("random_forest",)))
    assert score.mean is not None
    assert score.mean < 0.5
    assert score.train_mean is not None
    assert score.train_mean > 0.9


def test_no_row_is_fitted_and_judged_in_one_fold_and_each_is_judged_once() -> None:
    folds = cross_validation_folds(TARGET, penguins())
    assert all(set(fit).isdisjoint(judged) for fit, judged in folds)
    judged = np.concatenate([judge for _, judge in folds])
    assert sorted(judged) == list(range(342))
    shares = [np.mean(TARGET[judge] == "Chinstrap") for _, judge in folds]
    assert max(shares) - min(shares) < 0.02


@pytest.mark.parametrize("metric", METRIC_RANGES["classification"])
def test_every_classification_metric_gives_a_number_in_its_range(metric: str) -> None:
    (score,) = compare_candidates(FRAME, TARGET, penguins(metric=metric))
    low, high = METRIC_RANGES["classification"][metric]
    assert score.error is None
    assert score.mean is not None
    assert low is not None
    assert low <= score.mean <= (np.inf if high is None else high)


@pytest.mark.parametrize("metric", METRIC_RANGES["regression"])
def test_every_regression_metric_gives_a_number(metric: str) -> None:
    frame, target = mass()
    use_case = penguins("regression", metric=metric, candidates=("ridge",))
    (score,) = compare_candidates(frame, target, use_case)
    assert score.error is None
    assert score.mean is not None


def test_the_unit_of_an_error_is_that_of_the_target() -> None:
    frame, target = mass()
    use_case = penguins("regression", candidates=("ridge",))
    (score,) = compare_candidates(frame, target, use_case)
    predictions = out_of_fold(frame, target, use_case, "ridge", {})
    assert score.mean == pytest.approx(mean_absolute_error(target, predictions), rel=0.01)
    assert 100 < (score.mean or 0) < 500


def scored(name: str, *folds: float, rows: int = 0) -> CandidateScore:
    mean = float(np.mean(folds)) if folds else None
    return CandidateScore(name, mean, None, folds, None, rows=rows)


def test_the_best_is_the_highest_or_the_lowest_by_metric() -> None:
    scores = [scored("ridge"), scored("lasso", 0.5, 0.6), scored("xgboost", 0.9, 0.91)]
    assert best_candidate(scores, "macro_f1").name == "xgboost"
    assert best_candidate(scores, "mae").name == "lasso"
    dearer = [scored("lasso", 0.9, 0.91), scored("xgboost", 0.5, 0.6)]
    assert best_candidate(dearer, "mae").name == "xgboost"
    with pytest.raises(NoCandidate):
        best_candidate(scores[:1], "mae")


def test_of_those_that_noise_cannot_tell_apart_the_cheapest_is_taken() -> None:
    """Paired over folds: better in one fold of three does not count, better in all does."""
    boosting, few = scored("xgboost", 0.80, 0.70, 0.75), scored("lasso", 0.9, 0.9, 0.9, rows=-1)
    lucky = scored("random_forest", 0.83, 0.70, 0.74)
    better = scored("random_forest", 0.81, 0.71, 0.77)
    assert best_candidate([few, lucky, boosting], "macro_f1") is boosting
    assert best_candidate([few, better, boosting], "macro_f1") is better
    assert best_candidate([better, boosting], "mae") is boosting
    assert set(CHEAPEST_FIRST) == {name for names in CANDIDATES.values() for name in names}


def test_the_best_of_few_rows_is_compared_again_with_the_cheapest_that_may_be_as_good() -> None:
    forest, binned = scored("random_forest", 0.83, 0.72), scored("gradient_boosting", 0.80, 0.74)
    boosting, far = scored("xgboost", 0.84, 0.69), scored("ridge", 0.5, 0.4)
    assert search._finalists([far, forest, binned, boosting], "r2") == ["random_forest", "xgboost"]
    assert search._finalists([far, boosting], "r2") == ["xgboost", "ridge"]
    assert search._finalists([boosting, scored("ridge")], "r2") == ["xgboost"]


def test_the_error_of_a_difference_is_that_of_folds_whose_models_share_rows() -> None:
    """Nadeau and Bengio: of five folds, 1.5 times that of independent ones."""
    ours, others = [0.81, 0.83, 0.80, 0.86, 0.80], [0.80, 0.80, 0.80, 0.80, 0.80]
    gain, error = paired_gain(ours, others, "roc_auc")
    assert gain == pytest.approx(0.02)
    assert error == pytest.approx(1.5 * scipy.stats.sem(ours))
    assert paired_gain(ours, others, "mae") == pytest.approx((-gain, error))


def test_a_candidate_that_fails_is_recorded_with_its_error() -> None:
    use_case = penguins(candidates=("ridge", "decision_tree"))
    failed, other = compare_candidates(FRAME, TARGET, use_case)
    assert failed.mean is None
    assert "no candidate 'ridge'" in (failed.error or "")
    assert other.mean is not None


def test_it_is_an_error_when_every_candidate_fails() -> None:
    with pytest.raises(NoCandidate, match="ridge: ValueError"):
        compare_candidates(FRAME, TARGET, penguins(candidates=("ridge",)))


def test_an_undefined_metric_is_an_error_and_no_score() -> None:
    frame, target = mass()
    use_case = penguins("regression", metric="mape_percent", candidates=("ridge",))
    with pytest.raises(NoCandidate, match="mape_percent is undefined"):
        compare_candidates(frame, np.where(target > 6000, 0, target), use_case)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"Adelie": 9, "Gentoo": 2}, "'Gentoo' has 2 rows but there are 3 folds: lower search.fol"),
        ({"Adelie": 9, "Gentoo": 1}, "'Gentoo' has 1 row but there are 3 folds: collect more"),
        ({"Adelie": 9}, "every one of the 9 rows has class 'Adelie'"),
        ({"Adelie": 1, "Gentoo": 1}, "2 rows cannot make 3 folds"),
        ({}, "0 rows cannot make 3 folds"),
    ],
)
def test_too_few_rows_are_an_error_with_a_remedy(rows: dict[str, int], message: str) -> None:
    positions = [i for name, n in rows.items() for i in np.flatnonzero(name == TARGET)[:n]]
    with pytest.raises(TooFewRows, match=message):
        compare_candidates(FRAME.iloc[positions], TARGET[positions], penguins())
    with pytest.raises(TooFewRows, match=message):
        tune(FRAME.iloc[positions], TARGET[positions], penguins(), "decision_tree")


def test_the_largest_seed_works_for_every_candidate_and_trial() -> None:
    """Each trial has a seed of its own, counted from that of the search."""
    largest = penguins(seed=2**32 - 1, trials=3, candidates=PENGUINS.candidates)
    frame, target = FRAME.iloc[::3], TARGET[::3]
    assert all(score.error is None for score in compare_candidates(frame, target, largest))
    assert len(tune(frame, target, largest, "decision_tree").trials) == 3


def test_the_final_pipeline_has_the_tuned_parameters_and_all_rows() -> None:
    pipeline = fit_final(FRAME, TARGET, penguins(), "decision_tree", {"max_depth": 2})
    model = pipeline.named_steps["model"]
    assert model.get_depth() == 2
    assert model.tree_.n_node_samples[0] == 342
    assert model.get_params()["random_state"] == PENGUINS.search.seed
