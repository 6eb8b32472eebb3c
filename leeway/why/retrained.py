"""Why a use case is trained again, or is not: what the controller decided last.

Belongs here: decisions. Does not belong here: deciding (`leeway.controller`).
"""

from __future__ import annotations

from typing import Final

from leeway.why.facts import Decision, History
from leeway.why.statement import Statement, Topic, moment, unknown
from leeway.why.trained import decision_row, incident_row

TOPIC: Final[Topic] = "retraining"
_DOES = {
    "retrain": "asked for a training",
    "wait": "waits",
    "nothing": "does nothing",
    "alert": "raised an alert and trains nothing",
}


def why_retrained(history: History) -> list[Statement]:
    """The newest decisions, the newest first."""
    if not history.decisions:
        why = "the controller has decided nothing yet; it works under `leeway dev`"
        return [unknown(TOPIC, "Why it is trained again, or is not", why)]
    newest, *before = reversed(history.decisions)
    return [
        _decided(history, newest, "stands since"),
        *(_decided(history, each, "was made") for each in before),
    ]


def _decided(history: History, found: Decision, when: str) -> Statement:
    text = f"The controller {_DOES[found.action]} ({found.state}; this decision {when} "
    text += f"{moment(found.at)}): {found.reason} Diagnosis: {found.diagnosis}."
    cited = [decision_row(found)]
    if found.incident is not None and found.cause is not None:
        cited.append(incident_row(history.use_case, found.incident))
    return Statement(TOPIC, text, tuple(cited))
