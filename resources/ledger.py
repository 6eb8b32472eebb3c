"""The ledger in PostgreSQL: attempts, commits and batches of every node.

Belongs here: the commit protocol (docs/adr/0002) and look-ups of what was committed. Does not
belong here: releases and champions (`resources.releases`), or what a node computes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leeway.identifiers import check_batch
from leeway.traffic.windows import is_window
from resources.definitions import Lineage, keep_definition
from resources.faults import fault
from resources.postgres import ensure_databases, transaction
from resources.settings import Settings, get_settings

if TYPE_CHECKING:
    import psycopg2.extensions

Key = tuple[str, str, str]  # use case, node and batch
WHOLE = ""  # the batch of a node that has none
_LOCK = 7_305_771  # of pg_advisory_xact_lock, while the tables are created


class StaleAttempt(RuntimeError):
    """A newer attempt at the same node has begun; this one must not commit."""


@dataclass(frozen=True)
class Attempt:
    """The right to commit one node, until a newer attempt begins."""

    use_case: str
    node: str
    batch: str
    token: int
    run_id: str


@dataclass(frozen=True)
class Commit:
    """What one node committed: where its object is and what is known about it.

    `told` is false when its run failed or was killed before Dagster had a record of it.
    """

    use_case: str
    node: str
    batch: str
    input_digest: str
    digest: str
    uri: str
    rows: int | None
    facts: Mapping[str, Any]
    run_id: str
    committed_at: datetime
    told: bool


_COLUMNS = (
    "use_case, node, batch, input_digest, digest, uri, rows, facts, run_id, committed_at, told"
)


class Ledger:
    """Reads and writes the ledger of one installation."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or get_settings()
        ensure_databases(self.settings)

    def prepare(self) -> None:
        """Creates the tables of the ledger and of monitoring where they are missing."""
        folder = Path(__file__).parent
        with transaction(self.settings) as cursor:
            cursor.execute("select pg_advisory_xact_lock(%s)", (_LOCK,))
            for name in ("ledger.sql", "monitoring.sql"):
                cursor.execute((folder / name).read_text())

    def begin(self, use_case: str, node: str, batch: str, run_id: str) -> Attempt:
        """Begins an attempt; every older attempt at the same node can no longer commit."""
        with transaction(self.settings) as cursor:
            cursor.execute(
                """
                insert into leeway.attempts (use_case, node, batch, token, run_id)
                values (%s, %s, %s, nextval('leeway.token'), %s)
                on conflict (use_case, node, batch) do update
                set token = excluded.token, run_id = excluded.run_id, started_at = now()
                returning token
                """,
                (use_case, node, batch, run_id),
            )
            ((token,),) = cursor.fetchall()
        return Attempt(use_case, node, batch, int(token), run_id)

    def commit(
        self,
        attempt: Attempt,
        *,
        input_digest: str,
        digest: str,
        uri: str,
        rows: int | None,
        facts: Mapping[str, Any],
        also: Callable[[psycopg2.extensions.cursor], None] | None = None,
        lineage: Lineage | None = None,
    ) -> Commit:
        """Records what the attempt produced and shows it to readers, in one transaction.

        `also` runs in that transaction, so that a table and its record appear together. Without
        `lineage` it is not known what the commit was made from.

        Raises:
            StaleAttempt: when a newer attempt has begun; nothing is changed.
        """
        import psycopg2

        fault(f"{attempt.node}.before_commit")
        try:
            with transaction(self.settings) as cursor:
                _fence(cursor, attempt)
                if also is not None:
                    also(cursor)
                fault(f"{attempt.node}.in_commit")
                recorded = _record(cursor, attempt, input_digest, digest, uri, rows, facts)
                _keep_lineage(cursor, recorded, lineage)
        except psycopg2.Error as error:
            if error.pgcode == "LW001":
                raise StaleAttempt(str(error).splitlines()[0]) from error
            raise
        fault(f"{attempt.node}.after_commit")
        return recorded

    @staticmethod
    def amend(
        cursor: psycopg2.extensions.cursor,
        commit: Commit,
        *,
        digest: str,
        uri: str,
        rows: int,
        facts: Mapping[str, Any],
        run_id: str,
    ) -> None:
        """Gives what readers see of a node another object, in the transaction of another commit.

        An attempt that has begun stays in force. The caller keeps others from committing meanwhile.
        """
        cursor.execute(
            "update leeway.commits set digest = %s, uri = %s, rows = %s, facts = %s, run_id = %s, "
            "committed_at = now(), told = true where id = (select commit_id from leeway.current "
            "where use_case = %s and node = %s and batch = %s)",
            (
                digest,
                uri,
                rows,
                json.dumps(facts, allow_nan=False),
                run_id,
                *(commit.use_case, commit.node, commit.batch),
            ),
        )

    def current(self, use_case: str, node: str, batch: str = WHOLE) -> Commit | None:
        """What readers of the node see, or None when it was never committed."""
        found = self._select("and node = %s and batch = %s", use_case, node, batch)
        return found[0] if found else None

    def earlier(
        self, use_case: str, node: str, batch: str, limit: int, *, live: bool = False
    ) -> list[Commit]:
        """What readers of a node see of the batches before this one, oldest first.

        Args:
            use_case: name.
            node: that is materialized batch by batch.
            batch: that the others were found before.
            limit: of the newest of them.
            live: whether it is a window of live traffic, and not a batch of the source.
        """
        known = "leeway.windows" if live else "leeway.batches"
        with transaction(self.settings) as cursor:
            cursor.execute(
                f"select {_COLUMNS} from {known} "  # noqa: S608 - literals of this module
                "join leeway.current using (use_case, batch) join leeway.commits "
                "using (use_case, node, batch) where commits.id = current.commit_id "
                f"and use_case = %s and node = %s and ordinal < (select ordinal from {known} "
                "where use_case = %s and batch = %s) order by ordinal desc limit %s",
                (use_case, node, use_case, batch, limit),
            )
            return [Commit(*row) for row in cursor.fetchall()][::-1]

    def every_current(self, use_case: str) -> dict[tuple[str, str], Commit]:
        """What readers of each node see, by (node, batch)."""
        return {(commit.node, commit.batch): commit for commit in self._select("", use_case)}

    def sources_of(self, use_case: str, node: str) -> dict[str, str | None]:
        """By batch, the fingerprint of what a node has read from outside of the graph."""
        found = self._select("and node = %s", use_case, node)
        return {commit.batch: commit.facts.get("source_digest") for commit in found}

    def require(self, use_case: str, node: str, batch: str = WHOLE) -> Commit:
        """As `current`.

        Raises:
            LookupError: when the node was never committed, with the command that does it.
        """
        commit = self.current(use_case, node, batch)
        if commit is None:
            where = f"batch {batch} of {node}" if batch else node
            raise LookupError(
                f"{use_case}: {where} was never materialized; run `leeway run {use_case}`"
            )
        return commit

    def runs_told(self) -> list[str]:
        """Ids of the runs whose commits readers see and are held to be known to Dagster."""
        with transaction(self.settings) as cursor:
            cursor.execute(
                "select distinct run_id from leeway.current join leeway.commits "
                "on id = commit_id where told"
            )
            return [row[0] for row in cursor.fetchall()]

    def committed_by(self, run_id: str) -> list[Key]:
        """What a run committed, readers see, and is held to be known to Dagster."""
        with transaction(self.settings) as cursor:
            cursor.execute(
                "select commits.use_case, commits.node, commits.batch from leeway.current "
                "join leeway.commits on id = commit_id where told and run_id = %s "
                "order by id",
                (run_id,),
            )
            return cursor.fetchall()

    def mark_untold(self, run_id: str, keys: Collection[Key]) -> None:
        """Marks commits of a run that Dagster has no record of, if they are still of that run."""
        with transaction(self.settings) as cursor:
            cursor.executemany(
                "update leeway.commits set told = false "
                "where run_id = %s and use_case = %s and node = %s and batch = %s",
                [(run_id, *key) for key in keys],
            )

    def batches(self, use_case: str) -> list[str]:
        """Ids of the known batches, in the order in which they were found."""
        with transaction(self.settings) as cursor:
            cursor.execute(
                "select batch from leeway.batches where use_case = %s order by ordinal", (use_case,)
            )
            return [row[0] for row in cursor.fetchall()]

    def register_batches(self, use_case: str, batches: Iterable[str]) -> None:
        """Adds batches that are not known yet, in the given order.

        Raises:
            ValueError: when one cannot name a partition and a folder, or has the name of a window
                of live traffic; none is added.
        """
        batches = [check_batch(batch) for batch in batches]
        for batch in filter(is_window, batches):
            raise ValueError(
                f"{batch!r} is how windows of live traffic are named: rename the batch"
            )
        with transaction(self.settings) as cursor:
            cursor.execute("select pg_advisory_xact_lock(%s)", (_LOCK,))
            for batch in batches:
                cursor.execute(
                    "insert into leeway.batches (use_case, batch) select %s, %s where not exists "
                    "(select 1 from leeway.batches where use_case = %s and batch = %s)",
                    (use_case, batch, use_case, batch),
                )

    def forget_batches(self, use_case: str, keep: Sequence[str]) -> None:
        """Forgets batches that are not in `keep`, if nothing was ever committed of them."""
        with transaction(self.settings) as cursor:
            cursor.execute(
                "delete from leeway.batches where use_case = %s and not batch = any(%s) "
                "and not exists (select 1 from leeway.commits where "
                "commits.use_case = batches.use_case and commits.batch = batches.batch)",
                (use_case, list(keep)),
            )

    def _select(self, condition: str, *parameters: str) -> list[Commit]:
        with transaction(self.settings) as cursor:
            cursor.execute(
                # `condition` is one of the literals above, never a value.
                f"select {_COLUMNS} from leeway.current join leeway.commits "  # noqa: S608
                "using (use_case, node, batch) "
                f"where commits.id = current.commit_id and use_case = %s {condition}",
                parameters,
            )
            return [Commit(*row) for row in cursor.fetchall()]


def _fence(cursor: psycopg2.extensions.cursor, attempt: Attempt) -> None:
    cursor.execute(
        "select leeway.fence(%s, %s, %s, %s)",
        (attempt.use_case, attempt.node, attempt.batch, attempt.token),
    )


def _record(
    cursor: psycopg2.extensions.cursor,
    attempt: Attempt,
    input_digest: str,
    digest: str,
    uri: str,
    rows: int | None,
    facts: Mapping[str, Any],
) -> Commit:
    """Inserts the commit, or replaces the one with the same inputs, and moves the pointer."""
    key = (attempt.use_case, attempt.node, attempt.batch)
    cursor.execute(
        f"""
        insert into leeway.commits
            (use_case, node, batch, input_digest, token, digest, uri, rows, facts, run_id)
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        on conflict (use_case, node, batch, input_digest) do update
        set token = excluded.token, digest = excluded.digest, uri = excluded.uri,
            rows = excluded.rows, facts = excluded.facts, run_id = excluded.run_id,
            committed_at = now(), told = true
        returning id, {_COLUMNS}
        """,  # noqa: S608  # _COLUMNS is a literal of this module
        (
            *key,
            input_digest,
            attempt.token,
            digest,
            uri,
            rows,
            json.dumps(facts, allow_nan=False),
            attempt.run_id,
        ),
    )
    (row,) = cursor.fetchall()
    cursor.execute(
        "insert into leeway.current (use_case, node, batch, commit_id) values (%s, %s, %s, %s) "
        "on conflict (use_case, node, batch) do update set commit_id = excluded.commit_id",
        (*key, row[0]),
    )
    return Commit(*row[1:])


def _keep_lineage(
    cursor: psycopg2.extensions.cursor, commit: Commit, lineage: Lineage | None
) -> None:
    """Also where there is none: a commit that took the place of another keeps nothing of it."""
    version = lineage and keep_definition(cursor, lineage.definition)
    inputs = lineage and json.dumps(lineage.inputs)
    cursor.execute(
        "update leeway.commits set version = %s, inputs = %s where id = (select commit_id from "
        "leeway.current where use_case = %s and node = %s and batch = %s)",
        (version, inputs, commit.use_case, commit.node, commit.batch),
    )
