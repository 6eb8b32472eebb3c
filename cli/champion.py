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
from orchestration.use_cases import find_use_case
from resources.instance import prepare
from resources.releases import NoSuchVersion, Release, Releases
from resources.settings import Settings


def promote(name: str, version: int, why: str, as_json: bool) -> None:
    """Makes `version` the champion; where it is that already, moves nothing and says so.

    Raises:
        NoSuchVersion: when there is no such version, a gate rejected it, or it is an experiment.
    """
    _with_versions(name)
    settings = prepare()
    releases = _releases_of(name, settings)
    if version not in releases:
        known = ", ".join(map(str, releases))
        raise NoSuchVersion(f"{name} has no version {version}; there are {known}")
    if releases[version].verdict == "reject":
        raise NoSuchVersion(f"{name}: version {version} was rejected: {releases[version].reason}")
    _move(settings, name, "promote", why, lambda current, line: version, as_json)


def rollback(name: str, why: str, as_json: bool) -> None:
    """Returns the championship to the version that had it before.

    Raises:
        NoSuchVersion: when no version had it before, or it is an experiment.
    """
    _with_versions(name)
    settings = prepare()
    _releases_of(name, settings)

    def before(current: int | None, line: Sequence[int]) -> int:
        if current is None:
            raise NoSuchVersion(
                f"{name}: no version is champion; `leeway promote {name} VERSION` makes one"
            )
        if not line:
            raise NoSuchVersion(
                f"{name}: no version was champion before {current}; nothing to return to"
            )
        return line[0]

    _move(settings, name, "rollback", why, before, as_json)


def _with_versions(name: str) -> None:
    """Refuses what is no use case, or one that never has a version."""
    if find_use_case(name).task == "experiment":
        raise NoSuchVersion(
            f"{name} is an experiment, which has no versions to move; `leeway status {name}` shows "
            "its best setting"
        )


def _releases_of(name: str, settings: Settings) -> dict[int, Release]:
    """The releases by version; there is one at least."""
    releases = {release.version: release for release in Releases(settings).every(name)}
    if not releases:
        raise NoSuchVersion(f"{name} has no release yet; `leeway run {name}` makes the first")
    return releases


def _move(
    settings: Settings,
    name: str,
    action: Literal["promote", "rollback"],
    why: str,
    choose: Callable[[int | None, Sequence[int]], int],
    as_json: bool,
) -> None:
    who = getpass.getuser()
    previous, version = Releases(settings).move(name, action, who, why, choose)
    if version == previous:
        say(f"{name}: version {version} is champion already; nothing was moved")
    else:
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
