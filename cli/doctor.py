"""`leeway doctor`: what is missing or misconfigured, and how to mend it.

Belongs here: one function per thing that can be wrong, each with its remedy. Does not belong here:
mending.
"""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Literal

import psutil

from cli.output import emit, say
from orchestration.use_cases import load_use_cases
from resources.postgres import ensure_databases, transaction
from resources.settings import Settings, get_settings

NETWORK_FILE_SYSTEMS = {"nfs", "nfs4", "cifs", "smbfs", "smb3", "fuse.sshfs", "9p", "afpfs"}
OLDEST_POSTGRES = 140_000
NEEDED_BYTES = 2 * 1024**3
LIBRARIES = ("dagster", "dbt-core", "mlflow", "optuna", "scikit-learn", "shap", "pandas")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    state: Literal["ok", "warning", "error"]
    detail: str
    remedy: str = ""


def doctor(as_json: bool) -> int:
    """Looks at everything; returns 1 if anything is an error."""
    settings = get_settings()
    looks: tuple[Callable[[Settings], Finding], ...] = (
        _python,
        _libraries,
        _home,
        _file_system,
        _disk,
        _postgres,
        _use_cases,
    )
    findings = [look(settings) for look in looks]
    if as_json:
        emit({"findings": [asdict(finding) for finding in findings]})
    for finding in findings:
        say(f"{finding.state:<8} {finding.subject:<12} {finding.detail}")
        if finding.remedy:
            say(f"{'':<21} -> {finding.remedy}")
    return 1 if any(finding.state == "error" for finding in findings) else 0


def _python(settings: Settings) -> Finding:
    supported = (3, 11) <= sys.version_info[:2] <= (3, 13)
    detail = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    if supported:
        return Finding("Python", "ok", detail)
    return Finding("Python", "error", detail, "install Python 3.11 to 3.13 and run `make setup`")


def _libraries(settings: Settings) -> Finding:
    return Finding("libraries", "ok", ", ".join(f"{name} {version(name)}" for name in LIBRARIES))


def _home(settings: Settings) -> Finding:
    detail = f"{settings.home} ({settings.environment})"
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        probe = settings.home / ".doctor"
        probe.touch()
        probe.unlink()
    except OSError as error:
        remedy = "set LEEWAY_HOME to a folder that you may write to"
        return Finding("home", "error", f"{detail}: {error.strerror}", remedy)
    return Finding("home", "ok", detail)


def _file_system(settings: Settings) -> Finding:
    mounts = [
        mount
        for mount in psutil.disk_partitions(all=True)
        if settings.home.is_relative_to(mount.mountpoint)
    ]
    mount = max(mounts, key=lambda found: len(found.mountpoint), default=None)
    if mount is None:
        return Finding("file system", "warning", "unknown")
    if mount.fstype.lower() in NETWORK_FILE_SYSTEMS:
        return Finding(
            "file system",
            "error",
            f"{mount.fstype} at {mount.mountpoint} is a network file system",
            "the embedded PostgreSQL needs a local disk: set LEEWAY_HOME, or LEEWAY_DATABASE_URL",
        )
    return Finding("file system", "ok", f"{mount.fstype} at {mount.mountpoint}")


def _disk(settings: Settings) -> Finding:
    free = shutil.disk_usage(settings.home).free
    detail = f"{free / 1024**3:.1f} GiB free"
    if free < NEEDED_BYTES:
        return Finding("disk", "error", detail, "free at least 2 GiB, or move LEEWAY_HOME")
    return Finding("disk", "ok", detail)


def _postgres(settings: Settings) -> Finding:
    kind = "server" if settings.database_url else "embedded"
    try:
        ensure_databases(settings)
        with transaction(settings) as cursor:
            cursor.execute("select current_setting('server_version_num')::int, version()")
            row = cursor.fetchone()
    except Exception as error:
        return Finding("PostgreSQL", "error", f"{kind}: {error}", "see the message")
    number, text = row if row else (0, "unknown")
    detail = f"{kind}, {' '.join(text.split()[:2])}"
    if number < OLDEST_POSTGRES:
        return Finding("PostgreSQL", "error", detail, "use PostgreSQL 14 or later")
    return Finding("PostgreSQL", "ok", detail)


def _use_cases(settings: Settings) -> Finding:
    try:
        found = load_use_cases()
    except ValueError as error:
        return Finding("use cases", "error", str(error), "correct the file")
    return Finding("use cases", "ok", ", ".join(found) or "none")
