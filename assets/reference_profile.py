"""Stage `reference_profile`: what the training part looked like, for drift to compare with.

Belongs here: storing the profile, that of its batches at each step of their cleaning, and what is
usual of these batches. Does not belong here: computing them (`leeway.drift`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import dagster as dg

from assets.stage import Input, Stage, Work, begin, metadata_of
from assets.training_set import read_part
from leeway.data.training_set import TRAIN
from leeway.drift.declared import profile_table
from leeway.drift.history import MOST_BATCHES
from leeway.drift.stored import Stored, from_bytes, merged, to_bytes
from leeway.drift.usual import history_of
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
        together = merged(_stored(work, batches))
        newest = [each.profiles["clean"] for each in _stored(work, batches[-MOST_BATCHES:])]
        history = history_of(train, newest, _rows(platform, stage, batches))
        stored = replace(together, profiles={"train": train, **together.profiles}, history=history)
        data = to_bytes(stored)
        facts = {"batches": batches, "usual_batches": len(history)}
        commit = work.commit("reports", "arrow", data, rows=train.rows, facts=facts)
        return dg.MaterializeResult(
            metadata=metadata_of(
                commit,
                columns=len(train.columns),
                size_bytes=len(data),
                usual_batches=len(history),
            )
        )

    return reference_profile


def _stored(work: Work, batches: Sequence[str]) -> Iterator[Stored]:
    """The profiles of batches, one after the other: those of years are more than memory holds."""
    return (from_bytes(work.read("profile", batch)) for batch in batches)


def _rows(platform: Platform, stage: Stage, batches: Sequence[str]) -> int:
    found = [platform.ledger.require(stage.name, "profile", batch).rows for batch in batches]
    return sum(rows or 0 for rows in found)


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
