"""The inference log: what was answered, to whom it may concern, as rows of PostgreSQL.

Belongs here: writing rows of the table `monitoring.inference_log` exactly once, and reading them.
Does not belong here: what is written (`leeway.served.logged`), or when (`serving.inference_log`).
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from leeway.served.logged import COLUMNS
from resources.ledger import Ledger
from resources.postgres import has_table, transaction
from resources.settings import Settings

if TYPE_CHECKING:
    import psycopg2.extensions

_COPY = f"copy monitoring.inference_log ({', '.join(COLUMNS)}) from stdin"
# A service shuts down within seconds, and what it could not write is kept on its disk.
_LIMITS = "set local statement_timeout = '10s'; set local lock_timeout = '5s'"
_CUT_OFF_SECONDS = 15.0  # for a server that does not keep to that any more


class Unwritable(ValueError):
    """PostgreSQL will never take these rows: they are not what the table holds."""


def write(settings: Settings, rows: bytes) -> None:
    """Adds rows of one chunk, all or none; of a chunk that is there already, nothing again.

    Args:
        settings: of the installation.
        rows: from `leeway.served.logged.as_copied`, at least one.

    Raises:
        resources.postgres.PostgresUnavailable: when the server cannot be reached.
        psycopg2.Error: when it refuses now; whether it took them is then unknown. Write them again.
        Unwritable: when it never will.
    """
    copy_once(settings, _COPY, rows)


def copy_once(settings: Settings, statement: str, rows: bytes) -> None:
    """As `write`, by a COPY into a table of ours whose key is in the rows."""
    from psycopg2 import DataError, errors

    try:
        with transaction(settings, seconds=_CUT_OFF_SECONDS) as cursor:
            cursor.execute(_LIMITS)
            cursor.copy_expert(statement, io.BytesIO(rows), size=len(rows))
    except errors.UniqueViolation:
        return  # a chunk is committed whole, and no other has its ids
    except errors.UndefinedTable:  # an installation from before there was the table
        Ledger(settings).prepare()
        copy_once(settings, statement, rows)
    except DataError as error:
        raise Unwritable(str(error).strip()) from error


@dataclass(frozen=True)
class Entry:
    """One answer as it was logged; `at` is when, `row_key` what the client called the row."""

    prediction_id: str
    use_case: str
    version: int
    release: str
    at: datetime
    latency_seconds: float
    row_key: str | None
    inputs: dict[str, Any]
    answer: dict[str, Any]


_ENTRY = (
    "prediction_id::text, use_case, version, release_digest, at, latency_seconds, row_key, "
    "inputs, answer"
)


def find(cursor: psycopg2.extensions.cursor, prediction_id: str) -> Entry | None:
    """The answer with an id; None where the log has none, or no service has answered here yet."""
    if not has_table(cursor, "monitoring.inference_log"):
        return None
    cursor.execute(
        f"select {_ENTRY} from monitoring.inference_log where prediction_id = %s::uuid",  # noqa: S608  # a constant
        (prediction_id,),
    )
    row = cursor.fetchone()
    return None if row is None else Entry(*row)


def newest(settings: Settings, use_case: str, limit: int, before: str | None) -> list[Entry]:
    """The newest answers of a use case, newest first.

    Args:
        settings: of the installation.
        use_case: whose.
        limit: how many at most.
        before: id of an answer; only those before it. One that the log does not have has none.

    Raises:
        resources.postgres.PostgresUnavailable: when the server cannot be reached.
    """
    with transaction(settings) as cursor:
        cursor.execute(_LIMITS)
        cursor.execute(
            f"""
            select {_ENTRY} from monitoring.inference_log
            where use_case = %(use_case)s and (%(before)s::uuid is null or (at, prediction_id) <
                (select at, prediction_id from monitoring.inference_log
                 where prediction_id = %(before)s::uuid and use_case = %(use_case)s))
            order by at desc, prediction_id desc limit %(limit)s
            """,  # noqa: S608  # a constant
            {"use_case": use_case, "before": before, "limit": limit},
        )
        return [Entry(*row) for row in cursor.fetchall()]


def summary(settings: Settings, use_case: str, hours: float) -> list[dict[str, Any]]:
    """What each release answered in the last hours, newest version first.

    Counts, quantiles of latency in seconds, and of the predictions either the number per class, or
    mean, standard deviation, least, median and largest in the unit of the target.

    Raises:
        resources.postgres.PostgresUnavailable: when the server cannot be reached.
    """
    with transaction(settings) as cursor:
        cursor.execute(_LIMITS)
        cursor.execute(_SUMMARY, {"use_case": use_case, "hours": hours})
        names = [each.name for each in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


_SUMMARY = """
    with answered as (
        select version, release_digest, at, latency_seconds,
            jsonb_array_length(answer -> 'warnings') as warnings,
            answer ->> 'prediction' as class,
            case when jsonb_typeof(answer -> 'prediction') = 'number'
                then (answer ->> 'prediction')::double precision end as number
        from monitoring.inference_log
        where use_case = %(use_case)s and at >= now() - %(hours)s * interval '1 hour'
    ), classes as (
        select version, release_digest, jsonb_object_agg(class, counted) as classes
        from (select version, release_digest, class, count(*) as counted
              from answered where number is null group by 1, 2, 3) as each
        group by 1, 2
    )
    select a.version, a.release_digest as release, count(*) as predictions,
        count(*) filter (where warnings > 0) as predictions_with_warnings,
        min(at) as first_at, max(at) as last_at,
        jsonb_build_object(
            'p50', percentile_cont(0.5) within group (order by latency_seconds),
            'p95', percentile_cont(0.95) within group (order by latency_seconds),
            'p99', percentile_cont(0.99) within group (order by latency_seconds)
        ) as latency_seconds,
        c.classes,
        case when count(number) > 0 then jsonb_build_object(
            'mean', avg(number), 'standard_deviation', stddev_samp(number), 'min', min(number),
            'median', percentile_cont(0.5) within group (order by number), 'max', max(number)
        ) end as numbers
    from answered as a left join classes as c using (version, release_digest)
    group by a.version, a.release_digest, c.classes
    order by a.version desc, max(at) desc
"""
