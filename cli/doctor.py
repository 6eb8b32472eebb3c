"""`leeway doctor`: what is missing or misconfigured, and how to mend it.

Belongs here: one function per thing that can be wrong, each with its remedy. Does not belong here:
mending. Nothing is made, started or created, and what the first command makes by itself is not an
error while it is missing.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryFile
from typing import Literal
from urllib.parse import unquote, urlsplit

import psutil

from cli.output import emit, refusal, say
from orchestration.use_cases import load_use_cases
from resources.postgres import DATABASES, NEEDS, database_url, dsn, server_dsn
from resources.rights import creating, lack, look, making, owning
from resources.settings import Settings, get_settings

# As they are called also where they are mounted by FUSE, which writes `fuse.` before.
NETWORK_FILE_SYSTEMS = {"nfs", "nfs4", "cifs", "smbfs", "smb3", "sshfs", "9p", "afpfs"}
NETWORK_FILE_SYSTEMS |= {"ceph", "ceph-fuse", "lustre", "glusterfs", "gpfs", "beegfs"}
OLDEST_POSTGRES = 140_000
NEEDED_BYTES = 2 * 1024**3
LIBRARIES = ("dagster", "dbt-core", "mlflow", "optuna", "scikit-learn", "shap", "pandas")

MAKE_SETUP = "run `make setup`"
OTHER_HOME = "set LEEWAY_HOME to a folder on a local disk that you may write to"
OTHER_SERVER = (
    "start that server, or correct LEEWAY_DATABASE_URL in the environment or in .env, or unset it "
    "to use the embedded server; `psql URL` shows whether an address is right"
)
OTHER_STORE = (
    "set LEEWAY_STORE_URL to a folder on a local disk that you may write to and that has at least "
    "2 GiB free, or unset it to keep objects below LEEWAY_HOME"
)
OTHER_DATA = "set LEEWAY_DATA_DIR to a folder that you may read, or unset it to download"
OTHER_MLFLOW = (
    "start that server, or correct LEEWAY_MLFLOW_TRACKING_URI in the environment or in .env, or "
    "unset it to use the tables in PostgreSQL"
)
MLFLOW_SECONDS = 5.0

Mounts = Sequence[tuple[str, str]]  # where and what kind, in the order in which they were mounted


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
            _look("file system", lambda: _file_system(settings, _mounts()), OTHER_HOME),
            _look("disk", partial(_disk, settings), OTHER_HOME),
            _look("PostgreSQL", partial(_postgres, settings), _other_postgres(settings)),
        ]
        if settings.store_url is not None:
            found.append(_look("store", lambda: _store(settings, _mounts()), OTHER_STORE))
        if settings.data_dir is not None:
            found.append(_look("data", partial(_data, settings.data_dir), OTHER_DATA))
        if settings.mlflow_tracking_uri is not None:
            uri = settings.mlflow_tracking_uri
            found.append(_look("MLflow", partial(_mlflow, uri), OTHER_MLFLOW))
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


def _unwritable(folder: Path) -> str | None:
    """Why nothing can be written into the folder; None when it can."""
    try:
        # Has no name and leaves nothing. To ask for the permission is not enough: root has it.
        TemporaryFile(dir=folder).close()
    except OSError as error:
        return f"{folder}: {error.strerror}"
    return None


def _home(settings: Settings) -> Finding:
    folder = _existing(settings.home)
    detail = f"{settings.home} ({settings.environment})"
    if why := _unwritable(folder):
        return Finding("home", "error", f"{detail}: {why}", OTHER_HOME)
    if folder != settings.home:
        detail += "; the first command makes it"
    return Finding("home", "ok", detail)


def _mounts() -> Mounts:
    return [(mount.mountpoint, mount.fstype) for mount in psutil.disk_partitions(all=True)]


def _mount_of(folder: Path, mounts: Mounts) -> tuple[str, str] | None:
    """The mount that the folder is on: the innermost, and of several at one place the last."""
    found = [mount for mount in mounts if folder.is_relative_to(mount[0])]
    return max(reversed(found), key=lambda mount: len(mount[0]), default=None)


def _is_network(kind: str) -> bool:
    return kind.lower().removeprefix("fuse.") in NETWORK_FILE_SYSTEMS


def _file_system(settings: Settings, mounts: Mounts) -> Finding:
    mount = _mount_of(settings.home.resolve(), mounts)
    if mount is None:
        return Finding("file system", "warning", "unknown", OTHER_HOME)
    place, kind = mount
    detail = f"{kind} at {place}"
    if settings.database_url is None and _is_network(kind):
        return Finding(
            "file system",
            "error",
            f"{detail} is a network file system",
            "the embedded PostgreSQL needs a local disk: set LEEWAY_HOME, or LEEWAY_DATABASE_URL",
        )
    return Finding("file system", "ok", detail)


def _free(folder: Path) -> tuple[bool, str]:
    """Whether there is room enough, and how much."""
    free = shutil.disk_usage(_existing(folder)).free
    return free >= NEEDED_BYTES, f"{free / 1024**3:.1f} GiB free"


def _disk(settings: Settings) -> Finding:
    enough, detail = _free(settings.home)
    if not enough:
        return Finding("disk", "error", detail, "free at least 2 GiB, or move LEEWAY_HOME")
    return Finding("disk", "ok", detail)


def _store(settings: Settings, mounts: Mounts) -> Finding:
    """The folder of objects, where it is not below home."""
    root = settings.store_root
    if why := _unwritable(_existing(root)):
        return Finding("store", "error", f"{root}: {why}", OTHER_STORE)
    enough, free = _free(root)
    mount = _mount_of(root.resolve(), mounts)
    detail = f"{root}, {free}" + ("" if mount is None else f", {mount[1]} at {mount[0]}")
    if not enough:
        return Finding("store", "error", detail, OTHER_STORE)
    if mount is not None and _is_network(mount[1]):
        # An object is renamed into its place once it is on the disk, which some of them only claim.
        return Finding("store", "warning", f"{detail} is a network file system", OTHER_STORE)
    return Finding("store", "ok", detail)


def _data(folder: Path) -> Finding:
    if not folder.is_dir():
        what = "is no folder" if folder.exists() else "does not exist"
        return Finding("data", "error", f"{folder} {what}", OTHER_DATA)
    with os.scandir(folder) as entries:
        empty = next(entries, None) is None
    return Finding("data", "ok", f"{folder}{', which is empty' if empty else ''}")


def _mlflow(uri: str) -> Finding:
    """Whether the server answers; `/health` is what MLflow's own has, and any answer will do."""
    import urllib3

    parts = urlsplit(uri)
    shown = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
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


def _use_cases() -> Finding:
    return Finding("use cases", "ok", ", ".join(load_use_cases()) or "none")
