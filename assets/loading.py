"""What is stored of a judged batch: its object, its rows in the tables raw and rejects, its counts.

Belongs here: how a batch, and those that were judged again because of it, become visible at once.
Does not belong here: reading it (`assets.raw`), or judging it (`assets.judging`).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.judging import JudgedAgain
from assets.stage import Work
from leeway.data.tables import to_parquet
from leeway.data.validation import Validated
from leeway.data.values import POSTGRES_TYPES
from leeway.digests import digest_of
from resources.files import SourceError
from resources.stand_ins import Reading, hold_against
from resources.warehouse import Unconvertible, ensure_table, replace_batch, retype

if TYPE_CHECKING:
    import psycopg2.extensions
    import pyarrow as pa

# A batch, and what `Ledger.amend` makes of its commit.
Amended = tuple[JudgedAgain, Mapping[str, Any]]
REJECT_COLUMNS = {
    "row_number": "bigint",
    "column_name": "text",
    "value": "text",
    "reason": "text",
    "place": "text",
}
ADDED_COLUMNS = {"batch_id": "text", "loaded_at": "timestamptz default now()"}


def counts(judged: Validated) -> dict[str, Any]:
    """How many rows a batch has, and what was rejected of them."""
    reasons = Counter(f"{reject.column}: {reject.reason}" for reject in judged.rejects)
    return {"rows": judged.rows, "rejected": judged.rejected_rows, "reasons": dict(reasons)}


def as_object(table: "pa.Table", judged: Validated) -> bytes:
    """The rows as they came, and a note that differs when other rows of them are accepted.

    What reads a batch depends on which rows those are, and looks at the digest of the object alone.
    """
    rejected = sorted({reject.row_number for reject in judged.rejects})
    return to_parquet(table, {"leeway.rejected_rows": digest_of(rejected)} if rejected else None)


def stored_again(work: Work, again: JudgedAgain) -> Amended:
    """Stores a batch of which other rows are accepted than before, and what its commit becomes."""
    stored = work.put("raw", "parquet", as_object(again.table, again.judged))
    return again, {
        "digest": stored["digest"],
        "uri": stored["uri"],
        "rows": again.judged.accepted.num_rows,
        "facts": {**again.commit.facts, **counts(again.judged)},
        "run_id": work.attempt.run_id,
    }


def load(
    cursor: "psycopg2.extensions.cursor",
    *,
    work: Work,
    judged: Validated,
    reading: Reading,
    others: Sequence[Amended],
) -> None:
    """Replaces the batch in the tables raw and rejects, and the others that were judged again."""
    stage, batch = work.stage, work.attempt.batch
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
    ensure_table(cursor, stage.name, "raw", {**columns, **ADDED_COLUMNS})
    ensure_table(cursor, stage.name, "rejects", {**REJECT_COLUMNS, **ADDED_COLUMNS})
    _replace(cursor, stage.name, batch, judged)
    for other, amended in others:
        _replace(cursor, stage.name, other.commit.batch, other.judged)
        work.platform.ledger.amend(cursor, other.commit, **amended)


def _replace(
    cursor: "psycopg2.extensions.cursor", use_case: str, batch: str, judged: Validated
) -> None:
    replace_batch(cursor, use_case, "raw", batch, _with_batch(judged.accepted, batch))
    replace_batch(cursor, use_case, "rejects", batch, _with_batch(_reject_table(judged), batch))


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
