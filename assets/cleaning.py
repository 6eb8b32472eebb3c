"""Stages `staged` and `clean`: the dbt models of a use case, and the snapshot of what they made.

Belongs here: running dbt for some batches, and committing the clean rows as Parquet once dbt's
tests passed. Does not belong here: SQL (`dbt_project`).

dbt writes tables before it tests them. Readers of `clean` therefore read the committed snapshot,
never the table: a batch whose tests fail is in the table but is not shown to anyone.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DbtCliResource, dbt_assets

from assets.columns import model_lineage
from assets.stage import Stage, Work, batches_of, begin, metadata_of, tell
from leeway.data.tables import to_parquet
from leeway.identifiers import check_batch
from leeway.plan import label
from resources.dbt import begin_call, keep_parsed
from resources.dbt_tests import found_by
from resources.ledger import Commit
from resources.platform import Platform
from resources.settings import Settings
from resources.warehouse import outdated, read_batch

# Without the manifest and results as files, which nobody reads of a build, and without a look at
# the tables of other use cases: 0.4 s of the five that a build takes.
BUILD = ("build", "--no-write-json", "--cache-selected-only")


class Translator(DagsterDbtTranslator):
    """Gives dbt's models the owners, code versions and conditions of their use case."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.stage = stage

    def get_asset_spec(
        self, manifest: Mapping[str, Any], unique_id: str, project: Any
    ) -> dg.AssetSpec:
        """The spec of one model; sources keep what dagster-dbt makes of them."""
        spec = super().get_asset_spec(manifest, unique_id, project)
        node_name = spec.key.path[-1]
        if node_name not in ("staged", "clean"):
            return spec
        return spec.replace_attributes(
            owners=list(self.stage.use_case.owners),
            code_version=self.stage.code_versions[node_name],
            automation_condition=self.stage.conditions.get(node_name),
        ).merge_attributes(kinds={"dbt", "postgres"})


def build(stage: Stage, manifest: Mapping[str, Any]) -> dg.AssetsDefinition:
    """The assets `staged` and `clean` of a use case, with dbt's tests as their checks."""

    @dbt_assets(
        manifest=manifest,
        select=f"fqn:leeway.{stage.name}",
        name=f"{stage.name}_dbt",
        partitions_def=stage.batches,
        backfill_policy=dg.BackfillPolicy.single_run(),
        dagster_dbt_translator=Translator(stage),
    )
    def models(
        context: dg.AssetExecutionContext, dbt: DbtCliResource, platform: Platform
    ) -> Iterator[Any]:
        name = f"{stage.name}-{context.run.run_id[:8]}"
        if not context.selected_asset_keys:  # a run of checks alone
            target = begin_call(platform.settings, name, {})
            for event in dbt.cli(BUILD, context=context, target_path=target).stream():
                yield _told(event, manifest, target, platform.settings)
            return
        others = _others(platform, stage, batches_of(context))
        batches = [check_batch(each) for each in (*batches_of(context), *others)]  # they become SQL
        attempts = {batch: begin(stage, platform, context, "clean", batch, {}) for batch in batches}
        tokens = {batch: work.attempt.token for batch, work in attempts.items()}
        # As it is before dbt reads it: what changes meanwhile makes the result stale, and not new.
        raw = {batch: platform.ledger.require(stage.name, "raw", batch) for batch in batches}
        target = begin_call(platform.settings, name, tokens)
        every = set(platform.ledger.batches(stage.name)) <= set(batches)
        arguments = [*BUILD, *(["--full-refresh"] if every else [])]
        held = []
        invocation = dbt.cli(arguments, context=context, target_path=target)
        for event in invocation.stream():
            if isinstance(event, dg.Output):
                held.append(event)
            else:
                yield _told(event, manifest, target, platform.settings)
        made = [_node_of(output) for output in held]
        lineage = _lineage(context, stage, manifest, made, invocation.target_path)
        keep_parsed(invocation.target_path, platform.settings)
        commits = {
            batch: _commit(context, platform, stage, raw[batch], attempts[batch])
            for batch in batches
        }
        for output in held:
            yield _described(context, output, stage, commits, lineage)

    return models


def _others(platform: Platform, stage: Stage, batches: Sequence[str]) -> list[str]:
    """Batches that lost rows to one of `batches` in raw (docs/adr/0013), and not yet in clean.

    Built with them, so that no key is in the table twice.
    """
    commits = platform.ledger.every_current(stage.name)
    changed = [
        batch
        for (name, batch), commit in commits.items()
        if name == "staged"
        and batch not in batches
        and commits["raw", batch].digest != commit.digest
    ]
    return (
        outdated(stage.name, stage.use_case.key.name, changed, platform.settings) if changed else []
    )


def _told(event: Any, manifest: Mapping[str, Any], target: Path, settings: Settings) -> Any:
    """The event; a check that failed with what it found, of which dbt tells only how much it is."""
    if not isinstance(event, dg.AssetCheckResult) or event.passed:
        return event
    if event.metadata["status"].value not in ("fail", "warn"):  # an error found nothing
        return event
    tests = {each["name"]: each for each in manifest["nodes"].values()}
    rows = found_by(tests[event.check_name], target, settings)
    count = event.metadata["dagster_dbt/failed_row_count"].value
    shown = "; ".join(", ".join(f"{name} {row[name]}" for name in row) for row in rows)
    return event._replace(
        description=f"{count} failing: {shown}",
        metadata={**event.metadata, "failing": dg.MetadataValue.json(rows)},
    )


def _node_of(output: dg.Output[Any]) -> str:
    return output.output_name.rsplit("__", 1)[-1]


def _lineage(
    context: dg.AssetExecutionContext,
    stage: Stage,
    manifest: Mapping[str, Any],
    made: Sequence[str],
    target: Path,
) -> dict[str, dg.TableColumnLineage]:
    """Lineage of columns by node; SQL that is not understood has none, and need not be wrong."""
    from sqlglot.errors import SqlglotError

    found = {}
    for node in made:
        try:
            found[node] = model_lineage(stage, manifest, node, target)
        except SqlglotError as error:
            context.log.warning("no lineage of the columns of %s: %s", node, error)
    return found


def _commit(
    context: dg.AssetExecutionContext, platform: Platform, stage: Stage, raw: Commit, work: Work
) -> Mapping[str, Commit]:
    """Commits what dbt made of one batch: `staged` by reference, `clean` as a snapshot.

    Returns the commits by node.
    """
    batch = raw.batch
    staged = begin(stage, platform, context, "staged", batch, {label("raw", batch): raw})
    seen = platform.ledger.commit(
        staged.attempt,
        input_digest=staged.input_digest,
        digest=raw.digest,  # a view adds no rows of its own
        uri=raw.uri,
        rows=raw.rows,
        facts={"view": f"{stage.name}.staged"},
    )
    rows = read_batch(stage.name, "clean", batch, [stage.use_case.key.name], platform.settings)
    clean = Work(stage, platform, work.attempt, {label("staged", batch): seen})
    excluded = (raw.rows or 0) - rows.num_rows
    shown = clean.commit(
        "clean", "parquet", to_parquet(rows), rows=rows.num_rows, facts={"excluded": excluded}
    )
    return {"staged": seen, "clean": shown}


def _described(
    context: dg.AssetExecutionContext,
    output: dg.Output[Any],
    stage: Stage,
    commits: Mapping[str, Mapping[str, Commit]],
    lineage: Mapping[str, dg.TableColumnLineage],
) -> dg.Output[Any]:
    """The output with its table; what was committed of each batch is added to its own partition.

    Dagster gives metadata of an output to every partition of the run.
    """
    node = _node_of(output)
    for batch, by_node in commits.items():
        shown = by_node[node]
        left_out = {"excluded_rows": shown.facts["excluded"]} if node == "clean" else {}
        tell(context, stage.key(node), batch, metadata_of(shown, **left_out))
    table: dict[str, Any] = {"dagster/table_name": f"{stage.name}.{node}"}
    if node in lineage:
        table["dagster/column_lineage"] = lineage[node]
    return dg.Output(None, output_name=output.output_name, metadata={**output.metadata, **table})
