"""From some thousands of rows on, boosting gets larger models and a search draws a sample."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import optuna
import pytest
import yaml

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
from leeway.training.folds import one_thread, sample_positions
from leeway.training.readable import parameters_yaml
from leeway.training.search import compare_candidates, fit_final, tune
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
    assert many.named_steps["model"].max_depth == 6


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
