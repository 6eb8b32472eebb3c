"""What `leeway doctor` says of servers: PostgreSQL and MLflow.

Belongs here: looks at servers, each with its remedy. Does not belong here: folders
(`cli.doctor_folders`), or which looks there are (`cli.doctor`).
"""

from __future__ import annotations

from contextlib import closing
from urllib.parse import unquote, urlsplit

from cli.finding import Finding
from resources.postgres import DATABASES, NEEDS, database_url, dsn, server_dsn
from resources.rights import creating, lack, look, making, owning
from resources.settings import Settings

OLDEST_POSTGRES = 140_000
MLFLOW_SECONDS = 5.0

OTHER_SERVER = (
    "start that server, or correct LEEWAY_DATABASE_URL in the environment or in .env, or unset it "
    "to use the embedded server; `psql URL` shows whether an address is right"
)
OTHER_MLFLOW = (
    "start that server, or correct LEEWAY_MLFLOW_TRACKING_URI in the environment or in .env, or "
    "unset it to use the tables in PostgreSQL"
)


def mlflow(uri: str, shown: str) -> Finding:
    """Whether the server answers; `/health` is what MLflow's own has, and any answer will do."""
    import urllib3

    parts = urlsplit(uri)
    login = ":".join(unquote(each or "") for each in (parts.username, parts.password))
    try:
        answer = urllib3.PoolManager().request(
            "GET",
            f"{shown.rstrip('/')}/health",
            headers=urllib3.make_headers(basic_auth=login if parts.username else None),
            timeout=MLFLOW_SECONDS,
            retries=False,
        )
    except urllib3.exceptions.HTTPError as error:
        why = f"{shown} does not answer: {type(error).__name__}"
        return Finding("MLflow", "error", why, OTHER_MLFLOW)
    detail = f"{shown} answers with {answer.status}"
    if answer.status in (401, 403) or answer.status >= 500:
        return Finding("MLflow", "error", detail, OTHER_MLFLOW)
    return Finding("MLflow", "ok", detail)


def other_postgres(settings: Settings) -> str:
    """The remedy where PostgreSQL cannot be had."""
    if settings.database_url is not None:
        return OTHER_SERVER
    log = settings.home / "postgres" / "log"
    return f"read {log}, or set LEEWAY_DATABASE_URL to a server of your own"


def postgres(settings: Settings) -> Finding:
    """The server and its databases, as far as they can be looked at."""
    return _embedded(settings) if settings.database_url is None else _server(settings)


def _embedded(settings: Settings) -> Finding:
    import psycopg2

    from resources.embedded import USER, server_of

    server = server_of(settings.home)
    if server is None:
        detail = "the embedded server is not running; the first command starts it"
        return Finding("PostgreSQL", "ok", detail)
    connection = psycopg2.connect(
        host=server.sockets, port=server.port, user=USER, dbname="postgres", connect_timeout=10
    )
    number = connection.server_version
    connection.close()
    return Finding("PostgreSQL", "ok", f"embedded, PostgreSQL {_spelled(number)}")


def _server(settings: Settings) -> Finding:
    import psycopg2

    found = []
    for each in DATABASES:
        try:
            found.append(look(dsn(each, settings), NEEDS[each]))
        except psycopg2.OperationalError as error:
            return _server_without(settings, error)
    detail = f"server, PostgreSQL {_spelled(found[0].version)}"
    lacking = [each for each in found if each.refused]
    if old := _too_old(found[0].version):
        return old
    if lacking:
        detail = "; ".join([detail, *map(lack, lacking)])
        remedy = f"let an administrator run: {owning(lacking)}"
        return Finding("PostgreSQL", "error", detail, remedy)
    return Finding("PostgreSQL", "ok", f"{detail}, as {found[0].role}")


def _server_without(settings: Settings, error: Exception) -> Finding:
    """What is wrong with a server where one of the databases cannot be opened.

    Raises:
        psycopg2.OperationalError: `error`, when that is no database that is missing.
    """
    import psycopg2

    names = [str(database_url(each, settings).database) for each in DATABASES]
    try:
        connection = psycopg2.connect(server_dsn(settings))
    except psycopg2.OperationalError:
        raise error from None
    with closing(connection), connection.cursor() as cursor:
        cursor.execute("select datname from pg_database where datname = any(%s)", (names,))
        known = {name for (name,) in cursor.fetchall()}
        cursor.execute(
            "select rolname, rolcreatedb or rolsuper from pg_roles where rolname = current_user"
        )
        ((role, may_create),) = cursor.fetchall()
        number = connection.server_version
    detail = f"server, PostgreSQL {_spelled(number)}"
    missing = [name for name in names if name not in known]
    if old := _too_old(number):
        return old
    if not missing:
        raise error
    listed = ", ".join(missing)
    if may_create:
        return Finding("PostgreSQL", "ok", f"{detail}; the first command makes {listed}")
    return Finding(
        "PostgreSQL",
        "error",
        f"{detail}; {role} may not create {listed}",
        f"let an administrator run: {creating(role)}; or, instead: {making(missing, role)}",
    )


def _too_old(version: int) -> Finding | None:
    if version >= OLDEST_POSTGRES:
        return None
    detail = f"server, PostgreSQL {_spelled(version)}"
    return Finding("PostgreSQL", "error", detail, "use PostgreSQL 14 or later")


def _spelled(version: int) -> str:
    return f"{version // 10_000}.{version % 10_000}"
