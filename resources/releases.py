"""Releases, who is champion, and incidents: the part of the ledger that decisions rest on.

Belongs here: recording a release once per training key, moving the champion with a comparison of
what it was, and incidents. Does not belong here: judging a release (`leeway.release`) or deciding
to retrain (`leeway.controller`; what it reads: `resources.recorded`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from leeway.controller.facts import Cause, Incident, Origin
from leeway.spec import Trial
from resources import trials
from resources.faults import fault
from resources.postgres import transaction
from resources.settings import Settings

if TYPE_CHECKING:
    import psycopg2.extensions


class NoSuchVersion(LookupError):
    """The version does not exist, or may not become champion."""


class VersionTaken(RuntimeError):
    """Another training was released meanwhile, under the version that this one was given."""


class ChampionMoved(RuntimeError):
    """Somebody else moved the champion meanwhile."""


@dataclass(frozen=True)
class Release:
    """One released version of a use case's model."""

    use_case: str
    version: int
    digest: str
    training_key: str
    algorithm: str
    verdict: Literal["promote", "hold", "reject"]
    reason: str
    facts: Mapping[str, Any]
    incident: str | None
    run_id: str
    released_at: datetime


_COLUMNS = (
    "use_case, version, digest, training_key, algorithm, verdict, reason, facts, incident, run_id, "
    "released_at"
)
# An incident stands while it is the newest evidence on its batch: what the node that finds its
# cause says of the batch now, about the same release, names it. Where that is not recorded, it
# stands.
_STANDS = """
    not exists (
        select from leeway.current as c
        join leeway.commits as m on m.id = c.commit_id
        join leeway.releases as r
            on r.use_case = c.use_case and r.version = (m.facts ->> 'version')::integer
        where (c.use_case, c.node, c.batch) = (i.use_case, coalesce(i.node, i.cause), i.batch)
            and r.digest = i.release_digest
            and m.facts ? 'incident' and m.facts ->> 'incident' is distinct from i.digest)
"""


class Releases:
    """Reads and writes releases, moves and incidents of one installation."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def every(self, use_case: str) -> list[Release]:
        """All releases of a use case, oldest first."""
        with transaction(self.settings) as cursor:
            cursor.execute(
                # _COLUMNS is a literal of this module.
                f"select {_COLUMNS} from leeway.releases where use_case = %s order by version",  # noqa: S608
                (use_case,),
            )
            return [Release(*row) for row in cursor.fetchall()]

    def champion(self, use_case: str) -> Release | None:
        """The release that serves now, or None."""
        with transaction(self.settings) as cursor:
            cursor.execute(
                # _COLUMNS is a literal of this module.
                f"select {_COLUMNS} from leeway.releases where use_case = %s and version = "  # noqa: S608
                "(select version from leeway.moves where use_case = %s order by id desc limit 1)",
                (use_case, use_case),
            )
            row = cursor.fetchone()
        return None if row is None else Release(*row)

    def waiting(self, use_case: str) -> Release | None:
        """The newest release, if it was held for a person to promote and nobody did yet."""
        newest = self.every(use_case)[-1:]
        moved = {move["version"] for move in self.moves(use_case)}
        waiting = (r for r in newest if r.facts.get("awaits_person") and r.version not in moved)
        return next(waiting, None)

    def next_version(self, use_case: str, training_key: str) -> int:
        """The version that a release of this training will have: its own again, or the next."""
        releases = self.every(use_case)
        for release in releases:
            if release.training_key == training_key:
                return release.version
        return max((release.version for release in releases), default=0) + 1

    def record(
        self,
        cursor: psycopg2.extensions.cursor,
        release: Release,
    ) -> None:
        """Inserts a release, or replaces the one with the same training key, but not its cause.

        What a later training came to by it is a row of its own (`resources.trainings`). Runs inside
        the transaction that commits the node, so that they appear together.

        Raises:
            VersionTaken: when another training has the version.
        """
        from psycopg2 import errors

        try:
            self._insert(cursor, release)
        except errors.UniqueViolation as error:
            raise VersionTaken(
                f"{release.use_case}: version {release.version} was taken by another training "
                f"meanwhile; run `leeway run {release.use_case} --select release` again"
            ) from error

    def _insert(self, cursor: psycopg2.extensions.cursor, release: Release) -> None:
        cursor.execute(
            """
            insert into leeway.releases
                (use_case, version, digest, training_key, algorithm, verdict, reason, facts,
                 incident, run_id, released_at)
            values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
            on conflict (use_case, training_key) do update
            set digest = excluded.digest, verdict = excluded.verdict, reason = excluded.reason,
                facts = excluded.facts, run_id = excluded.run_id
            """,
            (
                release.use_case,
                release.version,
                release.digest,
                release.training_key,
                release.algorithm,
                release.verdict,
                release.reason,
                json.dumps(release.facts, allow_nan=False),
                release.incident,
                release.run_id,
                release.released_at,
            ),
        )

    def move(
        self,
        use_case: str,
        action: Literal["promote", "rollback"],
        who: str,
        why: str,
        choose: Callable[[int | None, Sequence[int]], int],
    ) -> tuple[int | None, int]:
        """Moves the champion to the version that `choose` returns; returns (from, to).

        `choose` is given the champion's version and the versions that were champion before it,
        newest first, inside a transaction that excludes every other move of the use case. Where it
        chooses the champion itself, nothing is written.

        Raises:
            NoSuchVersion: when there is no release of the version.
        """
        from psycopg2 import errors

        with transaction(self.settings) as cursor:
            current = lock_champion(cursor, use_case)
            target = choose(current, _line(cursor, use_case))
            if target == current:
                return current, target
            try:
                insert_move(cursor, use_case, target, current, action, who, why)
            except errors.ForeignKeyViolation as error:
                raise NoSuchVersion(f"{use_case} has no version {target}") from error
            fault("champion.in_move")
        return current, target

    def moves(self, use_case: str) -> list[dict[str, Any]]:
        """Every move of the champion, newest first."""
        with transaction(self.settings) as cursor:
            cursor.execute(
                "select version, previous_version, action, who, why, moved_at from leeway.moves "
                "where use_case = %s order by id desc",
                (use_case,),
            )
            names = ("version", "previous_version", "action", "who", "why", "moved_at")
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def incidents(self, use_case: str, release_digest: str, newest: int) -> list[Incident]:
        """The newest incidents about a release that stand, as they were recorded."""
        found = self._incidents(
            f"release_digest = %s and {_STANDS} order by seq desc limit %s",
            (use_case, release_digest, newest),
        )
        return found[::-1]

    def own_fault(self, use_case: str, release_digest: str) -> Incident | None:
        """What our own pipeline did to a batch, and has not mended; of several the newest."""
        found = self._incidents(
            f"release_digest = %s and origin = 'pipeline' and {_STANDS} order by seq desc limit 1",
            (use_case, release_digest),
        )
        return found[0] if found else None

    def trained_for(
        self, use_case: str, release_digest: str, batches: Sequence[str]
    ) -> list[Incident]:
        """Drift of these batches that were held against another release, the newest first.

        What our own pipeline did to a batch is no drift to learn.
        """
        return self._incidents(
            "release_digest <> %s and batch = any(%s) and cause = 'drift' "
            "and origin <> 'pipeline' order by seq desc",
            (use_case, release_digest, list(batches)),
        )

    def trained_for_traffic(self, use_case: str, version: int) -> list[Incident]:
        """Drift of live traffic that a release up to this version was trained for, newest first."""
        return self._incidents(
            "cause = 'drift' and starts_with(i.node, 'traffic') and exists (select "
            "from leeway.releases as r where (r.use_case, r.incident) = (i.use_case, i.digest) "
            "and r.version <= %s) order by seq desc",
            (use_case, version),
        )

    def _incidents(self, condition: str, parameters: tuple[Any, ...]) -> list[Incident]:
        with transaction(self.settings) as cursor:
            cursor.execute(
                # `condition` is made of literals of this module.
                "select digest, batch, columns, found_at, cause, origin, "  # noqa: S608
                "coalesce(starts_with(node, 'traffic'), false) "
                f"from leeway.incidents as i where use_case = %s and {condition}",
                parameters,
            )
            return [
                Incident(digest, batch, tuple(columns), *rest)
                for digest, batch, columns, *rest in cursor.fetchall()
            ]


def insert_incident(
    cursor: psycopg2.extensions.cursor,
    use_case: str,
    digest: str,
    batch: str,
    columns: Sequence[str],
    release_digest: str,
    run_id: str,
    cause: Cause = "drift",
    origin: Origin = "unknown",
    node: str | None = None,
) -> None:
    """Records an incident once; the same evidence again changes nothing.

    `node` found it; None: that of the name of its cause.
    """
    cursor.execute(
        "insert into leeway.incidents (use_case, digest, batch, columns, release_digest, run_id, "
        "cause, origin, node) values (%s, %s, %s, %s, %s, %s, %s, %s, %s) on conflict do nothing",
        (use_case, digest, batch, list(columns), release_digest, run_id, cause, origin, node),
    )


def insert_move(
    cursor: psycopg2.extensions.cursor,
    use_case: str,
    version: int,
    previous: int | None,
    action: Literal["promote", "rollback"],
    who: str,
    why: str,
) -> None:
    """Appends a move of the champion, which makes `version` the champion and ends any trial."""
    trials.champion_moved_in(cursor, use_case, version, who, why)
    cursor.execute(
        "insert into leeway.moves (use_case, version, previous_version, action, who, why) "
        "values (%s, %s, %s, %s, %s, %s)",
        (use_case, version, previous, action, who, why),
    )


def promote_in(
    cursor: psycopg2.extensions.cursor, use_case: str, version: int, judged: int | None, why: str
) -> None:
    """Promotes a release inside the transaction that records it.

    Raises:
        ChampionMoved: when the champion is no longer the version that it was compared with.
    """
    if _may_follow(cursor, use_case, version, judged):
        insert_move(cursor, use_case, version, judged, "promote", "leeway", why)


def try_in(
    cursor: psycopg2.extensions.cursor,
    use_case: str,
    version: int,
    digest: str,
    judged: int,
    policy: Trial,
) -> None:
    """Begins the trial of a release inside the transaction that records it.

    Raises:
        ChampionMoved: when the champion is no longer the version that it was compared with.
    """
    if _may_follow(cursor, use_case, version, judged):
        trials.begin_in(cursor, use_case, version, digest, judged, policy)


def _may_follow(
    cursor: psycopg2.extensions.cursor, use_case: str, version: int, judged: int | None
) -> bool:
    """Whether the champion is who the version was compared with, until the transaction ends.

    False: the version is champion itself.

    Raises:
        ChampionMoved: when it is another.
    """
    current = lock_champion(cursor, use_case)
    if current == version:
        return False
    if current != judged:
        raise ChampionMoved(
            f"{use_case}: version {version} was compared with champion {judged}, but the champion "
            f"is {current} now; run `leeway run {use_case} --select release` to compare again"
        )
    return True


def lock_champion(cursor: psycopg2.extensions.cursor, use_case: str) -> int | None:
    """The champion's version, which nobody else moves until the transaction ends."""
    cursor.execute("select pg_advisory_xact_lock(hashtext(%s))", (f"champion.{use_case}",))
    return _champion(cursor, use_case)


def _champion(cursor: psycopg2.extensions.cursor, use_case: str) -> int | None:
    cursor.execute(
        "select version from leeway.moves where use_case = %s order by id desc limit 1", (use_case,)
    )
    row = cursor.fetchone()
    return None if row is None else int(row[0])


def _line(cursor: psycopg2.extensions.cursor, use_case: str) -> list[int]:
    """Versions that a rollback can return to, newest first: promotions not yet rolled back."""
    cursor.execute(
        "select version, action from leeway.moves where use_case = %s order by id", (use_case,)
    )
    line: list[int] = []
    for version, action in cursor.fetchall():
        if action == "rollback":
            line.pop()
        elif line[-1:] != [version]:  # who is champion already has no other one before
            line.append(version)
    return line[-2::-1]
