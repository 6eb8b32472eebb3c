"""What the finished trials of a study say: whether there are enough, and which one is taken.

Belongs here: reading a study. Does not belong here: running one (`leeway.training.tuning`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from leeway.training.scoring import paired_gain

if TYPE_CHECKING:
    import optuna

METRIC = "leeway_metric"
ERROR = "leeway_error"
SLOWER = "leeway_slower"
FOUND = "leeway_found"  # parameters that follow from a trial's
FOLDS = "leeway_folds"  # the score of each
# After so many trials, and half of those asked for, of which none beats the defaults beyond noise,
# further ones are not worth it.
FUTILE = 10


def is_over(study: optuna.Study, most: int, slower: dict[str, float]) -> bool:
    """Whether no trial is to follow; with `slower` a slowed one ends the study."""
    finished = finished_trials(study)
    if not finished:
        return False
    ended = SLOWER in finished[-1].user_attrs or (not slower and is_futile(study, most))
    return ended or len(finished) >= most


def is_futile(study: optuna.Study, most: int) -> bool:
    """Whether the defaults stand after so many others that more are not worth it."""
    finished, chosen = finished_trials(study), chosen_trial(study)
    enough = len(finished) > max(FUTILE, most // 2)
    return enough and chosen is not None and chosen.number == finished[0].number


def chosen_trial(study: optuna.Study) -> optuna.trial.FrozenTrial | None:
    """The trial whose parameters are taken; None where none came to its end."""
    finished = finished_trials(study)
    complete = [trial for trial in finished if _is_complete(trial)]
    tuned = [trial for trial in complete if SLOWER not in trial.user_attrs]
    if not tuned:
        return None
    sign = _sign(study)
    best = max(tuned, key=lambda trial: sign * value_of(trial))
    found = gain_over(study, best, finished[0])
    if found is not None and found[0] <= found[1]:
        best = finished[0]
    return max([best, *(t for t in complete if t not in tuned)], key=lambda t: sign * value_of(t))


def gain_over(
    study: optuna.Study, trial: optuna.trial.FrozenTrial, first: optuna.trial.FrozenTrial
) -> tuple[float, float] | None:
    """How much better a complete trial is than the first one, and the standard error of that.

    As `leeway.training.scoring.paired_gain`; None when the first one failed.
    """
    if not _is_complete(first):
        return None
    return paired_gain(trial.user_attrs[FOLDS], first.user_attrs[FOLDS], study.user_attrs[METRIC])


def _is_complete(trial: optuna.trial.FrozenTrial) -> bool:
    """Optuna gives a pruned trial a value, too."""
    return trial.state.name == "COMPLETE"


def value_of(trial: optuna.trial.FrozenTrial) -> float:
    """Of a complete trial, which always has one."""
    return float(trial.value or 0.0)


def _sign(study: optuna.Study) -> float:
    return 1.0 if study.direction.name == "MAXIMIZE" else -1.0


def finished_trials(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """Those that came to their end or were pruned; one that was cut off is tried again."""
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))


def found_parameters(trial: optuna.trial.FrozenTrial) -> dict[str, Any]:
    """What was suggested, and the rounds that were found where boosting was stopped."""
    return dict(trial.params) | dict(trial.user_attrs.get(FOUND, {}))


def summaries(study: optuna.Study) -> list[dict[str, Any]]:
    """The finished trials, numbered from 0 without the failed ones."""
    return [
        {
            "number": number,
            "value": trial.value if _is_complete(trial) else None,
            "state": "failed" if ERROR in trial.user_attrs else trial.state.name.lower(),
            "parameters": found_parameters(trial),
            **({"error": trial.user_attrs[ERROR]} if ERROR in trial.user_attrs else {}),
        }
        for number, trial in enumerate(finished_trials(study))
    ]
