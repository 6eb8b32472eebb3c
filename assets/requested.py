"""What the controller asked a run for, in the tags of the run.

Belongs here: the names of these tags, and whether the request still stands. Does not belong here:
asking for a run (`orchestration.retraining`).
"""

import dagster as dg

from assets.stage import Stage
from resources.platform import Platform
from resources.settings import retraining_is_off

INCIDENT_TAG = "leeway/incident"
ATTEMPT_TAG = "leeway/attempt"
CAUSE_TAG = "leeway/cause"
ROOT_TAG = "dagster/root_run_id"  # of a run that is made again, its first


def require_still_wanted(stage: Stage, platform: Platform, run: dg.DagsterRun) -> None:
    """A run that the controller asked for goes on only while it is the newest that was decided.

    Dagster carries out what it has accepted, even where its daemon was down for hours meanwhile,
    and of two daemons each may make a run for one key. Called once the attempt has begun: from then
    on, no other training is decided.

    Raises:
        dg.Failure: when another training was decided since, when another run has trained for the
            incident, or when retraining was switched off.
    """
    tags = run.tags
    if INCIDENT_TAG not in tags:
        return
    if retraining_is_off():
        raise dg.Failure(f"{stage.name}: LEEWAY_RETRAINING is off", allow_retries=False)
    newest = platform.decisions.intents(stage.name, newest=1)
    asked = (tags[INCIDENT_TAG], tags.get(ATTEMPT_TAG))
    if newest and asked != (newest[0].incident, str(newest[0].attempt)):
        raise dg.Failure(
            f"{stage.name}: another training was decided after this one; start a run of the job "
            f"{stage.name}_retrain by hand to train nevertheless",
            allow_retries=False,
        )
    trained = platform.releases.run_for(stage.name, tags[INCIDENT_TAG])
    if trained not in (None, run.run_id, tags.get(ROOT_TAG)):
        raise dg.Failure(
            f"{stage.name}: run {trained} has trained for this incident", allow_retries=False
        )
