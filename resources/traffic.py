"""Live traffic of an installation: its windows, their rows, and the truth that is known of them.

Belongs here: the table `leeway.windows`, and reading the inference log by window. Does not belong
here: when a window is closed (`leeway.traffic.windows`), rows as a table (`leeway.traffic.rows`),
or writing the log (`resources.inference_log`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from leeway.spec import UseCase
from leeway.traffic.windows import Span, Window, closed_windows
from resources.postgres import transaction
from resources.settings import Settings

if TYPE_CHECKING:
    import psycopg2.extensions
    import psycopg2.sql

    from leeway.traffic.rows import Logged

_AT_ONCE = 20_000  # rows that are in memory as Python's objects
# Answers of a window, whose rows are named w and i.
_WITHIN = "i.use_case = w.use_case and i.at < w.until and (w.since is null or i.at >= w.since)"


def close_windows(settings: Settings, use_case: str, span: Span, now: datetime) -> list[str]:
    """Records the windows that have come to their end; returns the names of all, oldest first.

    Several processes may do so at once: one after the other.
    """
    with transaction(settings) as cursor:
        cursor.execute("select to_regclass('monitoring.inference_log')")
        if cursor.fetchone() == (None,):
            return []
        cursor.execute("select pg_advisory_xact_lock(hashtext(%s))", (f"windows.{use_case}",))
        cursor.execute("select max(until) from leeway.windows where use_case = %s", (use_case,))
        ((after,),) = cursor.fetchall()
        cursor.execute(
            "select date_trunc('hour', at, 'UTC'), count(*) from monitoring.inference_log "
            "where use_case = %s and (%s::timestamptz is null or at >= %s) group by 1",
            (use_case, after, after),
        )
        found = closed_windows(dict(cursor.fetchall()), after, now, span)
        cursor.executemany(
            "insert into leeway.windows (use_case, batch, since, until) values (%s, %s, %s, %s)",
            [(use_case, each.name, each.since, each.until) for each in found],
        )
        return [each.name for each in _windows(cursor, use_case)]


def windows(settings: Settings, use_case: str) -> list[Window]:
    """Those that were closed, oldest first."""
    with transaction(settings) as cursor:
        return _windows(cursor, use_case)


def _windows(cursor: psycopg2.extensions.cursor, use_case: str) -> list[Window]:
    cursor.execute(
        "select since, until from leeway.windows where use_case = %s order by ordinal", (use_case,)
    )
    return [Window(*row) for row in cursor.fetchall()]


def window(settings: Settings, use_case: str, name: str) -> Window:
    """The window of a name.

    Raises:
        LookupError: when there is none.
    """
    with transaction(settings) as cursor:
        cursor.execute(
            "select since, until from leeway.windows where use_case = %s and batch = %s",
            (use_case, name),
        )
        row = cursor.fetchone()
    if row is None:
        raise LookupError(f"{use_case}: no window of live traffic is called {name}")
    return Window(*row)


def answer_counts(settings: Settings, use_case: str, since: datetime) -> dict[str, str | None]:
    """How many answers the log has of each window that ended after a time.

    The log only grows: another number is that more came. None where it has fewer than were read:
    somebody removed old ones, and what was read stays.
    """
    with transaction(settings) as cursor:
        cursor.execute(
            f"""
            select w.batch, case when count(i.use_case) >= coalesce(max(m.rows), 0)
                then count(i.use_case)::text end
            from leeway.windows as w
            left join monitoring.inference_log as i on {_WITHIN}
            left join leeway.current as c
                on (c.use_case, c.node, c.batch) = (w.use_case, 'traffic', w.batch)
            left join leeway.commits as m on m.id = c.commit_id
            where w.use_case = %s and w.until > %s group by w.batch
            """,  # noqa: S608  # a constant
            (use_case, since),
        )
        return dict(cursor.fetchall())


def rows_of(settings: Settings, use_case: str, asked: Window) -> Iterator[list[Logged]]:
    """The answers of a window in the order in which they were given, some at a time."""
    from leeway.traffic.rows import Logged

    with transaction(settings) as cursor:
        # The server keeps the rest: the answers of an hour may be millions.
        cursor.execute(
            """
            declare answers no scroll cursor for
            select prediction_id::text, row_key, at, version, inputs::text, answer::text
            from monitoring.inference_log
            where use_case = %s and at < %s and (%s::timestamptz is null or at >= %s)
            order by at, prediction_id
            """,
            (use_case, asked.until, asked.since, asked.since),
        )
        while True:
            cursor.execute(f"fetch {_AT_ONCE} from answers")
            found = [Logged(*row) for row in cursor.fetchall()]
            if not found:
                return
            yield found


def truth_changes(settings: Settings, name: str, use_case: UseCase) -> dict[str, str]:
    """For each window of which the truth of a row is known, a text that changes when it does."""
    with transaction(settings) as cursor:
        truth = _truth(cursor, name, use_case)
        cursor.execute(
            truth
            + _asked()
            + _sql(
                "select batch, count(*)::text || ':' || sum(hashtextextended(row_key || ' ' || "
                "label, 0))::text from asked join truth using (row_key) group by batch"
            ),
            {"name": name, "batch": None},
        )
        return dict(cursor.fetchall())


def truth_of(settings: Settings, name: str, use_case: UseCase, batch: str) -> list[tuple[str, str]]:
    """Key and truth, both as text, of each row of a window of which it is known by now.

    A label that came apart goes before the target of a clean row of the same key.
    """
    with transaction(settings) as cursor:
        truth = _truth(cursor, name, use_case)
        cursor.execute(
            truth
            + _asked()
            + _sql(
                "select distinct row_key, label from asked join truth using (row_key) order by 1"
            ),
            {"name": name, "batch": batch},
        )
        return cursor.fetchall()


def _truth(
    cursor: psycopg2.extensions.cursor, name: str, use_case: UseCase
) -> psycopg2.sql.Composable:
    """The beginning of a statement with a table `truth`, of `row_key` and `label`."""
    from psycopg2 import sql

    cursor.execute("select to_regclass(%s)", (f'"{name}".clean',))
    clean: sql.Composable = sql.SQL("select null::text as row_key, null::text as label where false")
    if cursor.fetchone() != (None,):
        clean = sql.SQL(
            "select {key}::text as row_key, {target}::text as label from {clean} "
            "where {target} is not null"
        ).format(
            key=sql.Identifier(use_case.key.name),
            target=sql.Identifier(use_case.target.name),
            clean=sql.Identifier(name, "clean"),
        )
    return sql.SQL(
        """
        with apart as (
            select distinct on (row_key) row_key, label from leeway.labels
            where use_case = %(name)s and problem is null and withdrawn_at is null
            order by row_key, arrived_at desc, id desc
        ), own as ({clean}), truth as (
            select row_key, coalesce(apart.label, own.label) as label
            from apart full join own using (row_key)
        ),
        """
    ).format(clean=clean)


def _asked() -> psycopg2.sql.Composable:
    """The keys that were asked for, by window; of one window, or of all."""
    return _sql(
        f"""
        asked as (
            select distinct w.batch, i.row_key from leeway.windows as w
            join monitoring.inference_log as i on {_WITHIN}
            where w.use_case = %(name)s and i.row_key is not null
                and (%(batch)s::text is null or w.batch = %(batch)s)
        )
        """  # noqa: S608  # a constant
    )


def _sql(text: str) -> psycopg2.sql.Composable:
    from psycopg2 import sql

    return sql.SQL(text)
