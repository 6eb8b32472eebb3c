"""`leeway keys`: who may ask the prediction service.

Belongs here: what the verbs print. Does not belong here: what a key is (`resources.keys`).
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import UTC, datetime

from rich.markup import escape
from rich.table import Table

from cli.output import console, emit, say
from resources.keys import Key, Keys, Scope
from resources.settings import get_settings


def new(scope: Scope, name: str, as_json: bool) -> None:
    """Makes a key, and prints it on standard output, this once."""
    text, key = Keys(get_settings().home).make(scope, name, datetime.now(UTC))
    if as_json:
        emit(_shown(key) | {"key": text})
        return
    say(f"Key {key.id} with the scope {scope}. It is shown this once; only its hash is kept.")
    sys.stdout.write(f"{text}\n")


def listed(as_json: bool) -> None:
    """Prints which keys are valid; never their texts, which nobody has."""
    keys = Keys(get_settings().home).every()
    if as_json:
        emit({"keys": [_shown(key) for key in keys]})
    elif not keys:
        say("There are no keys; `leeway keys new` makes one")
    else:
        table = Table("id", "scope", "name", "made at", box=None)
        for key in keys:
            table.add_row(*map(escape, (key.id, key.scope, key.name, key.made_at)))
        console.print(table)


def revoke(identity: str, as_json: bool) -> None:
    """Ends a key; a service that runs refuses it within a second.

    Raises:
        NoSuchKey: when there is none of that id.
    """
    Keys(get_settings().home).revoke(identity)
    say(f"Key {identity} is revoked")
    if as_json:
        emit({"revoked": identity})


def _shown(key: Key) -> dict[str, str]:
    return {name: value for name, value in asdict(key).items() if name != "sha256"}
