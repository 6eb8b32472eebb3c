"""Moving the champion as people do: to a version that they name, or back.

Belongs here: which version that is, and refusing one that may not be champion. Does not belong
here: the ledger itself (`resources.releases`), or telling MLflow, which is done afterwards
(`resources.registry`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from resources.releases import NoSuchVersion, Releases

Action = Literal["promote", "rollback"]


@dataclass(frozen=True)
class Move:
    """From which version the champion went to which; the same where it was that already."""

    use_case: str
    action: Action
    previous: int | None
    version: int
    who: str
    why: str

    @property
    def told(self) -> str:
        """It in words."""
        if self.version == self.previous:
            return f"version {self.version} is champion already; nothing was moved"
        before = self.previous or "none"
        return f"champion is version {self.version}, before {before} ({self.action}, {self.why})"


def promote(releases: Releases, name: str, version: int, who: str, why: str) -> Move:
    """Makes `version` the champion; where it is that already, moves nothing.

    Raises:
        NoSuchVersion: when there is no such version, or a gate rejected it.
    """
    known = {each.version: each for each in releases.every(name)}
    _require_any(name, known)
    if version not in known:
        there = ", ".join(map(str, known))
        raise NoSuchVersion(f"{name} has no version {version}; there are {there}")
    if known[version].verdict == "reject":
        good = [str(each.version) for each in known.values() if each.verdict != "reject"]
        raise NoSuchVersion(
            f"{name}: version {version} was rejected: {known[version].reason}; those that may be "
            f"champion: {', '.join(good) or 'none'}"
        )
    previous, now = releases.move(name, "promote", who, why, lambda current, line: version)
    return Move(name, "promote", previous, now, who, why)


def rollback(releases: Releases, name: str, who: str, why: str) -> Move:
    """Returns the championship to the version that had it before.

    Raises:
        NoSuchVersion: when no version had it before.
    """
    _require_any(name, releases.every(name))

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

    previous, now = releases.move(name, "rollback", who, why, before)
    return Move(name, "rollback", previous, now, who, why)


def _require_any(name: str, releases: object) -> None:
    if not releases:
        raise NoSuchVersion(f"{name} has no release yet; `leeway run {name}` makes the first")
