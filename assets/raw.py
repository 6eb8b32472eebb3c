"""Stage `raw`: what the source gave, stored as it is, and its accepted rows in PostgreSQL.

Belongs here: reading the source, and what the node says of itself. Does not belong here: the rules
for rows (`leeway.data.validation`), or what is stored of them (`assets.loading`).
"""

from functools import partial
from typing import Any

import dagster as dg

from assets.columns import column_schema
from assets.judging import judge
from assets.loading import as_object, counts, load, stored_again
from assets.stage import Stage, batches_of, begin, give_back_memory, metadata_of, tell
from leeway.data.validation import SchemaMismatch
from resources.files import SourceError
from resources.ledger import Commit
from resources.locks import one_at_a_time
from resources.platform import Platform
from resources.sources import Topic
from resources.stand_ins import reading_of


def build(stage: Stage) -> dg.AssetsDefinition:
    """The asset `raw` of a use case."""

    @stage.asset(
        "raw",
        "One row per row of the source, exactly as it came; rows that break a rule are in the "
        "table rejects with the reason.",
        "parquet",
        "postgres",
    )
    def raw(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult[None]:
        metadata: dict[str, Any] = {}
        for batch in batches_of(context):
            metadata = _materialize(context, platform, stage, batch)
            tell(context, stage.key("raw"), batch, metadata)
        return dg.MaterializeResult(metadata=metadata)

    return raw


def _materialize(
    context: dg.AssetExecutionContext, platform: Platform, stage: Stage, batch: str
) -> dict[str, Any]:
    """Stores and loads one batch; raises a `dg.Failure` that names what is wrong."""
    platform.ledger.register_batches(stage.name, [batch])
    work = begin(stage, platform, context, "raw", batch)
    try:
        reading = reading_of(stage.name, stage.use_case, platform.settings)
        source = reading.source
        # Before the rows: a batch that changes in between is read again, never taken for read.
        source_digest = source.fingerprint(batch)
        table = source.read(batch)
    except SourceError as error:  # its message begins with the place
        raise dg.Failure(f"{stage.name}, batch {batch}: {error}", allow_retries=False) from error
    # Which keys are whose is decided by one process at a time: two would give one key to both.
    with one_at_a_time(platform.settings, f"{stage.name}.raw"):
        try:
            judged, again = judge(platform, stage, batch, table)
        except SchemaMismatch as error:
            where = f"{stage.name}, batch {batch}: {source.place(batch)}"
            raise dg.Failure(f"{where}: {error}", allow_retries=False) from error
        others = [stored_again(work, each) for each in again]
        given = as_object(table, judged)
        del table  # of a million rows, 200 MB
        give_back_memory()
        commit = work.commit(
            "raw",
            "parquet",
            given,
            rows=judged.accepted.num_rows,
            facts={
                "source": reading.description,
                "origin": source.origin,
                "source_digest": source_digest,
                "ignored_columns": list(judged.ignored_columns),
                **counts(judged),
            },
            also=partial(load, work=work, judged=judged, reading=reading, others=others),
        )
    if isinstance(source, Topic):
        source.tell_stored()
    if reading.note:
        context.log.warning("batch %s: %s", batch, reading.note)
    if judged.ignored_columns:
        names = ", ".join(judged.ignored_columns)
        context.log.warning("batch %s: ignored columns %s", batch, names)
    for each in again:
        _tell(context, platform, stage, each.commit.batch, batch)
    return _metadata(stage, commit)


def _metadata(stage: Stage, commit: Commit) -> dict[str, Any]:
    facts = commit.facts
    return metadata_of(
        commit,
        **{
            "dagster/table_name": f"{stage.name}.raw",
            "dagster/column_schema": column_schema(stage.use_case.given_columns),
            "source": facts["source"],
            "origin": facts["origin"],
            "rows_in_source": facts["rows"],
            "rejected_rows": facts["rejected"],
            "reject_reasons": dg.MetadataValue.json(facts["reasons"]),
            "ignored_columns": dg.MetadataValue.json(facts["ignored_columns"]),
        },
    )


def _tell(
    context: dg.AssetExecutionContext, platform: Platform, stage: Stage, other: str, batch: str
) -> None:
    """Tells Dagster and the log of a batch that was judged again because of another."""
    commit = platform.ledger.require(stage.name, "raw", other)
    context.log.warning(
        "batch %s was judged again, because it shares keys with batch %s, which comes before it: "
        "%s of its %s rows are rejected now", other, batch, commit.facts["rejected"],
        commit.facts["rows"],
    )  # fmt: skip
    tell(context, stage.key("raw"), other, _metadata(stage, commit))
