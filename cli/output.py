"""What every verb prints: JSON on standard output, everything else on standard error.

Belongs here: printing, and turning refusals into one clear line. Does not belong here: any verb.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

if TYPE_CHECKING:
    from pydantic import ValidationError

# A file or a pipe has no width; Rich takes 80 for it, where a table of the demo breaks its words.
_WIDTH = None if sys.stderr.isatty() or "COLUMNS" in os.environ else 120
console = Console(stderr=True, highlight=False, width=_WIDTH)


def emit(value: object) -> None:
    """Prints one JSON object on standard output: all of it, or nothing when it is not JSON."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def say(text: str) -> None:
    """Prints a line for a person on standard error."""
    console.print(text, markup=False, soft_wrap=True)


class Verb(click.Command):
    """A verb whose refusals are one message and exit code 1, not a traceback.

    Where it was asked for JSON, there is one object also when it fails: `{"error": message}`.
    """

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the verb."""
        try:
            return super().invoke(ctx)
        except SystemExit:
            raise
        except BaseException as error:  # Ctrl-C is none of the usual ones
            message = refusal(error) or lost_connection(error)
            if ctx.params.get("as_json"):
                emit({"error": message or f"{type(error).__name__}: {error}"})
            if message is None:
                raise
            say(f"error: {message}")
            sys.exit(1)


class Verbs(click.Group):
    """A group of such verbs."""

    command_class = Verb


INTERRUPTED = "interrupted; what was committed stays, and the same command continues from there"


def refusal(error: BaseException) -> str | None:
    """The message of an error that a person can act on; None for a fault of ours.

    Dagster wraps what building its definitions raised; what that one was raised from counts.
    """
    found: BaseException | None = error
    while found is not None:
        message = _message(found)
        if message is not None:
            return message
        found = found.__cause__
    return None


def lost_connection(error: BaseException) -> str | None:
    """What to do when PostgreSQL went away under Dagster or MLflow, which connect by themselves.

    SQLAlchemy and Dagster wrap what libpq said, which has a class of its own where PostgreSQL
    answered with a code.
    """
    from psycopg2 import InterfaceError, OperationalError, errors

    unanswered = (OperationalError, InterfaceError)
    ending = (errors.AdminShutdown, errors.CrashShutdown, errors.CannotConnectNow)
    found: BaseException | None = error
    while found is not None:
        if type(found) in (*unanswered, *ending):
            said = " ".join(str(found).split())
            return (
                f"the connection to PostgreSQL was lost: {said} Run the command again when the "
                "server is back: what was committed stays, nothing is committed twice."
            )
        found = found.__cause__
    return None


def _message(error: BaseException) -> str | None:
    from pydantic import ValidationError

    from leeway.backtest.errors import CannotBacktest
    from leeway.rehearsal.errors import CannotRehearse
    from orchestration.use_cases import InvalidUseCase
    from resources.dbt import InvalidDbtProject
    from resources.files import SourceError
    from resources.keys import NoSuchKey
    from resources.ledger import StaleAttempt
    from resources.postgres import PostgresUnavailable
    from resources.releases import ChampionMoved, NoSuchVersion
    from resources.why.reading import NotRecorded

    actionable = (
        CannotRehearse,
        CannotBacktest,
        ChampionMoved,
        InvalidDbtProject,
        InvalidUseCase,
        NoSuchKey,
        NoSuchVersion,
        NotRecorded,
        PostgresUnavailable,
        SourceError,
        StaleAttempt,
    )
    if isinstance(error, actionable):
        return str(error)
    if _is_ctrl_c(error):
        return INTERRUPTED
    if isinstance(error, OSError):
        return _home_refused(error)
    if isinstance(error, ValidationError) and error.title == "Settings":
        return settings_refused(error)
    return None


def _is_ctrl_c(error: BaseException) -> bool:
    """Also as Dagster raises it, which is not imported to know it."""
    dagster = sys.modules.get("dagster")
    return isinstance(error, KeyboardInterrupt) or (
        dagster is not None and isinstance(error, dagster.DagsterExecutionInterruptedError)
    )


def _home_refused(error: OSError) -> str | None:
    """What to do when LEEWAY_HOME cannot be made or written; None for an error of another kind."""
    from resources.settings import get_settings

    home = get_settings().home
    refused = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT)
    if not isinstance(error.filename, str) or not _at_home(error.filename, home):
        return None
    if home.is_dir() and error.errno not in refused:
        return None
    return (
        f"{error.filename}: {error.strerror}. Leeway writes below LEEWAY_HOME, which is {home}; "
        "set it to a folder that you may write to. `leeway doctor` says more"
    )


def _at_home(filename: str, home: Path) -> bool:
    """Whether the file is LEEWAY_HOME, below it, or a folder above it that cannot be passed."""
    path = Path(filename).absolute()
    return path.is_relative_to(home) or home.is_relative_to(path)


def settings_refused(error: ValidationError) -> str:
    """One line per variable that is wrong: its name, what is allowed, its value.

    Only values of a fixed choice are repeated: another one may be an address with a password, also
    under a name that was misspelt.
    """
    lines = []
    for found in error.errors():
        message = found["msg"].removeprefix("Value error, ")
        if found["loc"]:
            message = f"LEEWAY_{'_'.join(map(str, found['loc'])).upper()}: {message}"
        if found["type"] == "literal_error":
            message += f", got {found['input']!r}"
        lines.append(message)
    return "\n".join(lines)
