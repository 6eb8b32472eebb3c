"""Stage `reference_profile`: what the training part looked like, for drift to compare with.

Belongs here: storing the profile. Does not belong here: computing it (`leeway.drift.profile`).
"""

import dagster as dg

from assets.stage import Stage, begin, metadata_of
from assets.training_set import read_part
from leeway.data.training_set import TRAIN
from leeway.digests import canonical_json
from leeway.drift.profile import profile_table
from resources.platform import Platform


def build(stage: Stage) -> dg.AssetsDefinition:
    """The asset `reference_profile` of a use case."""

    @stage.asset(
        "reference_profile",
        "Counts per column of the training part: the reference that batches are compared with.",
        "json",
    )
    def reference_profile(
        context: dg.AssetExecutionContext, platform: Platform
    ) -> dg.MaterializeResult[None]:
        work = begin(stage, platform, context, "reference_profile")
        table = read_part(work, TRAIN)
        profile = profile_table(table, stage.use_case.columns)
        data = canonical_json(profile.as_dict())
        commit = work.commit("reports", "json", data, rows=profile.rows)
        return dg.MaterializeResult(
            metadata=metadata_of(commit, columns=len(profile.columns), size_bytes=len(data))
        )

    return reference_profile
