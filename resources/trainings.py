"""The trainings that the controller asked for: which run does each, and what it came to.

Belongs here: the claim of a run to an attempt at an incident, and its end. Does not belong here:
the decision to train (`resources.decisions`), releases (`resources.releases`), or reading the past
for the controller (`resources.recorded`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from resources.postgres import transaction
from resources.settings import Settings

if TYPE_CHECKING:
    import psycopg2.extensions


@dataclass(frozen=True)
class Asked:
    """An attempt at an incident, as the controller decided it; attempts count from 1."""

    incident: str
    attempt: int


class Trainings:
    """Claims of one installation."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def claim(self, use_case: str, asked: Asked, run_id: str) -> str:
        """The run that trains for an attempt: of those that ask, the first, for good.

        Args:
            use_case: its name.
            asked: the attempt.
            run_id: of a run that is made again, its first.
        """
        key = (use_case, asked.incident, asked.attempt)
        with transaction(self.settings) as cursor:
            cursor.execute(
                "insert into leeway.trainings (use_case, incident, attempt, run_id) "
                "values (%s, %s, %s, %s) on conflict do nothing",
                (*key, run_id),
            )
            cursor.execute(
                "select run_id from leeway.trainings "
                "where (use_case, incident, attempt) = (%s, %s, %s)",
                key,
            )
            ((owner,),) = cursor.fetchall()
        return str(owner)

    def refuse(self, use_case: str, asked: Asked, why: str) -> None:
        """Records that an attempt did not go on, which is no failure; a result stays one."""
        with transaction(self.settings) as cursor:
            cursor.execute(
                "update leeway.trainings set refused = %s, ended_at = now(), "
                "seq = nextval('leeway.recorded') "
                "where (use_case, incident, attempt) = (%s, %s, %s) and version is null",
                (why, use_case, asked.incident, asked.attempt),
            )


def end_in(cursor: psycopg2.extensions.cursor, use_case: str, asked: Asked, version: int) -> None:
    """Records the release that an attempt came to, once, before the release itself is recorded.

    Runs inside the transaction that records the release: it is the champion again where the
    incident is about it.
    """
    cursor.execute(
        """
        update leeway.trainings as t
        set version = %s, ended_at = now(), seq = nextval('leeway.recorded'),
            unchanged = exists (
                select from leeway.releases as r
                join leeway.incidents as i
                    on (i.use_case, i.release_digest) = (r.use_case, r.digest)
                where (r.use_case, r.version) = (t.use_case, %s) and i.digest = t.incident)
        where (use_case, incident, attempt) = (%s, %s, %s) and version is null
        """,
        (version, version, use_case, asked.incident, asked.attempt),
    )
