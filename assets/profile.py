"""Stage `profile`: what a batch looks like, as counts that merge, at each step of its cleaning.

Belongs here: reading a batch as raw, staged and clean, and storing its profiles. Does not belong
here: computing them (`leeway.drift.profile`). That of `clean` is what drift is judged by; those
before it tell where a change came from.
"""

from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.stage import Stage, Work, batches_of, begin, metadata_of
from leeway.definitions import definitions_of
from leeway.drift.declared import kinds_of, profile_table, time_of
from leeway.drift.profile import Profile, profile_parquet
from leeway.drift.stored import Stored, to_bytes
from resources.origin import git_commit
from resources.platform import Platform
from resources.settings import PROJECT
from resources.warehouse import read_batch

if TYPE_CHECKING:
    from leeway.spec import Column

BEFORE_CLEAN = ("raw", "staged")


def build(stage: Stage) -> dg.AssetsDefinition:
    """The asset `profile` of a use case."""

    @stage.asset(
        "profile",
        "Counts per column of a batch, as raw, staged and clean: they add up to any window.",
        "arrow",
    )
    def profile(
        context: dg.AssetExecutionContext, platform: Platform
    ) -> dg.MaterializeResult[None]:
        metadata: dict[str, Any] = {}
        commit = git_commit()
        for batch in batches_of(context):
            work = begin(stage, platform, context, "profile", batch)
            metadata = _store(work, batch, commit)
            context.add_asset_metadata(metadata, stage.key("profile"), partition_key=batch)
        return dg.MaterializeResult(metadata=metadata)

    return profile


def _store(work: Work, batch: str, made_from: str | None) -> dict[str, Any]:
    import pyarrow as pa

    columns = work.stage.use_case.columns
    data = pa.py_buffer(work.read("clean", batch))
    profiles = {"clean": profile_parquet(data, kinds_of(columns), time_of(columns))}
    for layer in BEFORE_CLEAN:
        profiles[layer] = _of_table(work, layer, batch, columns)
    definitions = definitions_of(work.stage.name, work.stage.use_case, PROJECT)
    stored = to_bytes(
        Stored(
            profiles,
            definitions={layer: [digest] for layer, digest in definitions.items()},
            commits=[made_from] if made_from else [],
        )
    )
    clean = profiles["clean"]
    facts = {"until": clean.until, "since": clean.since}
    commit = work.commit("reports", "arrow", stored, rows=clean.rows, facts=facts)
    return metadata_of(commit, batch=batch, columns=len(clean.columns), size_bytes=len(stored))


def _of_table(work: Work, layer: str, batch: str, columns: "tuple[Column, ...]") -> Profile:
    """The profile of a batch as it is in the warehouse, of the columns that it has there."""
    stage = work.stage
    key = stage.use_case.key.name
    table = read_batch(stage.name, layer, batch, [key], work.platform.settings)
    there = [column for column in columns if column.name in table.column_names]
    return profile_table(table, there)
