"""Which parameters the chosen algorithm gets: tuned with Optuna on the training part.

Belongs here: one study, resumable and repeatable. Does not belong here: the choice of the algorithm
(`leeway.training.search`), or the search spaces (`leeway.training.candidates`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from leeway.spec import LARGEST_SEED, LOWER_IS_BETTER
from leeway.training.candidates import (
    MANY_ROWS,
    slower_learning,
    suggest_parameters,
    tuned_defaults,
)
from leeway.training.folds import (
    Fold,
    fit_to_choose,
    one_thread,
    prepare_folds,
    sample_positions,
)
from leeway.training.preprocessing import reads_gaps
from leeway.training.rounds import ROUNDS, rounds_of_all
from leeway.training.scoring import score_model
from leeway.training.trials import (
    ERROR,
    FOLDS,
    FOUND,
    METRIC,
    SLOWER,
    chosen_trial,
    finished_trials,
    found_parameters,
    gain_over,
    is_futile,
    is_over,
    summaries,
    value_of,
)

if TYPE_CHECKING:
    import optuna
    import pandas as pd

    from leeway.spec import UseCase

IDENTITY = "leeway_identity"
MOST_SEARCHED_ROWS = 20_000  # choices of more cost more, and hardly ever differ


@dataclass(frozen=True)
class TunedModel:
    """The best parameters of one algorithm, and what each trial gave.

    `trials` holds dicts with number, value (None when pruned or failed), state and parameters, and
    with the error of one that failed; `chosen` is the number of the one with the parameters.
    `gain` is how much better than the defaults it is in the mean over folds, in the unit of the
    metric, and `gain_error` its standard error, as of `leeway.training.scoring.paired_gain`. None
    where the defaults failed.
    """

    name: str
    parameters: dict[str, Any]
    value: float
    default_value: float | None
    chosen: int
    gain: float | None
    gain_error: float | None
    trials: tuple[dict[str, Any], ...]

    def as_dict(self) -> dict[str, Any]:
        """For JSON; the name is that of the algorithm."""
        found = asdict(self)
        return {"algorithm": found.pop("name"), **found, "trials": list(self.trials)}


def tune(
    frame: pd.DataFrame,
    target: NDArray[Any],
    use_case: UseCase,
    winner: str,
    storage: optuna.storages.BaseStorage | None = None,
    study_name: str | None = None,
    on_trial: Callable[[dict[str, Any]], None] | None = None,
) -> TunedModel:
    """Tunes one algorithm with Optuna's TPE sampler; trials that fall behind are pruned.

    The first trial has the default parameters. They stay unless the best trial is better by more
    than the standard error of the paired difference, as the best of many is partly the luckiest
    (L. Breiman et al., Classification and Regression Trees, 1984, section 3.4.3). Half of the
    trials, and at least `FUTILE`, without such a one end the tuning. The last trial of boosting on
    many rows has what was chosen with a lower learning rate, and is taken where its mean is better.

    The same seed gives the same result, also when a study in `storage` was interrupted and is
    resumed: the sampler starts each trial from a seed that follows from the count of finished
    trials, and a trial that was cut off is failed, which the sampler does not see. A study in
    `storage` that was made from other rows, folds or features, or for another number of trials, is
    deleted and started again. Of more than `MOST_SEARCHED_ROWS` rows, so many are drawn.

    Args:
        frame: features, shape (rows, columns).
        target: shape (rows,).
        use_case: its `search` gives folds, metric, seed and the most trials.
        winner: name of the candidate.
        storage: where the study is kept; None keeps it in memory.
        study_name: name of the study in `storage`.
        on_trial: called with the dict of each trial that this call finishes.

    Raises:
        TooFewRows: when the folds cannot be made.
        ValueError: when every trial fails; one that does is recorded with its error, and counts.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    some = sample_positions(target, use_case, MOST_SEARCHED_ROWS)
    rows = len(some)
    identity = _identity(frame, target, use_case, winner)
    study = _open_study(storage, study_name, use_case, identity, rows)
    with one_thread():
        gaps = reads_gaps(use_case, winner)
        folds = prepare_folds(frame.iloc[some], target[some], use_case, gaps=gaps)
        objective = _objective(folds, use_case, winner, rows)
        first, slower = tuned_defaults(winner, rows), slower_learning(winner, rows)
        _run(study, objective, use_case, first, slower, on_trial)
    trials = summaries(study)
    finished = finished_trials(study)
    chosen = chosen_trial(study)
    if chosen is None:
        raise ValueError(f"every trial of {winner} failed: {trials[0].get('error')}")
    gain, error = gain_over(study, chosen, finished[0]) or (None, None)
    return TunedModel(
        name=winner,
        parameters=found_parameters(chosen),
        value=value_of(chosen),
        default_value=trials[0]["value"],
        chosen=[trial.number for trial in finished].index(chosen.number),
        gain=gain,
        gain_error=error,
        trials=tuple(trials),
    )


def _run(
    study: optuna.Study,
    objective: Callable[[optuna.Trial], float],
    use_case: UseCase,
    first: dict[str, Any],
    slower: dict[str, float],
    on_trial: Callable[[dict[str, Any]], None] | None,
) -> None:
    """The defaults, Optuna's trials until there are enough, and what was chosen slowed."""
    import optuna

    most = use_case.search.trials
    while not is_over(study, most, slower):
        done = len(finished_trials(study))
        chosen = chosen_trial(study)
        if done == 0:
            study.enqueue_trial(first)
        elif slower and chosen and (done + 1 == most or is_futile(study, most)):
            study.enqueue_trial(dict(chosen.params), user_attrs={SLOWER: slower})
        seed = (use_case.search.seed + done) % (LARGEST_SEED + 1)
        study.sampler = optuna.samplers.TPESampler(seed=seed)
        study.optimize(objective, n_trials=1)
        if on_trial is not None:
            on_trial(summaries(study)[-1])


def _open_study(
    storage: optuna.storages.BaseStorage | None,
    study_name: str | None,
    use_case: UseCase,
    identity: str,
    rows: int,
) -> optuna.Study:
    import optuna
    from optuna.trial import TrialState

    if storage is not None and study_name in optuna.get_all_study_names(storage):
        found = optuna.load_study(study_name=study_name, storage=storage)
        if found.user_attrs.get(IDENTITY) != identity:
            optuna.delete_study(study_name=str(study_name), storage=storage)
    study = optuna.create_study(
        storage=storage,
        study_name=study_name,
        load_if_exists=True,
        direction="minimize" if use_case.metric in LOWER_IS_BETTER else "maximize",
        # All trials have the same folds, and only the best one counts: on many rows the first fold
        # already tells those that will not be.
        pruner=optuna.pruners.PercentilePruner(10.0, n_startup_trials=1)
        if rows >= MANY_ROWS
        else optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=1),
    )
    study.set_user_attr(IDENTITY, identity)
    study.set_user_attr(METRIC, use_case.metric)
    for trial in study.get_trials(states=(TrialState.RUNNING, TrialState.WAITING)):
        if trial.state == TrialState.WAITING:
            study.ask()
        study.tell(trial.number, state=TrialState.FAIL)
    return study


def _identity(frame: pd.DataFrame, target: NDArray[Any], use_case: UseCase, winner: str) -> str:
    """A digest of all that the value of a trial follows from."""
    import pandas as pd

    decisive = use_case.model_dump_json(
        include={"task", "columns", "imputation", "features", "search"},
        exclude={"search": {"candidates"}},
    )
    digest = hashlib.sha256(f"{winner} {decisive} {list(frame.columns)}".encode())
    for part in (frame, pd.Series(target)):
        digest.update(pd.util.hash_pandas_object(part, index=False).to_numpy().tobytes())
    return digest.hexdigest()


def _objective(
    folds: Sequence[Fold], use_case: UseCase, winner: str, rows: int
) -> Callable[[optuna.Trial], float]:
    import optuna

    def mean_over_folds(trial: optuna.Trial) -> float:
        slower = trial.user_attrs.get(SLOWER, {})
        parameters = suggest_parameters(winner, trial, rows) | slower
        scores: list[float] = []
        rounds: list[int] = []
        for step, fold in enumerate(folds):
            try:
                model, stopped = fit_to_choose(fold, use_case, winner, parameters)
                score = score_model(model, fold.judged_rows, fold.judged_target, use_case.metric)
            except Exception as error:  # parameters that fail must not hide what others give
                trial.set_user_attr(ERROR, f"{type(error).__name__}: {error}")
                # Not Optuna's FAIL, which is what was cut off and is tried again.
                raise optuna.TrialPruned from error
            rounds += [] if stopped is None else [stopped]
            scores.append(score)
            trial.report(float(np.mean(scores)), step)
            if step + 1 < len(folds) and not slower and trial.should_prune():
                raise optuna.TrialPruned
        if rounds:
            trial.set_user_attr(FOUND, {**slower, ROUNDS[winner]: rounds_of_all(rounds)})
        trial.set_user_attr(FOLDS, scores)
        return float(np.mean(scores))

    return mean_over_folds
