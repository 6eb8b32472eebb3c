"""Stage `raw`: what the source gave, stored as it is, and its accepted rows in PostgreSQL.

Belongs here: reading the source, storing the batch, loading accepted rows and rejects. Does not
belong here: the rules for rows (`leeway.data.validation`).
"""

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.columns import column_schema
from assets.stage import Stage, batches_of, begin, give_back_memory, metadata_of
from leeway.data.tables import to_parquet
from leeway.data.validation import SchemaMismatch, Validated, validate
from leeway.data.values import POSTGRES_TYPES
from resources.files import SourceError
from resources.platform import Platform
from resources.sources import Topic
from resources.stand_ins import Reading, hold_against, reading_of
from resources.warehouse import Unconvertible, ensure_table, keys_of, replace_batch, retype

if TYPE_CHECKING:
    import psycopg2.extensions
    import pyarrow as pa

REJECT_COLUMNS = {
    "row_number": "bigint",
    "column_name": "text",
    "value": "text",
    "reason": "text",
    "place": "text",
}
ADDED_COLUMNS = {"batch_id": "text", "loaded_at": "timestamptz default now()"}


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
            context.add_asset_metadata(metadata, stage.key("raw"), partition_key=batch)
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
        judged = validate(table, stage.use_case, _taken(platform, stage, batch), batch=batch)
    except SourceError as error:  # its message begins with the place
        raise dg.Failure(f"{stage.name}, batch {batch}: {error}", allow_retries=False) from error
    except SchemaMismatch as error:
        where = f"{stage.name}, batch {batch}: {source.place(batch)}"
        raise dg.Failure(f"{where}: {error}", allow_retries=False) from error
    reasons = Counter(f"{reject.column}: {reject.reason}" for reject in judged.rejects)
    given = to_parquet(table)
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
            "rows": judged.rows,
            "rejected": judged.rejected_rows,
            "reasons": dict(reasons),
            "ignored_columns": list(judged.ignored_columns),
        },
        also=partial(_load, stage=stage, batch=batch, judged=judged, reading=reading),
    )
    if isinstance(source, Topic):
        source.tell_stored()
    if reading.note:
        context.log.warning("batch %s: %s", batch, reading.note)
    if judged.ignored_columns:
        names = ", ".join(judged.ignored_columns)
        context.log.warning("batch %s: ignored columns %s", batch, names)
    return metadata_of(
        commit,
        **{
            "dagster/table_name": f"{stage.name}.raw",
            "dagster/column_schema": column_schema(stage.use_case.given_columns),
            "source": reading.description,
            "origin": source.origin,
            "rows_in_source": judged.rows,
            "rejected_rows": judged.rejected_rows,
            "reject_reasons": dg.MetadataValue.json(dict(reasons)),
            "ignored_columns": dg.MetadataValue.json(list(judged.ignored_columns)),
        },
    )


def _taken(platform: Platform, stage: Stage, batch: str) -> "pa.Table | None":
    """The keys of the batches that were known before this one."""
    known = platform.ledger.batches(stage.name)
    earlier = known[: known.index(batch)]
    key = stage.use_case.key.name
    return keys_of(stage.name, "raw", key, earlier, platform.settings) if earlier else None


def _load(
    cursor: "psycopg2.extensions.cursor",
    *,
    stage: Stage,
    batch: str,
    judged: Validated,
    reading: Reading,
) -> None:
    """Replaces the batch in the tables raw and rejects."""
    declared = {c.name: POSTGRES_TYPES[c.type] for c in stage.use_case.given_columns}
    columns = {**declared, "row_number": "bigint"}
    try:
        hold_against(cursor, stage.name, batch, reading)
    except SourceError as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    try:
        retype(cursor, stage.name, "raw", columns, replacing=batch)
    except Unconvertible as error:
        raise dg.Failure(f"{stage.name}, batch {batch}: {error}", allow_retries=False) from error
    for table, types, rows in (
        ("raw", columns, judged.accepted),
        ("rejects", REJECT_COLUMNS, _reject_table(judged)),
    ):
        ensure_table(cursor, stage.name, table, {**types, **ADDED_COLUMNS})
        replace_batch(cursor, stage.name, table, batch, _with_batch(rows, batch))


def _with_batch(rows: "pa.Table", batch: str) -> "pa.Table":
    import pyarrow as pa

    return rows.append_column("batch_id", pa.array([batch] * rows.num_rows, pa.string()))


def _reject_table(judged: Validated) -> "pa.Table":
    import pyarrow as pa

    return pa.table(
        {
            "row_number": pa.array([r.row_number for r in judged.rejects], pa.int64()),
            "column_name": pa.array([r.column for r in judged.rejects], pa.string()),
            "value": pa.array([r.value for r in judged.rejects], pa.string()),
            "reason": pa.array([r.reason for r in judged.rejects], pa.string()),
            "place": pa.array([r.place for r in judged.rejects], pa.string()),
        }
    )
