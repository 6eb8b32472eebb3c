"""From some thousands of rows on, boosting gets larger models and a search draws a sample."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import optuna
import pytest
import yaml

from leeway.explainers.neighbourhood import PcaMap, nearest
from leeway.explainers.shapley import shap_values
from leeway.spec import CANDIDATES
from leeway.training import search, tuning
from leeway.training.candidates import (
    DEFAULTS_OF_MANY,
    MANY_ROWS,
    default_estimator,
    defaults,
    suggest_parameters,
    tuned_defaults,
)
from leeway.training.folds import fit_to_choose, one_thread, prepare_folds, sample_positions
from leeway.training.model_file import load_model, save_model
from leeway.training.preprocessing import READ_GAPS, reads_gaps
from leeway.training.readable import parameters_yaml
from leeway.training.rounds import MOST_ROUNDS
from leeway.training.search import (
    CandidateScore,
    best_candidate,
    compare_candidates,
    fit_final,
    tune,
)
from tests.unit.measured_penguins import FRAME, PENGUINS, TARGET

NAMES = sorted({name for names in CANDIDATES.values() for name in names})


def penguins(**changes: Any) -> Any:
    quick = {"folds": 3, "trials": 4, "candidates": ("decision_tree",), **changes}
    return PENGUINS.model_copy(update={"search": PENGUINS.search.model_copy(update=quick)})


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("rows", [0, MANY_ROWS - 1, MANY_ROWS])
def test_the_defaults_are_a_point_of_the_space_of_as_many_rows(name: str, rows: int) -> None:
    study = optuna.create_study()
    study.enqueue_trial(tuned_defaults(name, rows))
    trial = study.ask()
    assert suggest_parameters(name, trial, rows) == tuned_defaults(name, rows)
    for parameter, distribution in trial.distributions.items():
        assert distribution._contains(
            distribution.to_internal_repr(defaults(name, rows)[parameter])
        )
    many = rows >= MANY_ROWS and name in DEFAULTS_OF_MANY
    assert (tuned_defaults(name, rows) == tuned_defaults(name)) != many


@pytest.mark.parametrize("name", DEFAULTS_OF_MANY)
def test_every_suggestion_for_many_rows_is_a_parameter_that_fits(name: str) -> None:
    random = np.random.default_rng(1)
    values = random.normal(size=(200, 4))
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    for _ in range(2):
        model = default_estimator(name, "regression", 3, MANY_ROWS)
        model.set_params(**suggest_parameters(name, study.ask(), MANY_ROWS))
        with one_thread():
            model.fit(values, values[:, 0])


def test_the_final_model_has_the_defaults_of_its_rows() -> None:
    few = fit_final(FRAME, TARGET, PENGUINS, "xgboost", {}).named_steps["model"]
    assert few.n_estimators == 100
    times = MANY_ROWS // len(FRAME) + 1
    frame, target = FRAME.loc[FRAME.index.repeat(times)], np.repeat(TARGET, times)
    many = fit_final(frame, target, PENGUINS, "xgboost", {"n_estimators": 5})
    assert many.named_steps["model"].n_estimators == 5
    assert many.named_steps["model"].max_leaves == 15


def test_a_sample_is_drawn_once_and_keeps_every_class_that_the_folds_need() -> None:
    target = np.array(["common"] * 5000 + ["rare"] * 6 + ["other"] * 900, dtype=object)
    some = sample_positions(target, PENGUINS, 300)
    assert np.array_equal(some, sample_positions(target, PENGUINS, 300))
    assert np.array_equal(some, np.unique(some))
    assert len(some) == 300
    counts = {name: int(np.sum(target[some] == name)) for name in ("common", "rare", "other")}
    assert counts["rare"] >= PENGUINS.search.folds
    assert counts["other"] == pytest.approx(300 * 900 / 5906, rel=0.5)
    assert np.array_equal(sample_positions(target, PENGUINS, 6000), np.arange(5906))


def test_a_search_of_more_rows_than_it_reads_is_that_of_the_sample(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (search, tuning):
        monkeypatch.setattr(module, "MOST_SEARCHED_ROWS", 150)
    monkeypatch.setattr(search, "MOST_COMPARED_ROWS", 150)
    some = sample_positions(TARGET, penguins(), 150)
    sample = FRAME.iloc[some], TARGET[some]
    assert compare_candidates(FRAME, TARGET, penguins()) == compare_candidates(*sample, penguins())
    whole, drawn = (tune(*rows, penguins(), "decision_tree") for rows in ((FRAME, TARGET), sample))
    assert whole == drawn


def test_the_best_parameters_are_text_that_says_all_and_repeats_itself() -> None:
    tuned = tune(FRAME, TARGET, penguins(), "decision_tree")
    choices: dict[str, dict[str, Any]] = {
        "imputation": {"bill_depth_mm": "knn"},
        "clusters": {"shape": 5},
    }
    text = parameters_yaml(tuned, penguins(), len(FRAME), choices)
    assert text == parameters_yaml(tuned, penguins(), len(FRAME), choices)
    read = yaml.safe_load(text)
    assert read["algorithm"] == "decision_tree"
    assert read["parameters"] == defaults("decision_tree", len(FRAME)) | tuned.parameters
    assert read["chosen"] == choices
    assert read["score"] == {
        "metric": "macro_f1",
        "unit": "fraction",
        "value": tuned.value,
        "value_of_defaults": tuned.default_value,
        "gain": tuned.gain,
        "standard_error_of_gain": tuned.gain_error,
        "folds": 3,
    }
    assert sum(read["trials"].values()) == 4
    assert all(len(line) < 80 for line in text.splitlines())


def test_one_thread_also_holds_for_what_is_loaded_inside() -> None:
    """Regression: scikit-learn's OpenMP came after the limit and had a thread per core.

    A boosting of 0.1 s then took 18 s on a busy machine, and sums had any order.
    """
    program = (
        "from leeway.training.folds import one_thread\n"
        "with one_thread():\n"
        "    from sklearn.cluster import KMeans\n"
        "    from sklearn.ensemble import HistGradientBoostingRegressor\n"
        "    from threadpoolctl import threadpool_info\n"
        "    print(*(pool['num_threads'] for pool in threadpool_info()))\n"
    )
    environment = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    said = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert set(said.split()) == {"1"}


def waves(rows: int = MANY_ROWS) -> tuple[Any, Any, Any]:
    """A regression whose gaps mean something: where the depth is missing, it is higher."""
    random = np.random.default_rng(5)
    frame = FRAME.loc[FRAME.index.repeat(rows // len(FRAME) + 1)].iloc[:rows].reset_index(drop=True)
    gap = random.random(rows) < 0.3
    length = random.normal(40, 5, rows)
    frame = frame.assign(bill_length_mm=length)
    frame.loc[gap, "bill_depth_mm"] = np.nan
    target = 50 * np.sin(length / 3) + 100 * gap + random.normal(size=rows)
    use_case = penguins(candidates=("xgboost",), metric="rmse", trials=2)
    return frame, target, use_case.model_copy(update={"task": "regression"})


def test_boosting_of_many_rows_stops_early_and_the_model_has_the_rounds_that_were_found() -> None:
    frame, target, use_case = waves()
    tuned = tune(frame, target, use_case, "xgboost")
    assert tuned == tune(frame, target, use_case, "xgboost")
    rounds = tuned.parameters["n_estimators"]
    assert 20 < rounds < MOST_ROUNDS
    model = fit_final(frame, target, use_case, "xgboost", tuned.parameters).named_steps["model"]
    assert model.booster_.num_boosted_rounds() == rounds
    slowed = tuned.trials[-1]
    assert slowed["parameters"]["learning_rate"] == pytest.approx(0.1 / 3)
    assert slowed["state"] == "complete"


@pytest.mark.parametrize("name", READ_GAPS)
def test_rows_that_judge_say_nothing_of_the_rounds(name: str) -> None:
    """Their targets are noise in one fold of two, and the model that it gets is the same."""
    frame, target, use_case = waves()
    fold = prepare_folds(frame, target, use_case, gaps=True)[0]
    noise = replace(fold, judged_target=np.random.default_rng(1).permutation(fold.judged_target))
    (one, rounds), (other, same) = (fit_to_choose(f, use_case, name, {}) for f in (fold, noise))
    assert rounds == same
    assert np.array_equal(one.predict(fold.judged_rows), other.predict(fold.judged_rows))


@pytest.mark.parametrize("name", READ_GAPS)
def test_boosting_reads_gaps_unless_the_use_case_says_how_to_fill_them(name: str) -> None:
    frame, target, use_case = waves(600)
    filled = use_case.model_copy(
        update={"imputation": use_case.imputation.model_copy(update={"number": "median"})}
    )
    assert reads_gaps(use_case, name)
    assert not reads_gaps(use_case, "ridge")
    assert not reads_gaps(filled, name)
    errors = []
    for each in (use_case, filled):
        model = fit_final(frame, target, each, name, {})
        steps = model.named_steps["preprocess"]
        assert np.isnan(steps.transform(frame)).any() == (each is use_case)
        errors.append(np.abs(model.predict(frame) - target).mean())
        explained = shap_values(model, frame, frame.iloc[:5])
        assert explained.explainer == "TreeExplainer"
        assert np.isfinite(PcaMap.fit(model, frame).coordinates).all()
        assert np.isfinite(nearest(model, frame, target, frame.iloc[:5], 3).distances).all()
        assert np.array_equal(load_model(save_model(model)).predict(frame), model.predict(frame))
    assert errors[0] < errors[1] / 2


def test_the_best_two_of_few_rows_are_compared_again_on_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(search, "MOST_COMPARED_ROWS", 100)
    many = penguins(candidates=("logistic_regression", "decision_tree", "xgboost"))
    scores = compare_candidates(FRAME, TARGET, many)
    assert sorted(score.rows for score in scores) == [100, len(FRAME), len(FRAME)]
    best = best_candidate(scores, many.metric)
    assert best.rows == len(FRAME)
    few = min(scores, key=lambda score: score.rows)
    (same,) = _compare_alone(few.name)
    assert same == few


def _compare_alone(name: str) -> list[CandidateScore]:
    some = sample_positions(TARGET, penguins(), 100)
    return compare_candidates(FRAME.iloc[some], TARGET[some], penguins(candidates=(name,)))
