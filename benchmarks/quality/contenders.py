"""What is compared: each is given the training rows of a fold and predicts its test rows.

Belongs here: fitting and predicting. Does not belong here: folds, metrics and time
(`benchmarks.quality.measure`).

Everything runs in one thread.
"""

from __future__ import annotations

import importlib.util
import time
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from unittest import mock

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.tables import Rows
from leeway.training.folds import one_thread

if TYPE_CHECKING:
    import pandas as pd

SEED = 42
LEEWAY, HIST, FLAML = "leeway", "hist", "flaml"

Predictions = NDArray[np.float64]


def has_flaml() -> bool:
    """Whether FLAML can be imported; it is no dependency of the project."""
    return importlib.util.find_spec("flaml") is not None


def leeway_search(
    rows: Rows, fit: NDArray[np.intp], test: NDArray[np.intp], budget: float
) -> tuple[Predictions, str]:
    """Everything that `model_selection` and `tuned_model` do, on the training rows alone."""
    from leeway.training.decisions import decide, settle
    from leeway.training.search import best_candidate, compare_candidates, fit_final, tune

    frame, target, use_case = rows.frame.iloc[fit], rows.target[fit], rows.use_case
    frame = frame.reset_index(drop=True)
    settled = settle(use_case, decide(frame, target, use_case).choices)
    started = time.process_time()
    scores = compare_candidates(frame, target, settled)
    winner = best_candidate(scores, use_case.metric).name
    compared = time.process_time() - started
    tuned = tune(frame, target, settled, winner)
    tuning = time.process_time() - started - compared
    model = fit_final(frame, target, settled, winner, tuned.parameters)
    states = [trial["state"] for trial in tuned.trials]
    said = (
        f"{winner}, {len(states)} trials ({states.count('pruned')} pruned), "
        f"comparison {compared:.1f} s, tuning {tuning:.1f} s"
    )
    return _predict(model, rows, rows.frame.iloc[test].reset_index(drop=True)), said


def hist_gradient_boosting(
    rows: Rows, fit: NDArray[np.intp], test: NDArray[np.intp], budget: float
) -> tuple[Predictions, str]:
    """scikit-learn's, with its defaults, categories and gaps as they are: SOURCE.md's baseline."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    classification = rows.use_case.task == "classification"
    kind = HistGradientBoostingClassifier if classification else HistGradientBoostingRegressor
    with one_thread():
        model = kind(random_state=SEED).fit(rows.raw.iloc[fit], rows.target[fit])
        return _predict(model, rows, rows.raw.iloc[test]), ""


def flaml_search(
    rows: Rows, fit: NDArray[np.intp], test: NDArray[np.intp], budget: float
) -> tuple[Predictions, str]:
    """FLAML's AutoML with its defaults, for `budget` seconds of CPU.

    It reads its clock by `time.time`, which is that of the process's CPU here: on a machine that
    others use, its budget of wall clock would be less work than it is elsewhere.
    """
    from flaml import AutoML  # type: ignore[import-not-found, unused-ignore]  # may not be there

    use_case = rows.use_case
    # LightGBM refuses names such as `Torque [Nm]`.
    raw = rows.raw.set_axis([f"x{position}" for position in range(rows.raw.shape[1])], axis=1)
    model = AutoML()
    # The clock of the process's CPU, as the docstring says: FLAML has no parameter for its clock.
    with one_thread(), warnings.catch_warnings(), mock.patch("time.time", time.process_time):
        warnings.simplefilter("ignore")
        model.fit(
            raw.iloc[fit],
            rows.target[fit],
            task=use_case.task,
            metric=use_case.metric,  # its names are the same,
            time_budget=budget,
            n_jobs=1,
            seed=SEED,
            verbose=0,
        )
        return _predict(model, rows, raw.iloc[test]), str(model.best_estimator)


def _predict(model: Any, rows: Rows, frame: pd.DataFrame) -> Predictions:
    """Probabilities (rows, classes), classes sorted, or predictions (rows,)."""
    classification = rows.use_case.task == "classification"
    with one_thread():
        predict = model.predict_proba if classification else model.predict
        return np.asarray(predict(frame), dtype=np.float64)


CONTENDERS: dict[
    str, Callable[[Rows, NDArray[np.intp], NDArray[np.intp], float], tuple[Predictions, str]]
] = {LEEWAY: leeway_search, HIST: hist_gradient_boosting, FLAML: flaml_search}
