"""`leeway doctor`: what is missing or misconfigured, and how to mend it.

Belongs here: which looks there are, in their order, and those at the installation itself. Does not
belong here: looks at folders and servers (`cli.doctor_folders`, `cli.doctor_servers`), or mending.
Nothing is made, started or created, and what the first command makes by itself is not an error
while it is missing.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from importlib.metadata import PackageNotFoundError, version

from cli.doctor_folders import (
    OTHER_DATA,
    OTHER_HOME,
    OTHER_STORE,
    data,
    disk,
    file_system,
    home,
    mounts,
    store,
)
from cli.doctor_servers import OTHER_MLFLOW, mlflow, other_postgres, postgres
from cli.finding import Finding
from cli.output import emit, refusal, say
from orchestration.use_cases import load_use_cases
from resources.settings import get_settings
from resources.tracking import server_address

LIBRARIES = ("dagster", "dbt-core", "mlflow", "optuna", "scikit-learn", "shap", "pandas")

MAKE_SETUP = "run `make setup`"


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
            _look("home", partial(home, settings), OTHER_HOME),
            _look("file system", lambda: file_system(settings, mounts()), OTHER_HOME),
            _look("disk", partial(disk, settings), OTHER_HOME),
            _look("PostgreSQL", partial(postgres, settings), other_postgres(settings)),
        ]
        if settings.store_url is not None:
            found.append(_look("store", lambda: store(settings, mounts()), OTHER_STORE))
        if settings.data_dir is not None:
            found.append(_look("data", partial(data, settings.data_dir), OTHER_DATA))
        if (uri := settings.mlflow_tracking_uri) and (shown := server_address(settings)):
            found.append(_look("MLflow", partial(mlflow, uri, shown), OTHER_MLFLOW))
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


def _use_cases() -> Finding:
    return Finding("use cases", "ok", ", ".join(load_use_cases()) or "none")
