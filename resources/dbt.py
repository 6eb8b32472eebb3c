"""dbt: where its project is, its connection, its manifest, and the process that runs it.

Belongs here: everything that dbt needs from outside of its project. Does not belong here: SQL
(`dbt_project`) or how models become assets (`assets.cleaning`).

`leeway-dbt` is dbt with the connection of this installation, for people and for Dagster alike.
"""

from __future__ import annotations

import gc
import getpass
import json
import os
import shutil
import subprocess
import sys
import uuid
import warnings
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import version
from itertools import chain
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

from leeway.digests import digest_of, digest_of_files
from resources.postgres import has_address
from resources.processes import die_with_parent
from resources.settings import PASSED_ON, PROJECT, Settings, get_settings

DBT_PROJECT = PROJECT / "dbt_project"
PASSWORD = "DBT_ENV_SECRET_LEEWAY_PASSWORD"  # noqa: S105  # dbt keeps what is called so out of its logs
CALL = "leeway.json"  # in a call's target folder
PARSED = "partial_parse.msgpack"
_NO_CONNECTION = ("parse", "--version", "--help", "deps", "clean", "list", "ls")


class InvalidDbtProject(RuntimeError):
    """dbt cannot read the project; the message has what dbt said, with the file and the line."""


def executable() -> str:
    """Path of `leeway-dbt`, beside the Python that runs this."""
    return str(Path(sys.executable).parent / "leeway-dbt")


def environment(settings: Settings, *, connect: bool = True) -> dict[str, str]:
    """Variables that dbt_project/profiles.yml reads, and where dbt finds and leaves its files."""
    variables = {
        "DBT_PROJECT_DIR": str(DBT_PROJECT),
        "DBT_PROFILES_DIR": str(DBT_PROJECT),
        "DBT_LOG_PATH": str(settings.dbt_target / "logs"),
        "DBT_TARGET_PATH": str(settings.dbt_target / "target"),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "LEEWAY_DBT_HOST": "unused",
        "LEEWAY_DBT_PORT": "5432",
        "LEEWAY_DBT_USER": "unused",
        PASSWORD: "",
        "LEEWAY_DBT_DATABASE": "leeway",
    }
    if connect:
        from resources.postgres import database_url, session_options

        url = database_url("leeway", settings)
        variables |= {
            "LEEWAY_DBT_HOST": str(url.host or url.query["host"]),
            "LEEWAY_DBT_PORT": str(url.port or url.query.get("port", 5432)),
            "LEEWAY_DBT_USER": url.username or getpass.getuser(),
            PASSWORD: str(url.password or ""),
            "LEEWAY_DBT_DATABASE": str(url.database),
            # libpq reads the rest from variables of its own, where dbt has no field or an odd one.
            **{PASSED_ON[key]: str(url.query[key]) for key in PASSED_ON if key in url.query},
            PASSED_ON["options"]: session_options(str(url.query.get("options", ""))),
        }
    return variables


def begin_call(settings: Settings, name: str, tokens: Mapping[str, int]) -> Path:
    """Makes the target folder of one call, and leaves in it what `leeway-dbt` is told.

    That is this process, with which it ends, and the batches of a build with the token that lets
    each commit. Neither `--vars`, of which another value makes dbt parse the whole project again,
    nor a variable for the process: that has a limit of 128 KiB, and stays behind in this one.
    """
    target = settings.dbt_target / "target" / f"{name}-{uuid.uuid4().hex[:12]}"
    target.mkdir(parents=True)
    with suppress(FileNotFoundError):
        shutil.copy(settings.dbt_target / "target" / PARSED, target)
    (target / CALL).write_text(json.dumps({"parent": os.getpid(), "tokens": dict(tokens)}))
    return target


def keep_parsed(target: Path, settings: Settings) -> None:
    """Removes the files of a call that succeeded, and keeps the parsed project for the next call.

    Of a call that failed, logs and SQL stay where they are.
    """
    (target / PARSED).replace(settings.dbt_target / "target" / PARSED)
    shutil.rmtree(target)


def project_digest() -> str:
    """Digest of the dbt project's files, and of what dbt makes of them."""
    files = [
        path
        for folder in ("models", "macros", "tests", "unit_tests", "seeds", "analyses")
        for path in (DBT_PROJECT / folder).rglob("*")
        if path.is_file()
    ]
    by_place = {str(path.relative_to(DBT_PROJECT)): digest_of_files([path]) for path in files}
    by_place["dbt_project.yml"] = digest_of_files([DBT_PROJECT / "dbt_project.yml"])
    by_place["dbt"] = version("dbt-core")
    return digest_of(by_place).removeprefix("sha256:")


@lru_cache(maxsize=1)
def manifest_path() -> Path:
    """The project's manifest, made anew only when a file of the project changed.

    Raises:
        InvalidDbtProject: when dbt cannot parse the project, with what dbt said.
    """
    settings = get_settings()
    path = settings.dbt_target / "manifests" / f"{project_digest()[:32]}.json"
    if path.exists():
        return path
    target = begin_call(settings, "parse", {})  # of this process alone
    done = subprocess.run(  # our own executable, no user input
        [executable(), "parse", "--quiet"],
        env=os.environ | {"DBT_TARGET_PATH": str(target)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise InvalidDbtProject(
            f"dbt cannot read {DBT_PROJECT}:\n{(done.stdout + done.stderr).strip()}\n"
            "Correct the file that dbt names; `leeway-dbt parse` tries again."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    _publish(target / "manifest.json", path)
    keep_parsed(target, settings)
    return path


def _publish(made: Path, path: Path) -> None:
    """Moves a manifest to where it is trusted for good: whole, readable and on the disk."""
    with made.open("rb") as file:
        json.load(file)
        os.fsync(file.fileno())
    made.replace(path)


@lru_cache(maxsize=1)
def manifest() -> dict[str, Any]:
    """The project's manifest, parsed once per process."""
    content: dict[str, Any] = json.loads(manifest_path().read_bytes())
    return content


def manifest_of(use_case: str) -> Mapping[str, Any]:
    """The manifest of one use case: the models in its folder, their tests, and what they read.

    Raises:
        InvalidDbtProject: when a model that the graph needs is missing.

    dagster-dbt looks through all it is given for each model, so that a use case that is given the
    whole manifest is slower to load the more of them there are.
    """
    whole = manifest()
    models = [each["config"].get("meta", {}).get("dagster", {}) for each in whole["nodes"].values()]
    keys = [each.get("asset_key") for each in models]
    missing = [node for node in ("staged", "clean") if [use_case, node] not in keys]
    if missing:
        raise InvalidDbtProject(
            f"dbt_project/models/{use_case} has no model for {' and '.join(missing)}: the SQL that "
            f"cleans the table. Copy dbt_project/models/penguins, and give each model meta.dagster."
            f"asset_key [{use_case}, staged] or [{use_case}, clean]"
        )
    own = {
        unique_id: each
        for section in ("nodes", "sources", "unit_tests")
        for unique_id, each in whole[section].items()
        if each["fqn"][1] == use_case
    }
    read = (each["depends_on"]["nodes"] for each in own.values() if "depends_on" in each)
    kept = own.keys() | chain.from_iterable(read)
    sections = ("nodes", "sources", "unit_tests", "parent_map", "child_map")
    return whole | {
        section: {key: value for key, value in whole[section].items() if key in kept}
        for section in sections
    }


def _of_dagster() -> dict[str, str]:
    """Folders that Dagster chose for this one call, which go before those of the installation."""
    folders = ("DBT_TARGET_PATH", "DBT_LOG_PATH")
    return {name: os.environ[name] for name in folders if name in os.environ}


def _obey(call: Path) -> None:
    """Does what the process that called us says, if one did and not a person."""
    if call.exists():
        told = json.loads(call.read_text())
        die_with_parent(told["parent"])
        # dbt's own helper process is started before: with the variable it could not be any more.
        resource_tracker.ensure_running()
        os.environ["LEEWAY_ATTEMPTS"] = json.dumps(told["tokens"])


def main() -> None:
    """Runs dbt with the connection of this installation; ends with its parent."""
    if not sys.warnoptions:  # what libraries say to their developers
        warnings.simplefilter("ignore")
    _obey(Path(os.environ.get("DBT_TARGET_PATH", ".")) / CALL)
    settings = get_settings()
    needed = not any(argument in _NO_CONNECTION for argument in sys.argv[1:2])
    # With another address than at its last call, dbt parses the whole project again.
    connect = needed or has_address(settings)
    os.environ.update(environment(settings, connect=connect) | _of_dagster())
    gc.disable()  # a tenth of the time that dbt takes to start, for 2 MB
    from dbt.cli.main import cli

    cli()
