"""What a run has to do: the nodes and batches that are missing or whose inputs changed.

Belongs here: a pure comparison of the graph with what was committed. Does not belong here: reading
the ledger, or running anything. The policy for new batches is docs/adr/0007: a batch that is not
part of the training set does not make it stale; that is what drift and freshness are for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from leeway.code_version import input_digest
from leeway.graph import Node

WHOLE = ""
NO_CHAMPION = "no release was promoted"


@dataclass(frozen=True)
class Committed:
    """What the plan needs to know of one commit.

    `batches` are those that a whole node has read, where it did not read every one. `told` is false
    when its run ended before Dagster had a record of it. `source` is the fingerprint of what a
    batch was read from, outside of the graph. `settled` are the digests of inputs that it took as
    they were.
    """

    input_digest: str
    digest: str
    batches: tuple[str, ...] = ()
    told: bool = True
    source: str | None = None
    settled: Mapping[str, str] = field(default_factory=dict)


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
    sources: Mapping[str, Mapping[str, str | None]],
    *,
    windows: Sequence[str] = (),
    everything: bool = False,
) -> list[Step]:
    """Decides for every node and batch whether it must be materialized.

    Args:
        nodes: the graph, each node after what it reads.
        versions: code version by node.
        batches: known batches, oldest first.
        committed: what readers see, by (node, batch).
        champion: digest of the release that predictions and drift refer to.
        sources: by node that reads from outside of the graph, the fingerprint by batch of what is
            there now; None, or no entry: the batch is not there any more, and what was read of it
            stays.
        windows: of live traffic that are kept up to date, oldest first.
        everything: materialize whatever is up to date, too.
    """
    steps: dict[tuple[str, str], Step] = {}
    waiting: set[str] = set()
    for node in nodes:
        if _waits(node, waiting, champion, steps):
            waiting.add(node.name)
        for batch in _parts(node, batches, windows):
            key = (node.name, batch)
            if node.name in waiting:
                steps[key] = Step(node.name, batch, runs=False, reason=NO_CHAMPION)
                continue
            reason = _why(node, batch, versions, batches, committed, champion, steps)
            held = sources.get(node.name, {}).get(batch)
            if not reason and held and held != committed[key].source:
                reason = "its source changed"
            if everything and not reason:
                reason = "asked for everything"
            steps[key] = Step(node.name, batch, bool(reason), reason or "up to date")
    return list(steps.values())


def _parts(node: Node, batches: Sequence[str], windows: Sequence[str]) -> Sequence[str]:
    """What a node is materialized for."""
    if not node.per_batch:
        return (WHOLE,)
    return windows if node.live else batches


def _waits(
    node: Node,
    waiting: Collection[str],
    champion: str | None,
    steps: Mapping[tuple[str, str], Step],
) -> bool:
    """Whether the node refers to a champion while there is none and none may come of this run."""
    if not node.per_batch or champion is not None:
        return False
    made = ("release", WHOLE) in steps and steps["release", WHOLE].runs
    return ("release" in node.upstream and not made) or any(n in waiting for n in node.upstream)


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
        return "its run ended before Dagster knew of it"
    members = found.batches or batches
    inputs: dict[str, str] = {}
    for name in node.upstream:
        for key in _sources(name, batch, node, members, steps):
            if name in node.settled and label(*key) in found.settled:
                inputs[label(*key)] = found.settled[label(*key)]
                continue
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


@dataclass(frozen=True)
class Portion:
    """Nodes that one run of Dagster materializes, each for the same neighbouring batches."""

    nodes: tuple[str, ...]
    batches: tuple[str, ...]


def portions(steps: Sequence[Step], order: Sequence[str]) -> list[Portion]:
    """Cuts what runs into runs of Dagster, which takes nodes times a range of batches.

    Mostly this is one. Nodes that need other batches than those before them come in a run of their
    own, so that a batch is not read from its source again because another one is new.

    Args:
        steps: those that run, each node after what it reads.
        order: of the batches, as Dagster knows them.
    """
    wanted: dict[str, list[str]] = {}
    for step in steps:
        wanted.setdefault(step.node, []).extend([step.batch] if step.batch else [])
    groups: list[tuple[list[str], tuple[str, ...]]] = []
    for node, needed in wanted.items():
        batches = tuple(batch for batch in order if batch in needed)
        if groups and _together(groups[-1][1], batches, order):
            nodes, others = groups.pop()
            groups.append(([*nodes, node], others or batches))
        else:
            groups.append(([node], batches))
    return [
        Portion(tuple(nodes), part)
        for nodes, batches in groups
        for part in _ranges(batches, order) or [()]
    ]


def _together(first: tuple[str, ...], second: tuple[str, ...], order: Sequence[str]) -> bool:
    """Whether nodes with these batches fit into one run; whole nodes have no batches."""
    if first and second:
        return first == second
    return len(_ranges(first or second, order)) <= 1


def _ranges(batches: Sequence[str], order: Sequence[str]) -> list[tuple[str, ...]]:
    """The batches, cut where one that is not among them lies between two."""
    found: list[tuple[str, ...]] = []
    for batch in batches:
        if found and order.index(found[-1][-1]) + 1 == order.index(batch):
            found[-1] += (batch,)
        else:
            found.append((batch,))
    return found
