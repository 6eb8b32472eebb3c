"""What the controller decided, in the ledger: one row each time that it decided something else.

Belongs here: recording a decision once, and reading the newest. Does not belong here: deciding
(`leeway.controller`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from leeway.controller.facts import Incident, Intent
from leeway.controller.machine import Decision
from resources.definitions import keep_definition
from resources.faults import fault
from resources.postgres import transaction
from resources.releases import insert_incident
from resources.settings import Settings

if TYPE_CHECKING:
    import psycopg2.extensions

# Those of a decision last, in the order of its fields.
_COLUMNS = "seq, at, policy, state, action, reason, diagnosis, incident, attempt, cause"


@dataclass(frozen=True)
class RecordedDecision:
    """A row of the ledger, with the digest of the policy that it was decided under."""

    seq: int
    at: datetime
    policy: str
    decision: Decision  # without `until`, which its reason says

    def says(self, decision: Decision, policy: str) -> bool:
        """Whether it is the same decision, whenever it was made."""
        return (self.decision, self.policy) == (replace(decision, until=None), policy)


@dataclass(frozen=True)
class Position:
    """How far things were when the facts were read: what is decided then holds only from there.

    `token` is of the newest training that has begun.
    """

    newest: RecordedDecision | None
    token: int


class Decisions:
    """Reads and writes the decisions of one installation."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def position(self, use_case: str) -> Position:
        """The last decision of a use case, and the last training that has begun."""
        with transaction(self.settings) as cursor:
            token = _token(cursor, use_case, "")
            cursor.execute(
                # _COLUMNS is a literal of this module.
                f"select {_COLUMNS} from leeway.decisions where use_case = %s "  # noqa: S608
                "order by seq desc limit 1",
                (use_case,),
            )
            row = cursor.fetchone()
        if row is None:
            return Position(None, token)
        seq, at, policy, *decision = row
        return Position(RecordedDecision(seq, at, policy, Decision(*decision)), token)

    def intents(self, use_case: str, newest: int) -> list[Intent]:
        """The newest decisions to train, the newest of all last."""
        with transaction(self.settings) as cursor:
            cursor.execute(
                "select incident, attempt, at from leeway.decisions "
                "where use_case = %s and action = 'retrain' order by seq desc limit %s",
                (use_case, newest),
            )
            return [Intent(*row) for row in reversed(cursor.fetchall())]

    def keep_policy(self, content: Mapping[str, Any]) -> str:
        """Keeps a policy, once; returns its digest, which decisions name."""
        with transaction(self.settings) as cursor:
            return keep_definition(cursor, content)

    def record(
        self,
        use_case: str,
        decision: Decision,
        policy: str,
        at: datetime,
        *,
        since: Position,
        overdue: tuple[Incident, str] | None = None,
    ) -> bool:
        """Appends a decision; False when another one was, or a training began, meanwhile.

        A training that begins now waits for the end of the transaction, and looks then whether it
        is still the newest that was decided (`assets.requested`).

        Args:
            use_case: its name.
            decision: what was decided.
            policy: digest of the policy.
            at: by the clock that was decided with.
            since: what was asked for before the facts were read.
            overdue: the champion's age, if the decision is about it, and the release that is old:
                recorded with it, since no node records the passing of time.
        """
        fault("decision.before_record")
        with transaction(self.settings) as cursor:
            recorded = _token(cursor, use_case, "for update") == since.token and _append(
                cursor, use_case, decision, policy, at, since.newest
            )
            if recorded and overdue is not None:
                _insert_overdue(cursor, use_case, *overdue)
            fault("decision.in_record")
        fault("decision.after_record")
        return recorded


def _insert_overdue(
    cursor: psycopg2.extensions.cursor, use_case: str, incident: Incident, release: str
) -> None:
    insert_incident(
        cursor,
        use_case,
        incident.digest,
        incident.batch,
        incident.columns,
        release,
        run_id="",
        cause="freshness",
    )


def _token(
    cursor: psycopg2.extensions.cursor, use_case: str, lock: Literal["", "for update"]
) -> int:
    """The token of the newest training that has begun, or 0."""
    cursor.execute(
        # `lock` is one of two literals.
        "select token from leeway.attempts "  # noqa: S608
        f"where use_case = %s and node = 'training_set' and batch = '' {lock}",
        (use_case,),
    )
    row = cursor.fetchone()
    return 0 if row is None else int(row[0])


def _append(
    cursor: psycopg2.extensions.cursor,
    use_case: str,
    decision: Decision,
    policy: str,
    at: datetime,
    before: RecordedDecision | None,
) -> bool:
    cursor.execute(
        """
        insert into leeway.decisions
            (use_case, after, at, state, action, incident, attempt, cause, reason, diagnosis,
             policy)
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        on conflict (use_case, after) do nothing
        """,
        (
            use_case,
            before.seq if before else 0,
            at,
            decision.state,
            decision.action,
            decision.incident,
            decision.attempt,
            decision.cause,
            decision.reason,
            decision.diagnosis,
            policy,
        ),
    )
    return cursor.rowcount == 1
