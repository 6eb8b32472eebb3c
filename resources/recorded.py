"""What the ledger holds of the past of one use case, for the controller: the newest part of it.

Belongs here: queries whose cost does not grow with the number of batches. Does not belong here:
decisions (`resources.decisions`), incidents and champions (`resources.releases`), or what follows
from any of them (`leeway.controller`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from leeway.controller.facts import Incident, Look, Outcome
from resources.postgres import transaction
from resources.settings import Settings

# Further back nothing is looked at: the newest of them say whether something is the matter.
NEWEST_BATCHES = 50
# A day's cool-down that is doubled so often is longer than the longest wait that can be asked for.
MOST_RESULTS = 20
NEWEST_RELEASES = 5  # each was trained on every clean batch of its time
# What became of a release: whoever moved it last knows; else a person may still, else its verdict.
_OUTCOME = """
    coalesce(
        (select case when moves.version = r.version then 'promoted' else 'taken back' end
         from leeway.moves
         where moves.use_case = r.use_case
             and (moves.version = r.version
                  or moves.previous_version = r.version and moves.action = 'rollback')
         order by moves.id desc limit 1),
        case when (r.facts ->> 'awaits_person')::boolean then 'proposed to a person'
             when exists (select from leeway.trials
                          where (trials.use_case, trials.version) = (r.use_case, r.version)
                              and ended_at is null) then 'on trial'
             when r.verdict = 'reject' then 'rejected' else 'held' end)
"""


@dataclass(frozen=True)
class Result:
    """What a training came to: a release, or a refusal.

    `incident` and `attempt` say what caused it; None and 0: something else did, of which nothing is
    known but the release, so that both times are of that.
    """

    incident: str | None
    attempt: int
    run_id: str
    begun_at: datetime
    ended_at: datetime
    outcome: Outcome


class Recorded:
    """Reads the past of one installation."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def looks(self, use_case: str, version: int, *, live: bool = False) -> list[Look]:
        """The newest batches that were held against a release that was not trained on them.

        Of the source, or windows of live traffic.
        """
        known, node = ("windows", "traffic_drift") if live else ("batches", "drift")
        with transaction(self.settings) as cursor:
            cursor.execute(
                f"""
                select newest.batch, facts ->> 'verdict'
                from (select batch, ordinal from leeway.{known} where use_case = %s
                      order by ordinal desc limit %s) as newest
                join leeway.current
                    on current.use_case = %s and node = '{node}' and current.batch = newest.batch
                join leeway.commits on commits.id = commit_id
                where facts ->> 'version' = %s and (facts ->> 'trained_on')::boolean is not true
                order by ordinal
                """,  # noqa: S608  # literals of this function
                (use_case, NEWEST_BATCHES, use_case, str(version)),
            )
            return [Look(*row) for row in cursor.fetchall()]

    def results(self, use_case: str, champion: int, incidents: Sequence[str]) -> list[Result]:
        """The newest of trainings for incidents, the newest of others, and some; oldest first.

        Those that a person made, and left, may be many: they do not hide what incidents led to.

        Args:
            use_case: its name.
            champion: version of the champion, of which the training is among them.
            incidents: digests of incidents whose trainings are among them.
        """
        known = {"use_case": use_case, "champion": champion, "incidents": list(incidents)}
        with transaction(self.settings) as cursor:
            cursor.execute(
                # _OUTCOME is a literal of this module.
                f"""
                select t.incident, attempt, t.run_id, begun_at, ended_at,
                    case when unchanged then 'unchanged'
                         when t.version is null then 'refused' else {_OUTCOME} end
                from (
                    select seq, incident, attempt, run_id, begun_at, ended_at, version, unchanged
                    from leeway.trainings
                    where use_case = %(use_case)s and seq is not null and (
                        seq in (select seq from leeway.trainings
                                where use_case = %(use_case)s and seq is not null
                                order by seq desc limit %(newest)s)
                        or version = %(champion)s or incident = any(%(incidents)s))
                    union all
                    select seq, null, 0, run_id, released_at, released_at, version, false
                    from leeway.releases
                    where use_case = %(use_case)s and incident is null and (
                        seq in (select seq from leeway.releases
                                where use_case = %(use_case)s and incident is null
                                order by seq desc limit %(newest)s)
                        or version = %(champion)s)) as t
                left join leeway.releases as r
                    on r.use_case = %(use_case)s and r.version = t.version
                order by t.seq
                """,  # noqa: S608
                {**known, "newest": MOST_RESULTS},
            )
            return [Result(*row) for row in cursor.fetchall()]

    def answer(self, use_case: str, incident: Incident) -> Outcome | None:
        """What became of the first release after an incident that was trained on its batch.

        Of live traffic, which is not trained on, it is the first that was trained on a batch which
        the release that the incident is about had not seen.
        """
        with transaction(self.settings) as cursor:
            cursor.execute(
                # _OUTCOME is a literal of this module.
                f"""
                select {_OUTCOME} from leeway.releases as r
                where use_case = %(use_case)s
                    and case when %(live)s then not exists (
                            select from leeway.releases as about
                            join leeway.incidents as i
                                on (i.use_case, i.release_digest) = (about.use_case, about.digest)
                            where i.use_case = %(use_case)s and i.digest = %(digest)s
                                and (about.facts -> 'batches') @> (r.facts -> 'batches'))
                        else facts -> 'batches' ? %(batch)s end
                    and seq > (select seq from leeway.incidents
                               where use_case = %(use_case)s and digest = %(digest)s)
                order by seq limit 1
                """,  # noqa: S608
                {
                    "use_case": use_case,
                    "batch": incident.batch,
                    "digest": incident.digest,
                    "live": incident.live,
                },
            )
            row = cursor.fetchone()
        return row[0] if row else None

    def unlooked(self, use_case: str, champion: int, seen: Sequence[str]) -> list[tuple[str, int]]:
        """Those of the newest batches that were held against another model than the champion.

        Each with the token of that look.

        Args:
            use_case: its name.
            champion: version of the champion.
            seen: the batches that it was trained on.
        """
        with transaction(self.settings) as cursor:
            cursor.execute(
                """
                select newest.batch, token
                from (select batch, ordinal from leeway.batches where use_case = %s
                      order by ordinal desc limit %s) as newest
                join leeway.current
                    on current.use_case = %s and node = 'drift' and current.batch = newest.batch
                join leeway.commits on commits.id = commit_id
                where facts ->> 'version' <> %s and not newest.batch = any(%s)
                order by ordinal
                """,
                (use_case, NEWEST_BATCHES, use_case, str(champion), list(seen)),
            )
            return cursor.fetchall()

    def unseen(self, use_case: str) -> tuple[str, datetime] | None:
        """The newest clean batch and since when it is there, if no judged model has seen it."""
        with transaction(self.settings) as cursor:
            cursor.execute(
                """
                select newest.batch, committed_at
                from (select batch, ordinal from leeway.batches where use_case = %s
                      order by ordinal desc limit %s) as newest
                join leeway.current
                    on current.use_case = %s and node = 'clean' and current.batch = newest.batch
                join leeway.commits on commits.id = commit_id
                where not exists (
                    select from (select facts from leeway.releases where use_case = %s
                                 order by seq desc limit %s) as releases
                    where facts -> 'batches' ? newest.batch)
                order by ordinal desc limit 1
                """,
                (use_case, NEWEST_BATCHES, use_case, use_case, NEWEST_RELEASES),
            )
            row = cursor.fetchone()
        return (row[0], row[1]) if row else None
