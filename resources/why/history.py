"""What the ledger holds of a use case as a whole.

Belongs here: its releases, moves and newest decisions. Does not belong here: one version
(`resources.why.stories`) or batch (`resources.why.batches`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from leeway.why.facts import Decision, Head, History, Move, Training

if TYPE_CHECKING:
    import psycopg2.extensions

NEWEST = 3  # decisions, and trainings that were refused
TRAINING = "incident, attempt, run_id, begun_at, version, unchanged, refused, ended_at"
DECISION = "seq, at, state, action, incident, attempt, cause, reason, diagnosis, policy"


def history_of(cursor: psycopg2.extensions.cursor, use_case: str) -> History:
    """The history of a use case; empty where nothing is recorded of it."""
    cursor.execute(
        "select version, digest, verdict, reason, "
        "coalesce((facts ->> 'awaits_person')::boolean, false) and not exists (select from "
        "leeway.moves as m where (m.use_case, m.version) = (r.use_case, r.version)), released_at "
        "from leeway.releases as r where use_case = %s order by version",
        (use_case,),
    )
    releases = [Head(*row) for row in cursor.fetchall()]
    cursor.execute(
        "select id, version, previous_version, action, who, why, moved_at from leeway.moves "
        "where use_case = %s order by id",
        (use_case,),
    )
    moves = [Move(*row) for row in cursor.fetchall()]
    cursor.execute(
        f"select {DECISION} from leeway.decisions where use_case = %s "  # noqa: S608  # a literal
        "order by seq desc limit %s",
        (use_case, NEWEST),
    )
    decisions = [Decision(*row) for row in cursor.fetchall()][::-1]
    cursor.execute(
        f"select {TRAINING} from leeway.trainings where use_case = %s "  # noqa: S608  # a literal
        "and refused is not null order by seq desc limit %s",
        (use_case, NEWEST),
    )
    refused = [Training(*row) for row in cursor.fetchall()][::-1]
    cursor.execute(
        "select node, count(*) from leeway.current where use_case = %s group by node "
        "order by min(commit_id)",
        (use_case,),
    )
    return History(use_case, releases, moves, decisions, refused, dict(cursor.fetchall()))


def recorded_names(cursor: psycopg2.extensions.cursor) -> list[str]:
    """The use cases of which something is recorded."""
    cursor.execute("select distinct use_case from leeway.current order by use_case")
    return [name for (name,) in cursor.fetchall()]
