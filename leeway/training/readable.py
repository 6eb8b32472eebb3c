"""The choices of a search as text that a person reads and compares.

Belongs here: the YAML of the best parameters. Does not belong here: finding them
(`leeway.training.tuning`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from leeway.spec import unit_of
from leeway.training.candidates import defaults

if TYPE_CHECKING:
    from leeway.spec import UseCase
    from leeway.training.tuning import TunedModel


def parameters_yaml(
    tuned: TunedModel, use_case: UseCase, rows: int, choices: Mapping[str, Mapping[str, Any]]
) -> str:
    """The chosen algorithm, all its parameters and what was chosen before it, as YAML.

    Equal results give equal text, one value a line, so that two can be compared line by line.

    Args:
        tuned: the result of `leeway.training.search.tune`.
        use_case: gives metric, unit and folds.
        rows: of the training part.
        choices: of `leeway.training.decisions.Decisions`.
    """
    import yaml

    states = [trial["state"] for trial in tuned.trials]
    content = {
        "algorithm": tuned.name,
        "parameters": dict(sorted((defaults(tuned.name, rows) | tuned.parameters).items())),
        "chosen": {name: dict(sorted(values.items())) for name, values in choices.items()},
        "score": {
            "metric": use_case.metric,
            "unit": unit_of(use_case.metric, use_case.target.unit),
            "value": tuned.value,
            "value_of_defaults": tuned.default_value,
            "gain": tuned.gain,
            "standard_error_of_gain": tuned.gain_error,
            "folds": use_case.search.folds,
        },
        "trials": {state: states.count(state) for state in ("complete", "pruned", "failed")},
    }
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
