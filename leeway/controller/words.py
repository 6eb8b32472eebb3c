"""What a person reads of a decision: what to do, and about what.

Belongs here: the words for a cause, an incident and a diagnosis. Does not belong here: which of
them applies (`leeway.controller.machine`).
"""

from __future__ import annotations

from leeway.controller.facts import Cause, Incident

NOTHING = "nothing to do"
LOOK_AGAIN = "it may have changed: the next batch decides"
PERSON = "a person decides: promote the release that waits, or leave it"
TRIAL = "the release is tried beside the champion, and what comes of it decides"
OWN_FAULT = "our own pipeline changed the data: mend it; a training would learn the fault"
FAILING = "training fails: look at its runs"
NO_HELP = "training does not help: look at the data or the features"
# By cause, as long as training has not been seen to bring nothing.
TRAIN: dict[Cause, str] = {
    "drift": "the world changed: train",
    "damage": "the change is estimated to cost the model: train",
    "freshness": "the model is old: train",
    "performance": "the labels prove the model worse: train",
}


def about(incident: Incident) -> str:
    """The incident in a few words."""
    where = "window" if incident.live else "batch"
    return f"{incident.cause} of {', '.join(incident.columns)} in {where} {incident.batch}"


def diagnosis(incident: Incident, row: int) -> str:
    """What is the matter where an incident is open, after `row` trainings without benefit."""
    return NO_HELP if row else TRAIN[incident.cause]
