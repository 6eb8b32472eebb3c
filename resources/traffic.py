"""Live traffic of an installation: its windows, their rows, and the truth that is known of them.

Belongs here: the table `leeway.windows`, and reading the inference log by window. Does not belong
here: when a window is closed (`leeway.traffic.windows`), rows as a table (`leeway.traffic.rows`),
or writing the log (`resources.inference_log`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from leeway.spec import UseCase
from leeway.traffic.windows import Span, Window, closed_windows
from resources.labels import COUNTS_FIRST
from resources.postgres import has_table, transaction
from resources.settings import Settings

if TYPE_CHECKING:
    import psycopg2.extensions
    import psycopg2.sql

    from leeway.traffic.rows import Logged

_AT_ONCE = 20_000  # rows that are in memory as Python's objects
# Answers of windows that follow each other, whose row is named i, and which of them each is in.
_WITHIN = (
    "i.use_case = %(use_case)s and i.at < %(until)s "
    "and i.at >= coalesce(%(since)s, '-infinity'::timestamptz)"
)
_PLACE = "width_bucket(i.at, %(ends)s::timestamptz[])"


def close_windows(settings: Settings, use_case: str, span: Span, now: datetime) -> list[str]:
    """Records the windows that have come to their end; returns the names of all, oldest first.

    Several processes may do so at once: one after the other.
    """
    with transaction(settings) as cursor:
        if not has_table(cursor, "monitoring.inference_log"):
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
        raise LookupError(
            f"{use_case}: no window of live traffic is called {name}; `leeway run {use_case}` "
            f"closes those that have come to their end, and /api/v1/{use_case}/traffic lists them"
        )
    return Window(*row)


def answer_counts(settings: Settings, use_case: str, since: datetime) -> dict[str, str | None]:
    """How many answers the log has of each window that ended after a time.

    The log only grows: another number is that more came. None where it has fewer than were read:
    somebody removed old ones, and what was read stays.
    """
    with transaction(settings) as cursor:
        recent = [each for each in _windows(cursor, use_case) if each.until > since]
        if not recent:
            return {}
        cursor.execute(
            f"select {_PLACE}, count(*) from monitoring.inference_log as i where {_WITHIN} "  # noqa: S608  # constants
            "group by 1",
            _bounds(use_case, recent),
        )
        counts = dict(cursor.fetchall())
        cursor.execute(
            "select batch, rows from leeway.current join leeway.commits using (use_case, node, "
            "batch) where commits.id = commit_id and use_case = %s and node = 'traffic'",
            (use_case,),
        )
        read = dict(cursor.fetchall())
    found = {each.name: counts.get(place, 0) for place, each in enumerate(recent)}
    return {n: str(count) if count >= read.get(n, 0) else None for n, count in found.items()}


def rows_of(settings: Settings, use_case: str, asked: Window) -> Iterator[list[Logged]]:
    """The answers of a window in the order in which they were given, some at a time."""
    from leeway.traffic.rows import Logged

    with transaction(settings) as cursor:
        # The server keeps the rest: the answers of an hour may be millions.
        cursor.execute(
            f"""
            declare answers no scroll cursor for
            select prediction_id::text, row_key, at, version, inputs::text, answer::text
            from monitoring.inference_log as i where {_WITHIN} order by at, prediction_id
            """,  # noqa: S608  # constants
            _bounds(use_case, [asked]),
        )
        while True:
            cursor.execute(f"fetch {_AT_ONCE} from answers")
            found = [Logged(*row) for row in cursor.fetchall()]
            if not found:
                return
            yield found


def truth_state(settings: Settings, name: str) -> str:
    """A text that changes when anything does that `truth_changes` reads, or that read it before.

    It is found at once. Of times alone it would not do: they are when a transaction began, and one
    that began earlier may be committed later.
    """
    with transaction(settings) as cursor:
        cursor.execute(
            """
            select count(*)::text || ':' || sum(hashtextextended(batch || ' ' || read_at, 0))
            from leeway.label_batches where use_case = %(name)s
            union all
            select count(*)::text || ':' || sum(hashtextextended(
                concat_ws(' ', node, batch, commits.id, digest, committed_at), 0))
            from leeway.current join leeway.commits using (use_case, node, batch)
            where commits.id = commit_id and use_case = %(name)s
                and node in ('clean', 'traffic', 'traffic_performance')
            """,
            {"name": name},
        )
        return " ".join(str(found) for (found,) in cursor.fetchall())


def truth_changes(settings: Settings, name: str, use_case: UseCase) -> dict[str, str]:
    """For each window a text that changes when the truth of a row does; empty where none is known.

    A window whose labels were withdrawn is one of those.
    """
    every = windows(settings, name)
    if not every:
        return {}
    with transaction(settings) as cursor:
        cursor.execute(_truth(cursor, name, use_case, _EVERY) + _sql(_CHANGE), _bounds(name, every))
        known = {every[place].name: change for place, change in cursor.fetchall()}
    return {each.name: known.get(each.name, "") for each in every}


def truth_of(
    settings: Settings, name: str, use_case: UseCase, asked: Window
) -> tuple[list[tuple[str, str]], str]:
    """Key and truth, both as text, of the rows of a window, and what `truth_changes` says of it.

    That is empty where nothing is known. A label that came apart goes before the target of a clean
    row of the same key.
    """
    with transaction(settings) as cursor:
        truth, bounds = _truth(cursor, name, use_case, _OF_ASKED), _bounds(name, [asked])
        # Read before the rows, so that nothing is missed that comes in between.
        cursor.execute(truth + _sql(_CHANGE), bounds)
        change = cursor.fetchone()
        cursor.execute(truth + _sql("select row_key, label from truth order by 1"), bounds)
        return cursor.fetchall(), "" if change is None else change[1]


_ASKED = f"from monitoring.inference_log as i where {_WITHIN} and i.row_key is not null"
_EVERY = "true"
_OF_ASKED = f"row_key in (select i.row_key {_ASKED})"  # fewer than are known: an index finds them
_CHANGE = f"""
    select {_PLACE}, count(*)::text || ':'
        || sum(hashtextextended(row_key || ' ' || label, 0))::text
    from truth join (select i.at, i.row_key {_ASKED}) as i using (row_key) group by 1
"""  # noqa: S608  # constants


def _truth(
    cursor: psycopg2.extensions.cursor, name: str, use_case: UseCase, which: str
) -> psycopg2.sql.Composable:
    """The beginning of a statement with a table `truth`, of `row_key` and `label`.

    `which` keys is a condition, `_EVERY` or `_OF_ASKED`.
    """
    from psycopg2 import sql

    clean: sql.Composable = sql.SQL("select null::text as row_key, null::text as label where false")
    if has_table(cursor, f'"{name}".clean'):
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
            where use_case = %(use_case)s and problem is null and withdrawn_at is null and {which}
            order by row_key, {counts_first}
        ), own as (select row_key, label from ({clean}) as own where {which}), truth as (
            select row_key, coalesce(apart.label, own.label) as label
            from apart full join own using (row_key)
        )
        """
    ).format(clean=clean, which=_sql(which), counts_first=_sql(COUNTS_FIRST))


def _bounds(use_case: str, some: Sequence[Window]) -> dict[str, Any]:
    """The parameters of `_PLACE` and `_WITHIN` for windows that follow each other."""
    return {
        "use_case": use_case,
        "since": some[0].since,
        "until": some[-1].until,
        "ends": [each.until for each in some],
    }


def _sql(text: str) -> psycopg2.sql.Composable:
    from psycopg2 import sql

    return sql.SQL(text)
