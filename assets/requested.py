"""What the controller asked a run for, in the tags of the run.

Belongs here: the names of these tags, and whether the request still stands. Does not belong here:
asking for a run (`orchestration.retraining`).
"""

from collections.abc import Mapping

import dagster as dg

from assets.stage import Input, Stage, Work, begin
from resources.platform import Platform
from resources.settings import retraining_is_off
from resources.trainings import Asked

INCIDENT_TAG = "leeway/incident"
ATTEMPT_TAG = "leeway/attempt"
CAUSE_TAG = "leeway/cause"
ROOT_TAG = "dagster/root_run_id"  # of a run that is made again, its first


def asked_of(run: dg.DagsterRun) -> Asked | None:
    """What the controller asked the run for; None where it did not ask for it."""
    incident = run.tags.get(INCIDENT_TAG)
    return None if incident is None else Asked(incident, int(run.tags.get(ATTEMPT_TAG, 0)))


def begin_training(
    stage: Stage,
    platform: Platform,
    context: dg.AssetExecutionContext,
    name: str,
    inputs: Mapping[str, Input] | None = None,
) -> Work:
    """Begins an attempt at a node that trains or judges what was trained.

    A run that the controller asked for goes on only while it is wanted, which each of these nodes
    asks: Dagster carries out what it accepted, even where its daemon was down for hours meanwhile,
    makes a run again from the node that a crash ended, and of two daemons each may make a run for
    one key. The claim comes first, so that a second run does not take the attempt at the node from
    the first; the rest once the attempt has begun: from then on, no other training is decided.

    Raises:
        LookupError: when an input was never materialized, with the command that does it.
        dg.Failure: when another run trains for the attempt, when another training was decided
            since, when retraining was switched off, or when our own pipeline made a fault.
    """
    asked = asked_of(context.run)
    if asked is None:
        return begin(stage, platform, context, name, inputs=inputs)
    root = context.run.tags.get(ROOT_TAG, context.run.run_id)
    owner = platform.trainings.claim(stage.name, asked, root)
    if owner != root:
        raise dg.Failure(f"{stage.name}: run {owner} trains for this incident", allow_retries=False)
    work = begin(stage, platform, context, name, inputs=inputs)
    why = _unwanted(stage, platform, asked)
    if why is not None:
        platform.trainings.refuse(stage.name, asked, why)
        raise dg.Failure(
            f"{stage.name}: {why}; start a run of the job {stage.name}_retrain by hand to train "
            "nevertheless",
            allow_retries=False,
        )
    return work


def _unwanted(stage: Stage, platform: Platform, asked: Asked) -> str | None:
    """Why the controller does not want a training any more that it asked for; None: it does."""
    if retraining_is_off():
        return "LEEWAY_RETRAINING is off"
    if not stage.use_case.retraining.enabled:
        return "retraining.enabled is false"
    newest = platform.decisions.intents(stage.name, newest=1)
    if newest and asked != Asked(newest[0].incident, newest[0].attempt):
        return "another training was decided after this one"
    champion = platform.releases.champion(stage.name)
    own = champion and platform.releases.own_fault(stage.name, champion.digest)
    if own:
        return f"batch {own.batch} has a fault of our own pipeline, which is to be mended first"
    return None
