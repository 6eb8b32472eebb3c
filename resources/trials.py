"""Trials in the ledger: which release is tried beside which champion, and what it came to.

Belongs here: the table `leeway.trials`. Does not belong here: the evidence (`resources.tried`),
the rule (`leeway.trial.verdict`), or moving the champion (`resources.releases`).

A trial begins in the transaction that records the release, and ends in the one that moves the
champion, if it ends with that. Both are written under the lock of the champion's moves.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from leeway.spec import Trial
from resources.postgres import has_table, transaction
from resources.settings import Settings

if TYPE_CHECKING:
    import psycopg2.extensions

Verdict = Literal["promoted", "back", "failed", "superseded", "stopped"]
_COLUMNS = (
    "t.id, t.use_case, t.version, t.release_digest, r.facts ->> 'uri', t.champion, t.policy, "
    "t.began_at, t.ended_at, t.judged_at, t.verdict, t.reason, t.evidence"
)
_FROM = "leeway.trials as t join leeway.releases as r using (use_case, version)"


@dataclass(frozen=True)
class Tried:
    """One trial; `evidence` is what its verdict rests on, or what was known at the last look.

    `reason` is of the verdict, or says what is waited for; None: nobody has judged yet.
    """

    id: int
    use_case: str
    version: int
    release: str
    uri: str
    champion: int
    policy: Trial
    began_at: datetime
    ended_at: datetime | None
    judged_at: datetime | None
    verdict: Verdict | None
    reason: str | None
    evidence: Mapping[str, Any] | None


def begin_in(
    cursor: psycopg2.extensions.cursor,
    use_case: str,
    version: int,
    digest: str,
    champion: int,
    policy: Trial,
) -> None:
    """Begins a trial, if the release was not tried beside this champion before.

    One that runs ends as superseded: what is newer was trained on more.
    """
    cursor.execute(
        "select from leeway.trials where (use_case, release_digest, champion) = (%s, %s, %s)",
        (use_case, digest, champion),
    )
    if cursor.fetchone() is not None:
        return
    end_in(cursor, use_case, "superseded", f"version {version} is tried in its place")
    cursor.execute(
        "insert into leeway.trials (use_case, version, release_digest, champion, policy, began_at) "
        "values (%s, %s, %s, %s, %s, clock_timestamp())",
        (use_case, version, digest, champion, policy.model_dump_json()),
    )


def end_in(
    cursor: psycopg2.extensions.cursor,
    use_case: str,
    verdict: Verdict,
    reason: str,
    *,
    trial: int | None = None,
    evidence: Mapping[str, Any] | None = None,
) -> bool:
    """Ends the trial that runs; whether there was one, and it was `trial` where that is given."""
    cursor.execute(
        "update leeway.trials set ended_at = clock_timestamp(), judged_at = clock_timestamp(), "
        "verdict = %s, reason = %s, evidence = coalesce(%s, evidence) "
        "where use_case = %s and ended_at is null and coalesce(id = %s, true)",
        (verdict, reason, evidence and json.dumps(evidence, allow_nan=False), use_case, trial),
    )
    return bool(cursor.rowcount == 1)


def note(settings: Settings, trial: int, reason: str, evidence: Mapping[str, Any]) -> None:
    """Keeps what is known of a trial that goes on, for people who look at it."""
    with transaction(settings) as cursor:
        cursor.execute(
            "update leeway.trials set judged_at = clock_timestamp(), reason = %s, evidence = %s "
            "where id = %s and ended_at is null",
            (reason, json.dumps(evidence, allow_nan=False), trial),
        )


def champion_moved_in(
    cursor: psycopg2.extensions.cursor, use_case: str, version: int, who: str, why: str
) -> None:
    """Ends the trial that runs where the champion is moved to `version`: it is decided by that."""
    if not has_table(cursor, "leeway.trials"):
        return
    cursor.execute(
        "select version from leeway.trials where use_case = %s and ended_at is null", (use_case,)
    )
    found = cursor.fetchone()
    if found is not None:
        verdict: Verdict = "promoted" if found[0] == version else "stopped"
        reason = f"{who} made version {version} champion meanwhile: {why}"
        end_in(cursor, use_case, verdict, reason)


def fail(settings: Settings, use_case: str, trial: int, reason: str) -> bool:
    """Ends a trial whose challenger cannot be served; false where it has ended already."""
    with transaction(settings) as cursor:
        return end_in(cursor, use_case, "failed", reason, trial=trial)


def running(settings: Settings) -> dict[str, Tried]:
    """The trial of each use case that has one now."""
    found = _read(settings, "t.ended_at is null")
    return {each.use_case: each for each in found}


def running_of(settings: Settings, use_case: str) -> Tried | None:
    """The trial of a use case, if it has one now."""
    return next(iter(_read(settings, "t.ended_at is null and t.use_case = %s", use_case)), None)


def newest(settings: Settings, use_case: str) -> list[Tried]:
    """The newest trials of a use case, newest first; 20 at most."""
    return _read(settings, "t.use_case = %s", use_case)


def _read(settings: Settings, condition: str, *parameters: str) -> list[Tried]:
    with transaction(settings) as cursor:
        if not has_table(cursor, "leeway.trials"):
            return []
        cursor.execute(
            # All of them are literals of this module.
            f"select {_COLUMNS} from {_FROM} where {condition} order by t.id desc limit "  # noqa: S608
            f"{20 if parameters else 1000}",
            parameters,
        )
        found = [(*row[:6], Trial.model_validate(row[6]), *row[7:]) for row in cursor.fetchall()]
    return [Tried(*each) for each in found]
