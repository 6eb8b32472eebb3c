"""What every asset of a use case shares: its definition in Dagster and how it commits.

Belongs here: keys, owners, code versions, batches of a run, and the commit of a node's result. Does
not belong here: anything particular to one stage.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import dagster as dg

from leeway.code_version import code_version, definition_of, input_digest, with_upstream
from leeway.graph import Node, graph_of
from leeway.plan import WHOLE, label
from leeway.spec import UseCase, as_timedelta
from resources.definitions import Lineage
from resources.ledger import Attempt, Commit
from resources.platform import Platform
from resources.store import Prefix

if TYPE_CHECKING:
    import psycopg2.extensions


@dataclass(frozen=True)
class Stage:
    """One use case as the assets see it.

    `versions` are of a node's own code, for its input digest; `code_versions` include upstream's,
    for Dagster.
    """

    name: str
    use_case: UseCase
    batches: dg.DynamicPartitionsDefinition
    windows: dg.DynamicPartitionsDefinition
    versions: Mapping[str, str]
    code_versions: Mapping[str, str]
    conditions: Mapping[str, dg.AutomationCondition[Any]] = field(default_factory=dict)

    def key(self, node_name: str) -> dg.AssetKey:
        """The asset key of a node."""
        return dg.AssetKey([self.name, node_name])

    def node(self, name: str) -> Node:
        """The node of the use case's graph."""
        return next(each for each in graph_of(self.use_case) if each.name == name)

    def asset(
        self, name: str, description: str, *kinds: str, required: bool = True
    ) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
        """Decorator that makes a function the asset of one node.

        Args:
            name: of the node.
            description: begins with the grain, what one row is.
            kinds: technologies, which the UI shows as icons; at most four.
            required: False when a run may leave the node as it is, and say why.
        """
        each = self.node(name)
        partitioned: dict[str, Any] = {}
        if each.per_batch:
            partitioned = {
                "partitions_def": self.windows if each.live else self.batches,
                "backfill_policy": dg.BackfillPolicy.single_run(),
            }
        decorator: Callable[[Callable[..., Any]], dg.AssetsDefinition] = dg.asset(
            key=self.key(name),
            deps=[self._dep(each, upstream) for upstream in each.upstream],
            group_name=self.name,
            owners=list(self.use_case.owners),
            kinds=set(kinds),
            description=description,
            code_version=self.code_versions[name],
            automation_condition=self.conditions.get(name),
            freshness_policy=self.freshness() if name == "raw" else None,
            output_required=required,
            **partitioned,
        )
        return decorator

    def _dep(self, each: Node, upstream: str) -> dg.AssetDep:
        """Batch reads its own batch; a whole node reads every batch of a batched one."""
        mapping = None
        if self.node(upstream).per_batch and not each.per_batch:
            mapping = dg.AllPartitionMapping()
        return dg.AssetDep(self.key(upstream), partition_mapping=mapping)

    def freshness(self) -> dg.FreshnessPolicy | None:
        """How old the newest batch may be, where the use case says so."""
        if self.use_case.freshness is None:
            return None
        return dg.FreshnessPolicy.time_window(
            fail_window=as_timedelta(self.use_case.freshness.fail_after),
            warn_window=as_timedelta(self.use_case.freshness.warn_after),
        )


def stage_of(name: str, use_case: UseCase) -> Stage:
    """The stage that all assets of one use case are built on."""
    nodes = graph_of(use_case)
    versions = {each.name: code_version(name, use_case, each) for each in nodes}
    shown = {node: digest[7:23] for node, digest in with_upstream(nodes, versions).items()}
    batches = dg.DynamicPartitionsDefinition(name=f"{name}_batches")
    windows = dg.DynamicPartitionsDefinition(name=f"{name}_traffic")
    return Stage(name, use_case, batches, windows, versions, shown)


def batches_of(context: dg.AssetExecutionContext) -> Sequence[str]:
    """The batches that a run materializes."""
    return list(context.partition_keys)


class Input(Protocol):
    """What a node reads: a commit, or the champion's release."""

    @property
    def digest(self) -> str:
        """SHA-256 of the object."""
        ...

    @property
    def uri(self) -> str:
        """Where the object is."""
        ...


@dataclass(frozen=True)
class Work:
    """One attempt at one node and, where it has them, one batch."""

    stage: Stage
    platform: Platform
    attempt: Attempt
    inputs: Mapping[str, Input]

    @property
    def digests(self) -> dict[str, str]:
        """Of what the node reads, by label."""
        return {name: found.digest for name, found in self.inputs.items()}

    @property
    def input_digest(self) -> str:
        """What the result depends on."""
        version = self.stage.versions[self.attempt.node]
        return input_digest(version, self.attempt.batch, self.digests)

    def read(self, name: str, batch: str = WHOLE) -> bytes:
        """The bytes of an input, verified."""
        found = self.inputs[label(name, batch)]
        return self.platform.store.get(found.uri, found.digest)

    def read_json(self, name: str) -> dict[str, Any]:
        """The manifest that an input is."""
        content: dict[str, Any] = json.loads(self.read(name))
        return content

    def put(self, prefix: Prefix, suffix: str, data: bytes) -> Mapping[str, Any]:
        """Stores an object beside the result; returns the entry that a manifest holds of it."""
        stored = self.platform.store.put(prefix, self.stage.name, suffix, data)
        return {"digest": stored.digest, "uri": stored.uri, "size_bytes": stored.size_bytes}

    def get(self, entry: Mapping[str, Any]) -> bytes:
        """The bytes of an object that a manifest names, verified."""
        return self.platform.store.get(str(entry["uri"]), str(entry["digest"]))

    def commit(
        self,
        prefix: Prefix,
        suffix: str,
        data: bytes,
        *,
        rows: int | None = None,
        facts: Mapping[str, Any] | None = None,
        also: Callable[[psycopg2.extensions.cursor], None] | None = None,
    ) -> Commit:
        """Stores the result and shows it to readers.

        Raises:
            StaleAttempt: when a newer attempt has begun; nothing is changed.
        """
        stored = self.platform.store.put(prefix, self.stage.name, suffix, data)
        made_by = definition_of(
            self.stage.name, self.stage.use_case, self.stage.node(self.attempt.node)
        )
        return self.platform.ledger.commit(
            self.attempt,
            input_digest=self.input_digest,
            digest=stored.digest,
            uri=stored.uri,
            rows=rows,
            facts=facts or {},
            also=also,
            lineage=Lineage(self.digests, made_by),
        )


def give_back_memory() -> None:
    """Returns to the system what Arrow keeps of tables that are gone: 300 MB of a million rows."""
    import pyarrow as pa

    pa.default_memory_pool().release_unused()


def begin(
    stage: Stage,
    platform: Platform,
    context: dg.AssetExecutionContext,
    name: str,
    batch: str = WHOLE,
    inputs: Mapping[str, Input] | None = None,
) -> Work:
    """Begins an attempt at a node, with what its inputs are now.

    Raises:
        LookupError: when an input was never materialized, with the command that does it.
    """
    if inputs is None:
        inputs = {
            label(upstream, at): platform.ledger.require(stage.name, upstream, at)
            for upstream in stage.node(name).upstream
            for at in [batch if stage.node(upstream).per_batch else WHOLE]
        }
    give_back_memory()  # of the node before
    attempt = platform.ledger.begin(stage.name, name, batch, context.run.run_id)
    return Work(stage, platform, attempt, inputs)


def metadata_of(commit: Commit, **extra: Any) -> dict[str, Any]:
    """Metadata that the UI knows how to show: rows, address, digest, and `extra`."""
    found: dict[str, Any] = {
        "dagster/uri": commit.uri,
        "digest": commit.digest,
        "input_digest": commit.input_digest,
        **extra,
    }
    if commit.rows is not None:
        found["dagster/row_count"] = commit.rows
    return found


def tell(
    context: dg.AssetExecutionContext, key: dg.AssetKey, batch: str, metadata: Mapping[str, Any]
) -> None:
    """Gives metadata to one batch of the run, or tells Dagster of one that was made beside them."""
    if batch in context.partition_keys:
        context.add_asset_metadata(metadata, key, partition_key=batch)
    else:
        context.log_event(dg.AssetMaterialization(key, partition=batch, metadata=dict(metadata)))


def png(data: bytes) -> dg.MarkdownMetadataValue:
    """A picture that the UI shows inline."""
    return dg.MetadataValue.md(f"![plot](data:image/png;base64,{base64.b64encode(data).decode()})")
