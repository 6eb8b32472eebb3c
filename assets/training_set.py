"""Stage `training_set`: an immutable snapshot of labelled rows with its split.

Belongs here: choosing the batches and storing the snapshot. Does not belong here: the split
(`leeway.data.training_set`).
"""

from typing import TYPE_CHECKING

import dagster as dg

from assets.columns import columns_of_clean
from assets.labelled import labelled
from assets.requested import begin_training
from assets.stage import Input, Stage, Work, metadata_of
from leeway.data.tables import from_parquet, to_parquet
from leeway.data.training_set import PART, TEST, TRAIN, NotEnoughRows, build_training_set, part_of
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
        batches, left_out = _members(stage, platform)
        for batch in left_out:
            context.log.warning("batch %s is left out: too many of its rows were rejected", batch)
        inputs: dict[str, Input] = {
            label("clean", batch): platform.ledger.require(stage.name, "clean", batch)
            for batch in batches
        }
        labels = {label("labels", b): b for b in batches} if stage.use_case.labels else {}
        inputs |= {
            name: platform.ledger.require(stage.name, "labels", b) for name, b in labels.items()
        }
        work = begin_training(stage, platform, context, "training_set", inputs)
        tables = {batch: labelled(work, batch) for batch in batches}
        try:
            made = build_training_set(tables, stage.use_case)
        except NotEnoughRows as error:
            raise dg.Failure(f"{stage.name}: {error}", allow_retries=False) from error
        marks = made.table.select([PART])
        parts = {part: part_of(marks, part).num_rows for part in (TRAIN, TEST)}
        facts = {"batches": batches, "left_out": left_out, "unlabelled": made.unlabelled, **parts}
        facts["settled"] = {name: inputs[name].digest for name in labels}
        data, rows = to_parquet(made.table), made.table.num_rows
        commit = work.commit("clean", "parquet", data, rows=rows, facts=facts)
        return dg.MaterializeResult(
            metadata=metadata_of(
                commit,
                **columns_of_clean(stage, made.table.column_names, **{PART: "text"}),
                batches=", ".join(batches),
                left_out_batches=", ".join(left_out) or "none",
                train_rows=parts[TRAIN],
                test_rows=parts[TEST],
                unlabelled_rows=made.unlabelled,
            )
        )

    return training_set


def _members(stage: Stage, platform: Platform) -> tuple[list[str], list[str]]:
    """The clean batches to train on, and those with too many rejects, which are left out.

    It is read from the evidence of the very batch: a check that some other run made red or green
    says nothing of the data that this one reads.

    Raises:
        LookupError: when there is no clean batch, with the command that makes one.
        dg.Failure: when every batch is left out.
    """
    committed = platform.ledger.every_current(stage.name)
    clean = [b for b in platform.ledger.batches(stage.name) if ("clean", b) in committed]
    if not clean:
        platform.ledger.require(stage.name, "clean", "of any id")
    allowed = stage.use_case.max_rejected
    left_out = [
        batch
        for batch in clean
        if (raw := committed["raw", batch].facts)["rejected"] > allowed * raw["rows"]
    ]
    if len(left_out) == len(clean):
        raise dg.Failure(
            f"{stage.name}: no batch is left to train on, because more than {allowed:.1%} of the "
            f"rows of each were rejected ({', '.join(left_out)}); the table {stage.name}.rejects "
            "says why: correct the source, or raise max_rejected",
            allow_retries=False,
        )
    return [batch for batch in clean if batch not in left_out], left_out


def read_part(work: Work, part: str) -> "pa.Table":
    """The rows of one part, for a node that reads the training set."""
    return part_of(from_parquet(work.read("training_set")), part)
