"""`leeway doctor`: what is missing or misconfigured, and how to mend it.

Belongs here: one function per thing that can be wrong, each with its remedy. Does not belong here:
mending. Nothing is made, started or created, and what the first command makes by itself is not an
error while it is missing.
"""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryFile
from typing import Literal

import psutil

from cli.output import emit, refusal, say
from orchestration.use_cases import load_use_cases
from resources.postgres import DATABASES, NEEDS, database_url, dsn, server_dsn
from resources.rights import creating, lack, look, making, owning
from resources.settings import Settings, get_settings

NETWORK_FILE_SYSTEMS = {"nfs", "nfs4", "cifs", "smbfs", "smb3", "fuse.sshfs", "9p", "afpfs"}
OLDEST_POSTGRES = 140_000
NEEDED_BYTES = 2 * 1024**3
LIBRARIES = ("dagster", "dbt-core", "mlflow", "optuna", "scikit-learn", "shap", "pandas")

MAKE_SETUP = "run `make setup`"
OTHER_HOME = "set LEEWAY_HOME to a folder on a local disk that you may write to"
OTHER_SERVER = (
    "start that server, or correct LEEWAY_DATABASE_URL in the environment or in .env, or unset it "
    "to use the embedded server; `psql URL` shows whether an address is right"
)


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    state: Literal["ok", "warning", "error"]
    detail: str
    remedy: str = ""


def doctor(as_json: bool) -> int:
    """Looks at everything; returns 1 if anything is an error."""
    found = findings()
    if as_json:
        emit({"findings": [asdict(finding) for finding in found]})
    for finding in found:
        say(f"{finding.state:<8} {finding.subject:<12} {finding.detail}")
        if finding.remedy:
            say(f"{'':<21} -> {finding.remedy}")
    return 1 if any(finding.state == "error" for finding in found) else 0


def findings() -> list[Finding]:
    """What was found; where settings are wrong, without the looks that need them."""
    found = [_look("Python", _python, MAKE_SETUP), _look("libraries", _libraries, MAKE_SETUP)]
    remedy = "correct the variable in the environment or in .env; .env.example names each"
    found.append(_look("settings", _settings, remedy))
    if found[-1].state == "ok":
        settings = get_settings()
        found += [
            _look("home", partial(_home, settings), OTHER_HOME),
            _look("file system", partial(_file_system, settings), OTHER_HOME),
            _look("disk", partial(_disk, settings), OTHER_HOME),
            _look("PostgreSQL", partial(_postgres, settings), _other_postgres(settings)),
        ]
    return [*found, _look("use cases", _use_cases, "correct the file that is named")]


def _look(subject: str, look: Callable[[], Finding], remedy: str) -> Finding:
    """What `look` finds; when it raises, this is what was found."""
    try:
        return look()
    except Exception as error:
        message = refusal(error) or f"{type(error).__name__}: {' '.join(str(error).split())}"
        return Finding(subject, "error", message, remedy)


def _python() -> Finding:
    supported = (3, 11) <= sys.version_info[:2] <= (3, 13)
    detail = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    if supported:
        return Finding("Python", "ok", detail)
    return Finding("Python", "error", detail, "install Python 3.11 to 3.13 and run `make setup`")


def _libraries() -> Finding:
    found, missing = [], []
    for name in LIBRARIES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        return Finding("libraries", "error", f"missing: {', '.join(missing)}", MAKE_SETUP)
    return Finding("libraries", "ok", ", ".join(found))


def _settings() -> Finding:
    return Finding("settings", "ok", f"LEEWAY_ENVIRONMENT is {get_settings().environment}")


def _existing(path: Path) -> Path:
    """The path itself, or the nearest folder above it that exists."""
    return next(each for each in (path, *path.parents) if each.exists())


def _home(settings: Settings) -> Finding:
    folder = _existing(settings.home)
    detail = f"{settings.home} ({settings.environment})"
    try:
        # Has no name and leaves nothing. To ask for the permission is not enough: root has it.
        TemporaryFile(dir=folder).close()
    except OSError as error:
        return Finding("home", "error", f"{detail}: {folder}: {error.strerror}", OTHER_HOME)
    if folder != settings.home:
        detail += "; the first command makes it"
    return Finding("home", "ok", detail)


def _file_system(settings: Settings) -> Finding:
    home = settings.home.resolve()
    mounts = [
        mount for mount in psutil.disk_partitions(all=True) if home.is_relative_to(mount.mountpoint)
    ]
    mount = max(mounts, key=lambda found: len(found.mountpoint), default=None)
    if mount is None:
        return Finding("file system", "warning", "unknown", OTHER_HOME)
    detail = f"{mount.fstype} at {mount.mountpoint}"
    if settings.database_url is None and mount.fstype.lower() in NETWORK_FILE_SYSTEMS:
        return Finding(
            "file system",
            "error",
            f"{detail} is a network file system",
            "the embedded PostgreSQL needs a local disk: set LEEWAY_HOME, or LEEWAY_DATABASE_URL",
        )
    return Finding("file system", "ok", detail)


def _disk(settings: Settings) -> Finding:
    free = shutil.disk_usage(_existing(settings.home)).free
    detail = f"{free / 1024**3:.1f} GiB free"
    if free < NEEDED_BYTES:
        return Finding("disk", "error", detail, "free at least 2 GiB, or move LEEWAY_HOME")
    return Finding("disk", "ok", detail)


def _other_postgres(settings: Settings) -> str:
    if settings.database_url is not None:
        return OTHER_SERVER
    log = settings.home / "postgres" / "log"
    return f"read {log}, or set LEEWAY_DATABASE_URL to a server of your own"


def _postgres(settings: Settings) -> Finding:
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
    if found[0].version < OLDEST_POSTGRES:
        return Finding("PostgreSQL", "error", detail, "use PostgreSQL 14 or later")
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
    if number < OLDEST_POSTGRES:
        return Finding("PostgreSQL", "error", detail, "use PostgreSQL 14 or later")
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


def _spelled(version: int) -> str:
    return f"{version // 10_000}.{version % 10_000}"


def _use_cases() -> Finding:
    return Finding("use cases", "ok", ", ".join(load_use_cases()) or "none")
