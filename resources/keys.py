"""Keys of the prediction service: who may ask it, one file per key below LEEWAY_HOME.

Belongs here: making, listing and revoking keys, finding the one that a request shows, and whether a
service needs any. Does not belong here: which request needs which scope (`serving.guard`).

A key is 256 random bits, so that its SHA-256 cannot be turned back by trying: a slow hash would
only make each request slow. A file per key needs no lock, appears whole and goes whole.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
import logging
import re
import secrets
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, get_args

from resources.atomic import write_whole
from resources.settings import Settings

Scope = Literal["predict", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
_ID = re.compile(r"[0-9a-f]{12}")
log = logging.getLogger("leeway.serving")


@dataclass(frozen=True)
class Key:
    """What is kept of a key: its public id, and the SHA-256 of its text in hexadecimal digits."""

    id: str
    scope: Scope
    name: str
    made_at: str
    sha256: str

    def may(self, scope: Scope) -> bool:
        """Whether it opens what needs the scope; `admin` opens all."""
        return self.scope in ("admin", scope)


class NoSuchKey(ValueError):
    """There is no key of that id."""


class Keys:
    """The keys of an installation."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "keys"

    def ever_made(self) -> bool:
        """Whether there was ever a key, though all may be revoked."""
        return self.folder.is_dir()

    def make(self, scope: Scope, name: str, now: datetime) -> tuple[str, Key]:
        """A new key: its text, which is nowhere kept, and what is."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        identity = secrets.token_hex(6)
        text = f"leeway_{identity}_{secrets.token_urlsafe(32)}"
        key = Key(identity, scope, name, now.isoformat(timespec="seconds"), _digest(text))
        write_whole(self._file(identity), json.dumps(asdict(key), indent=1).encode())
        return text, key

    def every(self) -> list[Key]:
        """All that are valid, the oldest first; a file that is none is told in the log."""
        found = []
        for path in self.folder.glob("*.json"):
            try:
                content = json.loads(path.read_bytes())
                key = Key(**content)
            except FileNotFoundError:
                continue  # revoked meanwhile
            except (ValueError, TypeError, OSError) as error:  # the others count all the same
                log.error("%s is no key (%s); make another with `leeway keys new`", path, error)
                continue
            texts = all(isinstance(each, str) for each in content.values())
            if texts and key.id == path.stem and key.scope in SCOPES:
                found.append(key)
        return sorted(found, key=lambda key: (key.made_at, key.id))

    def revoke(self, identity: str) -> None:
        """Ends a key.

        Raises:
            NoSuchKey: when there is none of that id.
        """
        if not _ID.fullmatch(identity) or not self._file(identity).exists():
            known = ", ".join(key.id for key in self.every()) or "none"
            raise NoSuchKey(f"there is no key {identity!r}; there are: {known}")
        self._file(identity).unlink(missing_ok=True)

    def _file(self, identity: str) -> Path:
        return self.folder / f"{identity}.json"


class Ring:
    """The keys as a service holds them: read again after a second, so that none needs a restart."""

    REREAD_SECONDS = 1.0

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._by_id: dict[str, Key] = {}
        self._read_at = float("-inf")

    def find(self, text: str, now: float) -> Key | None:
        """The key of that text, compared in constant time; `now` is of a clock that is never set.

        While the files cannot be read, those that were read before count.
        """
        if now - self._read_at >= self.REREAD_SECONDS:
            self._read_at = now
            try:
                self._by_id = {key.id: key for key in self._keys.every()}
            except OSError as error:
                log.error("the keys cannot be read: %s", error)
        prefix, _, rest = text.partition("_")
        key = self._by_id.get(rest.partition("_")[0])
        if prefix != "leeway" or key is None:
            return None
        return key if hmac.compare_digest(_digest(text), key.sha256) else None


def keys_are_needed(settings: Settings, host: str) -> bool:
    """Everywhere but on this machine's own address, where no key was ever made."""
    return (
        settings.environment == "production"
        or not is_this_machine(host)
        or Keys(settings.home).ever_made()
    )


def is_this_machine(host: str) -> bool:
    """Whether nobody but this machine can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
