"""Stage `labels`: what is known by now of the truth of a batch's rows, where it comes apart.

Belongs here: taking in what is new, and storing what a batch has of it. Does not belong here:
judging a label (`leeway.labels`), keeping them (`resources.labels`), or what rests on them.
"""

from datetime import UTC, datetime
from typing import Any

import dagster as dg

from assets.stage import Stage, Work, batches_of, begin, metadata_of
from leeway.data.tables import from_parquet, to_parquet
from leeway.spec import Labels
from resources.files import SourceError
from resources.labels import changes, known_labels, take_in
from resources.platform import Platform


def build(stage: Stage, source: Labels) -> dg.AssetsDefinition:
    """The asset `labels` of a use case."""

    @stage.asset(
        "labels",
        "One row per row of a batch whose label is known by now: the newest that arrived.",
        "parquet",
        "postgres",
    )
    def labels(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult[None]:
        _take_in(context, platform, stage, source)
        found = changes(platform.settings, stage.name, stage.use_case.key.name)
        metadata: dict[str, Any] = {}
        for batch in batches_of(context):
            work = begin(stage, platform, context, "labels", batch)
            metadata = _store(work, batch, found.get(batch))
            context.add_asset_metadata(metadata, stage.key("labels"), partition_key=batch)
        return dg.MaterializeResult(metadata=metadata)

    return labels


def _take_in(
    context: dg.AssetExecutionContext, platform: Platform, stage: Stage, source: Labels
) -> None:
    try:
        taken = take_in(
            platform.settings, stage.name, stage.use_case, source, lambda: datetime.now(UTC)
        )
    except SourceError as error:
        raise dg.Failure(f"{stage.name}, labels: {error}", allow_retries=False) from error
    for each in taken:
        if each.problems:
            context.log.warning(
                "labels, batch %s: %d of %d rows are no labels; the first: %s", each.batch,
                len(each.problems), each.rows, each.problems[0],
            )  # fmt: skip


def _store(work: Work, batch: str, change: str | None) -> dict[str, Any]:
    """Stores what is known now; `change` was read before it, so that nothing new is missed."""
    stage, now = work.stage, datetime.now(UTC)
    keys = from_parquet(work.read("clean", batch))[stage.use_case.key.name]
    known = known_labels(work.platform.settings, stage.name, stage.use_case, keys, now)
    maturity = known.num_rows / len(keys) if len(keys) else None
    facts = {"source_digest": change, "maturity": maturity, "known_at": now.isoformat()}
    commit = work.commit("clean", "parquet", to_parquet(known), rows=known.num_rows, facts=facts)
    return metadata_of(
        commit, batch=batch, maturity="undefined" if maturity is None else maturity,
        known_at=facts["known_at"],
    )  # fmt: skip
