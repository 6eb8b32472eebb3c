"""Secrets that a use case names and does not hold: variables of the environment, or of `.env`.

Belongs here: looking one up. Does not belong here: Leeway's own settings (`resources.settings`).
"""

from __future__ import annotations

import os

from resources.files import SourceError, Unavailable
from resources.settings import PROJECT


def variable(name: str, field: str) -> str:
    """The value of the variable that `field` of a defs.yaml names; it must never be shown.

    Raises:
        Unavailable: when it is not set or empty.
        SourceError: when it holds what no URL or token does.
    """
    from dotenv import dotenv_values

    value = os.environ.get(name) or dotenv_values(PROJECT / ".env").get(name) or ""
    if not value:
        raise Unavailable(
            f"{field}: the variable {name} is not set; set it in the environment or in .env"
        )
    if not value.isprintable() or value != value.strip():
        raise SourceError(
            f"{field}: the variable {name} holds a line break, or begins with a blank"
        )
    return value
