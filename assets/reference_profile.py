"""Stage `reference_profile`: what the training part looked like, for drift to compare with.

Belongs here: reading the training part and the profiles of its batches, and storing what they are
together. Does not belong here: computing that (`leeway.drift.training_part`).
"""

import dagster as dg

from assets.stage import Input, Stage, begin, metadata_of
from assets.training_set import read_part
from leeway.data.training_set import TRAIN
from leeway.drift.declared import profile_table
from leeway.drift.stored import from_bytes, to_bytes
from leeway.drift.training_part import reference_stored
from leeway.plan import label
from resources.platform import Platform


def build(stage: Stage) -> dg.AssetsDefinition:
    """The asset `reference_profile` of a use case."""

    @stage.asset(
        "reference_profile",
        "Counts per column of the training part: the reference that batches are compared with.",
        "arrow",
    )
    def reference_profile(
        context: dg.AssetExecutionContext, platform: Platform
    ) -> dg.MaterializeResult[None]:
        batches = platform.ledger.require(stage.name, "training_set").facts["batches"]
        work = begin(stage, platform, context, "reference_profile", inputs=_inputs(platform, stage))
        train = profile_table(read_part(work, TRAIN), stage.use_case.columns)
        # One after the other: those of years are more than memory holds.
        stored = reference_stored(train, (from_bytes(work.read("profile", b)) for b in batches))
        data = to_bytes(stored)
        facts = {"batches": batches, "usual_batches": len(stored.history)}
        commit = work.commit("reports", "arrow", data, rows=train.rows, facts=facts)
        return dg.MaterializeResult(
            metadata=metadata_of(
                commit,
                columns=len(train.columns),
                size_bytes=len(data),
                usual_batches=len(stored.history),
            )
        )

    return reference_profile


def _inputs(platform: Platform, stage: Stage) -> dict[str, Input]:
    """The training set, and the profile of each batch that it is made of.

    Raises:
        LookupError: when one was never materialized, with the command that does it.
    """
    training_set = platform.ledger.require(stage.name, "training_set")
    profiles: dict[str, Input] = {
        label("profile", batch): platform.ledger.require(stage.name, "profile", batch)
        for batch in training_set.facts["batches"]
    }
    return {"training_set": training_set, **profiles}
