"""What a node has found about a batch that the champion may have to answer for.

Belongs here: the digest that the facts of the node name, and the record in its transaction. Does
not belong here: when something is an incident, which each node says, or what follows from it
(`leeway.controller`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assets.released import Batch
from assets.stage import Work
from leeway.controller.facts import Cause, Origin, incident_digest
from leeway.plan import label
from resources.releases import insert_incident

if TYPE_CHECKING:
    import psycopg2.extensions


@dataclass(frozen=True)
class FoundIncident:
    """An incident on a batch, about the champion."""

    batch: Batch
    digest: str
    columns: Sequence[str]
    cause: Cause
    origin: Origin
    node: str

    def record(self, cursor: "psycopg2.extensions.cursor") -> None:
        """Records it, within the transaction that commits the node."""
        insert_incident(
            cursor,
            use_case=self.batch.stage.name,
            digest=self.digest,
            batch=self.batch.name,
            columns=self.columns,
            release_digest=self.batch.champion.digest,
            run_id=self.batch.context.run.run_id,
            cause=self.cause,
            origin=self.origin,
            node=self.node,
        )


def incident_on(
    batch: Batch,
    work: Work,
    upstream: str,
    columns: Sequence[str],
    cause: Cause,
    origin: Origin = "unknown",
) -> FoundIncident:
    """An incident of which the batch's commit at the node `upstream` is the evidence."""
    evidence = work.inputs[label(upstream, batch.name)].digest
    digest = incident_digest(batch.stage.name, batch.champion.digest, evidence, columns, cause)
    return FoundIncident(batch, digest, columns, cause, origin, work.attempt.node)
