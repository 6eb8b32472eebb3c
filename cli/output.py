"""What every verb prints: JSON on standard output, everything else on standard error.

Belongs here: printing, and turning refusals into one clear line. Does not belong here: any verb.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import click
from rich.console import Console

console = Console(stderr=True, highlight=False)


def emit(value: object) -> None:
    """Prints one JSON object on standard output."""
    json.dump(value, sys.stdout, indent=2, ensure_ascii=False, allow_nan=False)
    sys.stdout.write("\n")


def say(text: str) -> None:
    """Prints a line for a person on standard error."""
    console.print(text, markup=False, soft_wrap=True)


class Refusing(click.Group):
    """A group of verbs whose refusals are one message and exit code 1, not a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the verb."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            message = refusal(error)
            if message is None:
                raise
            say(f"error: {message}")
            sys.exit(1)


def refusal(error: Exception) -> str | None:
    """The message of an error that a person can act on; None for a fault of ours."""
    from pydantic import ValidationError

    from orchestration.use_cases import InvalidUseCase
    from resources.ledger import StaleAttempt
    from resources.postgres import PostgresUnavailable
    from resources.releases import ChampionMoved, NoSuchVersion
    from resources.sources import SourceError

    actionable = (
        ChampionMoved,
        InvalidUseCase,
        NoSuchVersion,
        PostgresUnavailable,
        SourceError,
        StaleAttempt,
    )
    if isinstance(error, actionable):
        return str(error)
    if isinstance(error, ValidationError) and error.title == "Settings":
        lines = [
            f"LEEWAY_{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}, got {e['input']!r}"
            if e["loc"]
            else e["msg"].removeprefix("Value error, ")
            for e in error.errors()
        ]
        return "\n".join(lines)
    return None
