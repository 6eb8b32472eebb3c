"""Stage `training_set`: an immutable snapshot of labelled rows with its split.

Belongs here: choosing the batches and storing the snapshot. Does not belong here: the split
(`leeway.data.training_set`).
"""

from typing import TYPE_CHECKING

import dagster as dg

from assets.stage import Stage, Work, begin, column_schema, metadata_of
from leeway.data.tables import from_parquet, to_parquet
from leeway.data.training_set import TEST, TRAIN, NotEnoughRows, build_training_set, part_of
from leeway.plan import label
from resources.platform import Platform

if TYPE_CHECKING:
    import pyarrow as pa


def build(stage: Stage) -> dg.AssetsDefinition:
    """The asset `training_set` of a use case."""

    @stage.asset(
        "training_set",
        "One row per labelled row of the clean batches, marked train or test; immutable.",
        "parquet",
    )
    def training_set(
        context: dg.AssetExecutionContext, platform: Platform
    ) -> dg.MaterializeResult[None]:
        clean = {
            batch: commit
            for (node, batch), commit in platform.ledger.every_current(stage.name).items()
            if node == "clean"
        }
        batches = [b for b in platform.ledger.batches(stage.name) if b in clean]
        if not batches:
            platform.ledger.require(stage.name, "clean", "of any id")
        inputs = {label("clean", batch): clean[batch] for batch in batches}
        work = begin(stage, platform, context, "training_set", inputs=inputs)
        tables = {batch: from_parquet(work.read("clean", batch)) for batch in batches}
        try:
            made = build_training_set(tables, stage.use_case)
        except NotEnoughRows as error:
            raise dg.Failure(f"{stage.name}: {error}", allow_retries=False) from error
        parts = {part: part_of(made.table, part).num_rows for part in (TRAIN, TEST)}
        commit = work.commit(
            "clean",
            "parquet",
            to_parquet(made.table),
            rows=made.table.num_rows,
            facts={"batches": batches, "unlabelled": made.unlabelled, **parts},
        )
        return dg.MaterializeResult(
            metadata=metadata_of(
                commit,
                **{"dagster/column_schema": column_schema(stage.use_case)},
                batches=", ".join(batches),
                train_rows=parts[TRAIN],
                test_rows=parts[TEST],
                unlabelled_rows=made.unlabelled,
            )
        )

    return training_set


def read_part(work: Work, part: str) -> "pa.Table":
    """The rows of one part, for a node that reads the training set."""
    return part_of(from_parquet(work.read("training_set")), part)
