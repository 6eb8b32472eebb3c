"""The evidence of a trial, from answers of champion and challenger and labels that came.

Belongs here: losses of answers as the service logs them. Does not belong here: reading them
(`resources.tried`), or what follows (`leeway.trial.verdict`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from leeway.trial.losses import Floats, absolute_losses, assigned, brier_losses, paired

BRIER = "of Brier's score"
Answer = Mapping[str, Any]


class Labelled(NamedTuple):
    """Answers to one row, and the label that came for it.

    Of a shadow, both answered. Of a canary, one of both: the other is None.
    """

    champion: Answer | None
    challenger: Answer | None
    label: str


def unit_of(unit: str | None, *, classes: bool) -> str:
    """Of a loss, in words."""
    return BRIER if classes else f"{unit or ''} of absolute error".strip()


def of_shadow(rows: Sequence[Labelled]) -> Floats:
    """Differences of the losses, in the order of the rows."""
    champion = _losses([(row.champion or {}, row.label) for row in rows])
    challenger = _losses([(row.challenger or {}, row.label) for row in rows])
    return paired(champion, challenger)


def of_canary(rows: Sequence[Labelled], chosen: Sequence[bool], share: float) -> Floats:
    """Values with the mean of the difference, in the order of the rows.

    `chosen` says of each row whether the challenger was to answer it, which it may have failed to:
    what its requests cost is then what the champion's answer did.
    """
    losses = np.zeros(len(rows))
    for own in (False, True):
        places = [n for n, row in enumerate(rows) if (row.challenger is not None) is own]
        answers = [(rows[n].challenger or rows[n].champion or {}, rows[n].label) for n in places]
        losses[places] = _losses(answers)
    return assigned(losses, np.array(chosen, dtype=bool), share)


def _losses(answered: Sequence[tuple[Answer, str]]) -> Floats:
    """The loss of each answer of one release."""
    if not answered:
        return np.empty(0)
    truth = [label for _, label in answered]
    if "probabilities" not in answered[0][0]:
        predicted = np.array([answer["prediction"] for answer, _ in answered], dtype=np.float64)
        return absolute_losses(predicted, np.array(truth, dtype=np.float64))
    classes = list(answered[0][0]["probabilities"])
    shares = [[answer["probabilities"][name] for name in classes] for answer, _ in answered]
    return brier_losses(np.array(shares, dtype=np.float64), classes, truth)
