"""`leeway promote` and `leeway rollback`: move the champion and write down who and why.

Belongs here: choosing the version, telling MLflow, and saying what happened. Does not belong here:
the ledger. The move in the ledger is what serves; MLflow is told after it, and may be told later.
"""

from __future__ import annotations

import getpass
from collections.abc import Callable, Sequence
from typing import Literal

from cli.output import emit, say
from cli.recovery import tell_registry
from cli.run import find
from resources.instance import prepare
from resources.releases import NoSuchVersion, Releases


def promote(name: str, version: int, why: str, as_json: bool) -> None:
    """Makes `version` the champion.

    Raises:
        NoSuchVersion: when there is no such version, or a gate rejected it.
    """
    find(name)
    settings = prepare()
    releases = {release.version: release for release in Releases(settings).every(name)}
    if version not in releases:
        known = ", ".join(map(str, releases)) or "none"
        raise NoSuchVersion(f"{name} has no version {version}; there are {known}")
    if releases[version].verdict == "reject":
        raise NoSuchVersion(f"{name}: version {version} was rejected: {releases[version].reason}")
    _move(name, "promote", why, lambda current, line: version, as_json)


def rollback(name: str, why: str, as_json: bool) -> None:
    """Returns the championship to the version that had it before.

    Raises:
        NoSuchVersion: when no version had it before.
    """
    find(name)
    prepare()

    def before(current: int | None, line: Sequence[int]) -> int:
        if not line:
            raise NoSuchVersion(
                f"{name}: no version was champion before {current or 'any'}; nothing to return to"
            )
        return line[0]

    _move(name, "rollback", why, before, as_json)


def _move(
    name: str,
    action: Literal["promote", "rollback"],
    why: str,
    choose: Callable[[int | None, Sequence[int]], int],
    as_json: bool,
) -> None:
    settings = prepare()
    who = getpass.getuser()
    previous, version = Releases(settings).move(name, action, who, why, choose)
    say(f"{name}: champion is version {version}, before {previous or 'none'} ({action}, {why})")
    untold = tell_registry(settings, name)
    if as_json:
        emit(
            {
                "use_case": name,
                "action": action,
                "from": previous,
                "to": version,
                "who": who,
                "why": why,
                "mlflow": untold or "told",
            }
        )
