"""Contents of digests that the ledger names and that are no objects: what decided a commit.

Belongs here: keeping one, and what a commit was made from. Does not belong here: what a definition
holds (`leeway.code_version`, `leeway.spec`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from leeway.digests import canonical_json, digest_of

if TYPE_CHECKING:
    import psycopg2.extensions


@dataclass(frozen=True)
class Lineage:
    """What a commit was made from.

    `inputs` are the digests of what its node read, by `leeway.plan.label`; `definition` is what
    else decided the result, of `leeway.code_version.definition_of`.
    """

    inputs: Mapping[str, str]
    definition: Mapping[str, Any]


def keep_definition(cursor: psycopg2.extensions.cursor, content: Mapping[str, Any]) -> str:
    """Keeps a definition under its digest, once; returns the digest."""
    digest = digest_of(content)
    cursor.execute(
        "insert into leeway.definitions (digest, content) values (%s, %s) on conflict do nothing",
        (digest, canonical_json(content).decode()),
    )
    return digest
