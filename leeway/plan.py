"""What a run has to do: the nodes and batches that are missing or whose inputs changed.

Belongs here: a pure comparison of the graph with what was committed. Does not belong here: reading
the ledger, or running anything. The policy for new batches is docs/adr/0007: a batch that is not
part of the training set does not make it stale; that is what drift and freshness are for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from leeway.graph import Node, input_digest

WHOLE = ""


@dataclass(frozen=True)
class Committed:
    """What the plan needs to know of one commit.

    `told` is false when its run was killed before Dagster had a record of it.
    """

    input_digest: str
    digest: str
    batches: tuple[str, ...] = ()
    told: bool = True


@dataclass(frozen=True)
class Step:
    """One node, for one batch or whole, with the reason why it runs or not."""

    node: str
    batch: str
    runs: bool
    reason: str


def plan(
    nodes: Sequence[Node],
    versions: Mapping[str, str],
    batches: Sequence[str],
    committed: Mapping[tuple[str, str], Committed],
    champion: str | None,
    *,
    everything: bool = False,
) -> list[Step]:
    """Decides for every node and batch whether it must be materialized.

    Args:
        nodes: the graph, each node after what it reads.
        versions: code version by node.
        batches: known batches, oldest first.
        committed: what readers see, by (node, batch).
        champion: digest of the release that predictions and drift refer to.
        everything: materialize whatever is up to date, too.
    """
    steps: dict[tuple[str, str], Step] = {}
    for node in nodes:
        for batch in batches if node.per_batch else (WHOLE,):
            key = (node.name, batch)
            reason = _why(node, batch, versions, batches, committed, champion, steps)
            if everything and not reason:
                reason = "asked for everything"
            steps[key] = Step(node.name, batch, bool(reason), reason or "up to date")
    return list(steps.values())


def _why(
    node: Node,
    batch: str,
    versions: Mapping[str, str],
    batches: Sequence[str],
    committed: Mapping[tuple[str, str], Committed],
    champion: str | None,
    steps: Mapping[tuple[str, str], Step],
) -> str:
    """Why the node must be materialized; empty when it is up to date."""
    found = committed.get((node.name, batch))
    if found is None:
        return "never materialized"
    if not found.told:
        return "its run was killed before Dagster knew of it"
    members = found.batches if node.name == "training_set" else batches
    inputs: dict[str, str] = {}
    for name in node.upstream:
        for key in _sources(name, batch, node, members, steps):
            if steps[key].runs:
                return f"{key[0]}{' ' + key[1] if key[1] else ''} is materialized again"
            inputs[label(*key)] = (
                champion or "none"
                if name == "release" and node.per_batch
                else committed[key].digest
            )
    if found.input_digest != input_digest(versions[node.name], batch, inputs):
        return "its code, its settings or its inputs changed"
    return ""


def _sources(
    name: str,
    batch: str,
    node: Node,
    members: Sequence[str],
    steps: Mapping[tuple[str, str], Step],
) -> list[tuple[str, str]]:
    """The (node, batch) pairs that a node reads under one upstream name."""
    if (name, WHOLE) in steps:
        return [(name, WHOLE)]
    if node.per_batch:
        return [(name, batch)]
    return [(name, member) for member in members if (name, member) in steps]


def label(node: str, batch: str) -> str:
    """How an input is called within an input digest."""
    return f"{node}@{batch}" if batch else node
