"""Labels of an installation: taken in from their source once, and what of them is known at a time.

Belongs here: the tables `leeway.labels` and `leeway.label_batches`. Does not belong here: judging a
row (`leeway.labels`), or metrics that rest on labels (`leeway.performance`).
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from leeway.data.shared_keys import as_text
from leeway.data.validation import SchemaMismatch
from leeway.data.values import ARROW_TYPES
from leeway.labels import GivenLabels, read_labels
from leeway.spec import Labels, UseCase
from resources.files import SourceError
from resources.postgres import has_table, transaction
from resources.settings import Settings
from resources.sources import BatchSource, open_labels

if TYPE_CHECKING:
    import psycopg2.extensions
    import pyarrow as pa

# Of several labels of a row the first in this order counts: the one that arrived last, and of those
# that arrived together the one that was read last.
COUNTS_FIRST = "arrived_at desc, id desc"


@dataclass(frozen=True)
class TakenIn:
    """What was read just now of one batch of labels; `problems` are of rows that are none."""

    batch: str
    rows: int
    problems: tuple[str, ...]


def take_in(
    settings: Settings, name: str, use_case: UseCase, labels: Labels, now: Callable[[], datetime]
) -> list[TakenIn]:
    """Reads the batches of labels that are new or changed, each in one transaction.

    One that is gone from the source stays. Run twice, it reads nothing the second time.

    Raises:
        resources.files.SourceError: when the source cannot be read, or has not these columns; what
            was read before that stays.
    """
    source = open_labels(labels)
    known = _fingerprints(settings, name)
    found = []
    for batch in source.batches():
        fingerprint = source.fingerprint(batch)
        if batch not in known or known[batch] != fingerprint:
            given = _given(source, batch, use_case, labels)
            _replace(settings, name, batch, fingerprint, given, now())
            found.append(TakenIn(batch, given.table.num_rows, tuple(given.problems)))
    return found


def changes(settings: Settings, name: str, key: str) -> dict[str, str]:
    """For each clean batch that has labels, a text that changes when a label of it does.

    Args:
        settings: of the installation.
        name: of the use case.
        key: its key column.
    """
    from psycopg2 import sql

    statement = sql.SQL(
        "select c.batch_id, max(greatest(l.id, l.withdrawn_by))::text from {} as c "
        "join leeway.labels as l on l.row_key = c.{}::text "
        "where l.use_case = %s and l.problem is null group by c.batch_id"
    ).format(sql.Identifier(name, "clean"), sql.Identifier(key))
    with transaction(settings) as cursor:
        if not has_table(cursor, f'"{name}".clean'):
            return {}
        cursor.execute(statement, (name,))
        return dict(cursor.fetchall())


def known_labels(
    settings: Settings, name: str, use_case: UseCase, keys: pa.ChunkedArray, at: datetime
) -> pa.Table:
    """The label of each key as it was known at a time; a key without one has no row.

    What was read later was not known, whenever it arrived at the source.

    Returns:
        Columns `key`, `label` (of the types of key and target), `event_at` and `arrived_at`.
    """
    import pyarrow as pa

    with transaction(settings) as cursor:
        # By COPY: as a parameter, a million keys are a statement of 20 MB.
        cursor.execute("create temporary table asked (row_key text) on commit drop")
        asked = pa.table({"row_key": as_text(keys)})
        cursor.copy_expert("copy asked from stdin with (format csv)", _as_csv(asked))
        cursor.execute(
            f"""
            select distinct on (row_key) row_key, label, event_at, arrived_at
            from (select distinct row_key from asked) as asked
            join leeway.labels using (row_key)
            where use_case = %(name)s and problem is null
                and read_at <= %(at)s and (withdrawn_at is null or withdrawn_at > %(at)s)
            order by row_key, {COUNTS_FIRST}
            """,  # noqa: S608  # a constant
            {"name": name, "at": at},
        )
        rows = cursor.fetchall()
    columns = list(zip(*rows, strict=True)) or [()] * 4
    when = pa.timestamp("us", tz="UTC")
    return pa.table(
        {
            "key": pa.array(columns[0], pa.string()).cast(ARROW_TYPES[use_case.key.type]),
            "label": pa.array(columns[1], pa.string()).cast(ARROW_TYPES[use_case.target.type]),
            "event_at": pa.array(columns[2], when),
            "arrived_at": pa.array(columns[3], when),
        }
    )


def _fingerprints(settings: Settings, name: str) -> dict[str, str | None]:
    with transaction(settings) as cursor:
        cursor.execute(
            "select batch, fingerprint from leeway.label_batches where use_case = %s", (name,)
        )
        return dict(cursor.fetchall())


def _given(source: BatchSource, batch: str, use_case: UseCase, labels: Labels) -> GivenLabels:
    try:
        return read_labels(source.read(batch), use_case, labels)
    except SchemaMismatch as error:
        raise SourceError(f"{source.place(batch)}: {error}") from error


def _replace(
    settings: Settings,
    name: str,
    batch: str,
    fingerprint: str | None,
    given: GivenLabels,
    now: datetime,
) -> None:
    """Withdraws what the batch had, and adds what it has."""
    with transaction(settings) as cursor:
        cursor.execute("select pg_advisory_xact_lock(hashtext(%s))", (f"labels.{name}",))
        cursor.execute(
            "select fingerprint from leeway.label_batches where use_case = %s and batch = %s",
            (name, batch),
        )
        if cursor.fetchone() == (fingerprint,):
            return  # another process was faster
        cursor.execute(
            "update leeway.labels set withdrawn_at = %s, "
            "withdrawn_by = nextval('leeway.label_changes') "
            "where use_case = %s and batch = %s and withdrawn_at is null",
            (now, name, batch),
        )
        _copy(cursor, name, batch, given, now)
        cursor.execute(
            "insert into leeway.label_batches values (%s, %s, %s, %s, %s, %s) "
            "on conflict (use_case, batch) do update set fingerprint = excluded.fingerprint, "
            "rows = excluded.rows, problems = excluded.problems, read_at = excluded.read_at",
            (name, batch, fingerprint, given.table.num_rows, len(given.problems), now),
        )


def _copy(
    cursor: psycopg2.extensions.cursor, name: str, batch: str, given: GivenLabels, now: datetime
) -> None:
    import pyarrow as pa
    import pyarrow.compute as pc

    rows = given.table.num_rows
    moment = pa.scalar(now, pa.timestamp("us", tz="UTC"))
    table = given.table.set_column(
        given.table.column_names.index("arrived_at"),
        "arrived_at",
        pc.coalesce(given.table["arrived_at"], moment),
    )
    for column, value in (("use_case", name), ("batch", batch)):
        table = table.append_column(column, pa.array([value] * rows, pa.string()))
    table = table.append_column("read_at", pa.array([now] * rows, moment.type))
    # The names are literals of `leeway.labels` and of this module.
    into = f"copy leeway.labels ({', '.join(table.column_names)}) from stdin with (format csv)"
    cursor.copy_expert(into, _as_csv(table))


def _as_csv(table: pa.Table) -> io.BytesIO:
    from pyarrow import csv

    buffer = io.BytesIO()
    csv.write_csv(table, buffer, csv.WriteOptions(include_header=False))
    buffer.seek(0)
    return buffer
