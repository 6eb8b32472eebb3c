"""The rows that the fault tests commit, and what must always be true of them.

Belongs here: rows by version, and the one comparison of table, ledger and object. Does not belong
here: any kill.
"""

from __future__ import annotations

import json

import psycopg2

from leeway.digests import digest_of
from resources.postgres import dsn
from resources.settings import Settings
from resources.store import LocalStore

USE_CASE, NODE, BATCH = "faults", "rows", "b1"
ROWS = 2000


def rows_of(version: int) -> list[tuple[int, str]]:
    return [(number, f"{version}/{number}") for number in range(ROWS)]


def encoded(rows: list[tuple[int, str]]) -> bytes:
    return json.dumps(rows).encode()


def visible(settings: Settings) -> int:
    """The version that readers see, after table, ledger and object were found to agree; 0: none.

    One snapshot of the database: a commit that arrives between two reads is not a disagreement.

    Raises:
        AssertionError: when they do not agree.
    """
    connection = psycopg2.connect(dsn("leeway", settings))
    connection.set_session(isolation_level="REPEATABLE READ")
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "select facts, digest, uri, rows from leeway.current join leeway.commits "
            "on id = commit_id where current.use_case = %s and current.node = %s",
            (USE_CASE, NODE),
        )
        committed = cursor.fetchall()
        cursor.execute("select to_regclass(%s)", (f"{USE_CASE}.{NODE}",))
        table = cursor.fetchall()[0][0]
        rows = []
        if table is not None:
            cursor.execute(f"select number, value from {table} order by number, value")  # noqa: S608
            rows = [(int(number), str(value)) for number, value in cursor.fetchall()]
    connection.close()
    if not committed:
        assert rows == [], f"{len(rows)} rows are visible and nothing was committed"
        return 0
    ((facts, digest, uri, count),) = committed
    version = int(facts["version"])
    assert len(rows) == count, f"{len(rows)} rows are visible, {count} were committed"
    assert digest_of(rows) == digest_of(rows_of(version)), f"rows are not those of {version}"
    assert LocalStore(settings.store_root).get(uri, digest) == encoded(rows)
    return version


def fingerprint(settings: Settings) -> tuple[object, ...]:
    """All that a second execution must leave as it is: rows, commits and the pointer."""
    connection = psycopg2.connect(dsn("leeway", settings))
    with connection, connection.cursor() as cursor:
        cursor.execute(f"select md5(string_agg(value, ',' order by number)) from {USE_CASE}.{NODE}")  # noqa: S608
        rows = cursor.fetchall()
        cursor.execute("select input_digest, digest, uri, facts from leeway.commits order by id")
        commits = cursor.fetchall()
        cursor.execute("select commit_id from leeway.current where node = %s", (NODE,))
        pointer = cursor.fetchall()
    connection.close()
    return rows, commits, pointer
