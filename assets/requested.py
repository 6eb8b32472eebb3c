"""What the controller asked a run for, in the tags of the run.

Belongs here: the names of these tags, and whether the request still stands. Does not belong here:
asking for a run (`orchestration.retraining`).
"""

from collections.abc import Mapping

import dagster as dg

from assets.stage import Stage
from resources.platform import Platform

INCIDENT_TAG = "leeway/incident"
ATTEMPT_TAG = "leeway/attempt"
CAUSE_TAG = "leeway/cause"


def require_newest_decision(stage: Stage, platform: Platform, tags: Mapping[str, str]) -> None:
    """A run that the controller asked for goes on only while no other was decided after it.

    Dagster carries out what it has accepted, even where its daemon was down for hours meanwhile.

    Raises:
        dg.Failure: when another training was decided since.
    """
    asked = (tags.get(INCIDENT_TAG), tags.get(ATTEMPT_TAG))
    newest = platform.decisions.intents(stage.name, newest=1)
    if None in asked or not newest or asked == (newest[0].incident, str(newest[0].attempt)):
        return
    raise dg.Failure(
        f"{stage.name}: another training was decided after this one; start a run of the job "
        f"{stage.name}_retrain by hand to train nevertheless",
        allow_retries=False,
    )
