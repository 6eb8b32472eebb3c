"""Tuning keeps what is better beyond noise, goes on where it was cut off, and repeats itself."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any, Literal

import numpy as np
import optuna
import pytest
from sqlalchemy.pool import NullPool

from leeway.spec import UseCase
from leeway.training import trials, tuning
from leeway.training.candidates import suggest_parameters, tuned_defaults
from leeway.training.folds import fit_to_choose, prepare_folds
from leeway.training.search import compare_candidates, tune
from tests.unit.measured_penguins import FRAME, TARGET, mass, penguins


def test_the_same_tune_twice_gives_the_same_result() -> None:
    once, twice = (tune(FRAME, TARGET, penguins(trials=11), "decision_tree") for _ in range(2))
    assert once == twice
    assert len({str(trial["parameters"]) for trial in once.trials}) == 11
    assert tune(FRAME, TARGET, penguins(trials=11, seed=1), "decision_tree") != once


def test_the_first_trial_has_the_defaults_and_the_result_is_never_worse() -> None:
    tuned = tune(FRAME, TARGET, penguins(), "decision_tree")
    (score,) = compare_candidates(FRAME, TARGET, penguins())
    assert score.mean is not None
    assert tuned.default_value == score.mean
    assert tuned.trials[0]["value"] == score.mean
    assert tuned.value == tuned.trials[tuned.chosen]["value"] >= score.mean
    assert tuned.parameters == tuned.trials[tuned.chosen]["parameters"]
    assert tuned.gain == pytest.approx(tuned.value - score.mean)


FIRST = [0.70, 0.80, 0.75]


@pytest.mark.parametrize(
    ("folds", "chosen"),
    [
        ([0.71, 0.81, 0.76], True),
        ([0.71, 0.82, 0.76], True),
        ([0.60, 0.80, 0.88], False),
        ([0.70, 0.79, 0.80], False),
        (FIRST, False),
        ([0.69, 0.79, 0.74], False),
    ],
)
@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_the_defaults_stay_unless_a_trial_is_better_beyond_noise(
    folds: list[float], chosen: bool, direction: Literal["maximize", "minimize"]
) -> None:
    """Paired: 0.01 better in every fold counts, 0.13 better in one of three does not."""
    sign = 1 if direction == "maximize" else -1
    study = optuna.create_study(direction=direction)
    study.set_user_attr(trials.METRIC, "roc_auc" if sign == 1 else "mae")
    for each in (FIRST, folds):
        attributes = {trials.FOLDS: [sign * score for score in each]}
        mean = sign * float(np.mean(each))
        study.add_trial(optuna.trial.create_trial(value=mean, user_attrs=attributes))
    found = trials.chosen_trial(study)
    assert found is not None
    assert found.number == int(chosen)


def test_what_was_chosen_learns_more_slowly_where_that_is_better_at_all() -> None:
    for last, chosen in (([0.70, 0.80, 0.7501], 2), ([0.70, 0.80, 0.7499], 0)):
        study = optuna.create_study(direction="maximize")
        study.set_user_attr(trials.METRIC, "roc_auc")
        lucky = [0.60, 0.80, 0.88]
        for scores, slower in ((FIRST, {}), (lucky, {}), (last, {trials.SLOWER: {"rate": 0.03}})):
            attributes = {trials.FOLDS: scores, **slower}
            value = float(np.mean(scores))
            study.add_trial(optuna.trial.create_trial(value=value, user_attrs=attributes))
        found = trials.chosen_trial(study)
        assert found is not None
        assert found.number == chosen


@pytest.mark.parametrize(("asked", "made"), [(8, 8), (15, 11), (26, 14)])
def test_tuning_ends_when_half_of_the_trials_do_not_beat_the_defaults(
    asked: int, made: int
) -> None:
    use_case, storage = penguins(trials=asked), optuna.storages.InMemoryStorage()
    tuned = tune(FRAME, TARGET, use_case, "decision_tree", storage, "s")
    assert len(tuned.trials) == made
    assert (tuned.chosen, tuned.gain, tuned.gain_error) == (0, 0.0, 0.0)
    told: list[dict[str, Any]] = []
    assert tune(FRAME, TARGET, use_case, "decision_tree", storage, "s", told.append) == tuned
    assert told == []


def test_a_metric_that_is_better_lower_is_minimised() -> None:
    frame, target = mass()
    tuned = tune(frame, target, penguins("regression"), "decision_tree")
    finished = [trial["value"] for trial in tuned.trials if trial["value"] is not None]
    assert tuned.value == min(finished) < (tuned.default_value or 0)
    assert 0 < (tuned.gain_error or 0) < (tuned.gain or 0)


def test_a_trial_that_falls_behind_is_pruned_and_counted() -> None:
    tuned = tune(FRAME, TARGET, penguins(trials=11), "decision_tree")
    states = [trial["state"] for trial in tuned.trials]
    assert states.count("pruned") + states.count("complete") == 11
    assert "pruned" in states
    assert all(t["value"] is None for t in tuned.trials if t["state"] == "pruned")


def failing(depths: set[int]) -> Any:
    """`fit_to_choose`, but for trees of some depths."""

    def fit(fold: Any, use_case: UseCase, name: str, parameters: dict[str, Any]) -> Any:
        if parameters["max_depth"] in depths:
            raise MemoryError("too deep")
        return fit_to_choose(fold, use_case, name, parameters)

    return fit


def test_a_trial_that_fails_is_recorded_with_its_error_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Regression: one set of parameters that raised an error ended the training."""
    deep = {3, 4, 5, 7, 8, 9, 10, 11, 12}
    monkeypatch.setattr(tuning, "fit_to_choose", failing(deep))
    storage = optuna.storages.InMemoryStorage()
    tuned = tune(FRAME, TARGET, penguins(trials=8), "decision_tree", storage, "s")
    assert len(tuned.trials) == 8
    failed = [trial for trial in tuned.trials if trial["parameters"]["max_depth"] in deep]
    assert 0 < len(failed) < 8
    for trial in tuned.trials:
        assert trial.get("error") == ("MemoryError: too deep" if trial in failed else None)
        assert (trial["state"] == "failed") == (trial in failed)
        assert trial["value"] is None or trial not in failed
    assert tuned.parameters["max_depth"] not in deep
    assert tune(FRAME, TARGET, penguins(trials=8), "decision_tree", storage, "s") == tuned


def test_when_every_trial_fails_the_error_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "fit_to_choose", failing(set(range(99))))
    with pytest.raises(ValueError, match="every trial of decision_tree failed: MemoryError: too"):
        tune(FRAME, TARGET, penguins(trials=2), "decision_tree")


def test_rows_are_prepared_once_for_all_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def counted(*arguments: Any, **named: Any) -> Any:
        calls.append(arguments)
        return prepare_folds(*arguments, **named)

    monkeypatch.setattr(tuning, "prepare_folds", counted)
    assert len(tune(FRAME, TARGET, penguins(), "decision_tree").trials) == 6
    assert len(calls) == 1


def test_each_trial_is_told_to_the_callback() -> None:
    told: list[dict[str, Any]] = []
    tuned = tune(FRAME, TARGET, penguins(), "decision_tree", on_trial=told.append)
    assert told == list(tuned.trials)
    assert [trial["number"] for trial in told] == list(range(6))


@pytest.mark.parametrize("interrupted_at", [1, 11])
def test_a_resumed_study_ends_as_an_uninterrupted_one(
    interrupted_at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards against a sampler that starts its random numbers anew: resumed is not repeated."""
    monkeypatch.setattr(trials, "FUTILE", 99)
    use_case = penguins(trials=13)
    calls = itertools.count(1)

    def interrupt(_: dict[str, Any]) -> None:
        if next(calls) == interrupted_at:
            raise KeyboardInterrupt

    def storage() -> optuna.storages.BaseStorage:
        url, closed_each_time = f"sqlite:///{tmp_path}/study.db", {"poolclass": NullPool}
        return optuna.storages.RDBStorage(url, engine_kwargs=closed_each_time)

    with pytest.raises(KeyboardInterrupt):
        tune(FRAME, TARGET, use_case, "decision_tree", storage(), "s", on_trial=interrupt)
    # A process that was killed leaves a trial that runs forever.
    cut_off = optuna.load_study(study_name="s", storage=storage()).ask()
    suggest_parameters("decision_tree", cut_off)
    finished: list[dict[str, Any]] = []
    resumed = tune(
        FRAME, TARGET, use_case, "decision_tree", storage(), "s", on_trial=finished.append
    )
    assert len(finished) == 13 - interrupted_at
    all_trials = optuna.load_study(study_name="s", storage=storage()).trials
    assert [trial.number for trial in all_trials if not trial.state.is_finished()] == []
    assert resumed == tune(FRAME, TARGET, use_case, "decision_tree")


def without_trials(storage: optuna.storages.BaseStorage) -> optuna.Study:
    """The study "s" as it was before its first trial."""
    identity = optuna.load_study(study_name="s", storage=storage).user_attrs
    optuna.delete_study(study_name="s", storage=storage)
    study = optuna.create_study(study_name="s", storage=storage, direction="maximize")
    for name, value in identity.items():
        study.set_user_attr(name, value)
    return study


def test_a_study_that_died_before_its_first_trial_still_begins_with_the_defaults() -> None:
    storage = optuna.storages.InMemoryStorage()
    expected = tune(FRAME, TARGET, penguins(), "decision_tree", storage, "s")
    again = without_trials(storage)
    again.enqueue_trial({"max_depth": 2})
    assert tune(FRAME, TARGET, penguins(), "decision_tree", storage, "s") == expected


def test_a_study_that_was_cut_off_in_its_first_trial_still_begins_with_the_defaults() -> None:
    """Guards against defaults that are not tried again, because a failed trial had them."""
    storage = optuna.storages.InMemoryStorage()
    expected = tune(FRAME, TARGET, penguins(), "decision_tree", storage, "s")
    again = without_trials(storage)
    again.enqueue_trial(tuned_defaults("decision_tree"))
    suggest_parameters("decision_tree", again.ask())
    assert [trial.state.name for trial in again.trials] == ["RUNNING"]
    assert tune(FRAME, TARGET, penguins(), "decision_tree", storage, "s") == expected


def test_a_finished_study_is_not_run_again_and_one_of_other_rows_is_replaced() -> None:
    storage = optuna.storages.InMemoryStorage()
    first = tune(FRAME, TARGET, penguins(), "decision_tree", storage, "s")
    told: list[dict[str, Any]] = []
    again = tune(FRAME, TARGET, penguins(), "decision_tree", storage, "s", told.append)
    assert (again, told) == (first, [])
    short = penguins(trials=3)
    assert tune(FRAME, TARGET, short, "decision_tree", storage, "s") == tune(
        FRAME, TARGET, short, "decision_tree"
    )
    fewer, labels = FRAME.iloc[:300], TARGET[:300]
    other = tune(fewer, labels, penguins(), "decision_tree", storage, "s", told.append)
    assert len(told) == 6
    assert other == tune(fewer, labels, penguins(), "decision_tree")
