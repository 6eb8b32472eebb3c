"""Which releases are champions, and their objects, wherever they can be had now.

Belongs here: the cascade from the ledger to what this machine served last, and the copies for that.
Does not belong here: loading a release (`serving.loading`), or when to look (`serving.keeper`).
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from resources.atomic import write_whole
from resources.postgres import transaction
from resources.settings import Settings
from resources.store import LocalStore
from serving.loading import Pointer

log = logging.getLogger("leeway.serving")
LOOK_SECONDS = 10.0
UNREAD_SECONDS = 24 * 3600.0
_CHAMPIONS = """
    select distinct on (m.use_case) m.use_case, m.version, r.digest, r.facts ->> 'uri'
    from leeway.moves as m
    join leeway.releases as r on (r.use_case, r.version) = (m.use_case, m.version)
    order by m.use_case, m.id desc
"""


def champions(settings: Settings) -> dict[str, Pointer]:
    """The champion of each use case that has one, as the ledger says now.

    Raises:
        resources.postgres.PostgresUnavailable: when the database does not answer in time.
        psycopg2.Error: when it refuses.
    """
    with transaction(settings, seconds=LOOK_SECONDS) as cursor:
        cursor.execute(_CHAMPIONS)
        return {row[0]: Pointer(*row) for row in cursor.fetchall()}


def copies_of(settings: Settings) -> Copies:
    """Those of an installation, which its processes share."""
    return Copies(settings.home / "serving", LocalStore(settings.store_root))


class Copies:
    """What this machine served last: champions and their objects, without any server."""

    def __init__(self, folder: Path, store: LocalStore) -> None:
        self.folder, self.store = folder, store
        self._last = folder / "champions.json"

    def remember(self, pointers: Mapping[str, Pointer]) -> None:
        """Keeps which releases are served."""
        content = {name: asdict(each) for name, each in sorted(pointers.items())}
        write_whole(self._last, json.dumps(content, indent=1).encode())

    def last(self) -> dict[str, Pointer]:
        """The champions that were served last; none where there is no record, or a broken one."""
        if not self._last.exists():
            return {}
        try:
            content = json.loads(self._last.read_bytes())
            return {name: Pointer(**each) for name, each in content.items()}
        except (ValueError, TypeError, AttributeError) as error:
            log.error("%s does not say what was served last: %s", self._last, error)
            return {}

    def get(self, uri: str, digest: str) -> bytes:
        """The bytes of an object, verified; the store's, else the copy of this machine.

        Raises:
            OSError: when neither has it.
            resources.store.CorruptObject: when the store's was changed and there is no copy.
        """
        copy = self.folder / "objects" / digest.removeprefix("sha256:")
        found = _copied(copy, digest)
        if found is not None:
            return found
        data = self.store.get(uri, digest)
        try:
            write_whole(copy, data)
        except OSError as error:  # what the store gave is served all the same
            log.error("no copy of %s is kept on this machine: %s", digest, error)
        return data

    def sweep(self, kept: Iterable[str], now: float) -> None:
        """Removes copies that nobody read for a day, but for those of releases that are held.

        Args:
            kept: digests of objects that stay.
            now: seconds since 1970, as files have them.
        """
        names = {each.removeprefix("sha256:") for each in kept}
        for copy in (self.folder / "objects").glob("*"):
            with suppress(FileNotFoundError):  # another process has renamed or removed it just now
                if copy.name not in names and now - copy.stat().st_mtime > UNREAD_SECONDS:
                    copy.unlink()


def _copied(copy: Path, digest: str) -> bytes | None:
    """What a copy holds, if it is there and has the digest; it is then in use: see `sweep`."""
    try:
        data = copy.read_bytes()
        os.utime(copy)
    except FileNotFoundError:
        return None
    except OSError as error:  # such as one of another user
        log.warning("the copy %s is not used: %s", copy, error)
        return None
    return data if f"sha256:{hashlib.sha256(data).hexdigest()}" == digest else None
