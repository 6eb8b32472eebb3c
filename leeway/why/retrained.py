"""Why a use case is trained again, or is not: what the controller decided last.

Belongs here: decisions. Does not belong here: deciding (`leeway.controller`).
"""

from __future__ import annotations

from typing import Final

from leeway.why.facts import Decision, History, Training
from leeway.why.statement import Statement, Topic, moment, unknown
from leeway.why.trained import decision_row, incident_row, training_row

TOPIC: Final[Topic] = "retraining"
_DOES = {
    "retrain": "asked for a training",
    "wait": "waits",
    "nothing": "does nothing",
    "alert": "raised an alert and trains nothing",
}


def why_retrained(history: History) -> list[Statement]:
    """The newest decisions, the newest first, and trainings that were refused."""
    if not history.decisions:
        why = "the controller has decided nothing yet; it works under `leeway dev`"
        return [unknown(TOPIC, "Why it is trained again, or is not", why)]
    newest, *before = reversed(history.decisions)
    return [
        _decided(history, newest, "stands since"),
        *(_decided(history, each, "was made") for each in before),
        *(_refused(history, each) for each in reversed(history.refused)),
    ]


def _decided(history: History, found: Decision, when: str) -> Statement:
    text = f"The controller {_DOES[found.action]} ({found.state}; this decision {when} "
    text += f"{moment(found.at)}): {found.reason} Diagnosis: {found.diagnosis}."
    cited = [decision_row(found)]
    if found.incident is not None and found.cause is not None:
        cited.append(incident_row(history.use_case, found.incident))
    return Statement(TOPIC, text, tuple(cited))


def _refused(history: History, found: Training) -> Statement:
    ended = "" if found.ended_at is None else f", {moment(found.ended_at)}"
    text = f"Attempt {found.attempt} at incident {found.incident} was refused{ended}: "
    return Statement(TOPIC, f"{text}{found.refused}.", (training_row(history.use_case, found),))
