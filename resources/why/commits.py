"""Commits, and the commits and definitions that they name.

Belongs here: from a commit to what its node read. Does not belong here: what is said of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from leeway.plan import label
from leeway.why.facts import Batch, Commit, Lineage

if TYPE_CHECKING:
    import psycopg2.extensions

# Without what is large and told nowhere: effects are of every column, `joint` of all together.
COMMIT = (
    "id, node, batch, digest, uri, rows, facts - array['effects', 'joint'], run_id, committed_at, "
    "version, inputs"
)


def commits(
    cursor: psycopg2.extensions.cursor, condition: str, parameters: Sequence[object]
) -> list[Commit]:
    """The commits for which a condition holds, which is a literal and never a value."""
    cursor.execute(f"select {COMMIT} from leeway.commits where {condition}", tuple(parameters))  # noqa: S608
    return [Commit(*row) for row in cursor.fetchall()]


def current(
    cursor: psycopg2.extensions.cursor, use_case: str, node: str, batch: str
) -> Commit | None:
    """What readers of a node see of a batch."""
    found = commits(
        cursor,
        "id = (select commit_id from leeway.current where (use_case, node, batch) = (%s, %s, %s))",
        (use_case, node, batch),
    )
    return found[0] if found else None


def read_by(
    cursor: psycopg2.extensions.cursor,
    use_case: str,
    node: str,
    wanted: Mapping[str, str],
    of: Commit,
) -> dict[str, Commit]:
    """By batch the commit of a node that another commit has read.

    It is the newest before it with the digest that was read, or else the first after: one that was
    made again since, of the same rows. A batch is missing where its commit was replaced by others.

    Args:
        cursor: of one look.
        use_case: its name.
        node: that was read.
        wanted: digest that was read, by batch.
        of: the commit that read.
    """
    found = commits(
        cursor,
        "use_case = %s and node = %s "
        "and (batch, digest) in (select * from unnest(%s::text[], %s::text[])) "
        "order by committed_at <= %s, abs(extract(epoch from committed_at - %s)) desc",
        (use_case, node, list(wanted), list(wanted.values()), of.at, of.at),
    )
    return {each.batch: each for each in found}  # the last of a batch is the one


def lineage_of(
    cursor: psycopg2.extensions.cursor, use_case: str, batches: Sequence[str], of: Commit
) -> Lineage:
    """The batches that a commit has read as `clean`, back to their raw rows."""
    inputs = of.inputs or {}
    wanted = {b: inputs[label("clean", b)] for b in batches if label("clean", b) in inputs}
    return raw_of(cursor, use_case, read_by(cursor, use_case, "clean", wanted, of))


def raw_of(
    cursor: psycopg2.extensions.cursor, use_case: str, clean: Mapping[str, Commit]
) -> Lineage:
    """The raw rows of clean batches, and when they arrived."""
    raw: dict[str, Commit] = {}
    # A view adds no rows of its own: the digest of staged is that of raw (assets.cleaning).
    wanted = {b: (each.inputs or {}).get(label("staged", b)) for b, each in clean.items()}
    known = {batch: digest for batch, digest in wanted.items() if digest}
    if known:
        newest = max(clean.values(), key=lambda each: each.at)
        raw = read_by(cursor, use_case, "raw", known, newest)
    cursor.execute(
        "select batch, discovered_at from leeway.batches where use_case = %s and batch = any(%s)",
        (use_case, list(clean)),
    )
    arrived = {row[0]: Batch(*row) for row in cursor.fetchall()}
    return Lineage(clean, raw, arrived)


def definitions_of(
    cursor: psycopg2.extensions.cursor, digests: Iterable[str | None]
) -> dict[str, Mapping[str, Any]]:
    """The contents of those of the digests that are kept."""
    cursor.execute(
        "select digest, content from leeway.definitions where digest = any(%s)",
        ([digest for digest in digests if digest],),
    )
    return {digest: json.loads(content) for digest, content in cursor.fetchall()}
