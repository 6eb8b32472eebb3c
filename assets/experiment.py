"""Stage `experiment`: the runs of a designed experiment, each with its treatment.

Belongs here: reading the clean runs of all batches, and storing them with their cells. Does not
belong here: what makes a design (`leeway.experiment.design`).
"""

from functools import partial
from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.columns import columns_of_clean
from assets.design import design_of_runs
from assets.stage import Input, Stage, Work, begin, metadata_of
from leeway.data.tables import from_parquet, to_parquet
from leeway.data.values import POSTGRES_TYPES
from leeway.plan import label
from resources.ledger import Commit
from resources.platform import Platform
from resources.warehouse import replace_table

if TYPE_CHECKING:
    import psycopg2.extensions
    import pyarrow as pa

    from leeway.experiment.design import Design

TABLE = "experiment_results"


def build(stage: Stage) -> dg.AssetsDefinition:
    """The asset `experiment` of a use case."""

    @stage.asset(
        "experiment",
        "One row per run of the experiment, with its treatment and the place of its cell in "
        "standard order; centre points have none.",
        "parquet",
        "postgres",
    )
    def experiment(
        context: dg.AssetExecutionContext, platform: Platform
    ) -> dg.MaterializeResult[None]:
        from leeway.experiment.effects import analyse
        from leeway.experiment.summary import design_summary

        batches = _whole_batches(stage, platform)
        inputs: dict[str, Input] = {label("clean", b): commit for b, commit in batches.items()}
        work = begin(stage, platform, context, "experiment", inputs=inputs)
        runs = _runs(stage, work, list(batches))
        design = design_of_runs(stage, runs)
        rows = _with_treatments(runs, design)
        summary = design_summary(analyse(design))
        cells = {design.treatment(cell): int(n) for cell, n in enumerate(design.replicates)}
        facts = {**summary, "centre_points": len(design.centre), "runs_by_cell": cells}
        data, load = to_parquet(rows), partial(_load, stage=stage, rows=rows)
        commit = work.commit("clean", "parquet", data, rows=rows.num_rows, facts=facts, also=load)
        return dg.MaterializeResult(
            metadata=metadata_of(
                commit,
                **{"dagster/table_name": f"{stage.name}.{TABLE}"},
                **columns_of_clean(
                    stage, rows.column_names, treatment="text", standard_order="integer"
                ),
                design=design.description,
                factors=dg.MetadataValue.table(_factor_records(stage, design)),
                aliases=summary["defining_relation"] or "none: every effect stands alone",
                runs_by_cell=dg.MetadataValue.json(cells),
                error=_error_text(summary),
            )
        )

    return experiment


def _whole_batches(stage: Stage, platform: Platform) -> dict[str, Commit]:
    """The clean commit of every batch.

    Runs that were rejected are no matter of chance, so that a batch with too many of them is not
    left out, as it would be from a training set: the experiment is not analysed without it.

    Raises:
        LookupError: when a batch is not clean yet, with the command that makes it so.
        dg.Failure: when too many runs of a batch were rejected.
    """
    allowed = stage.use_case.max_rejected
    found = {}
    for batch in platform.ledger.batches(stage.name):
        facts = platform.ledger.require(stage.name, "raw", batch).facts
        if facts["rejected"] > allowed * facts["rows"]:
            raise dg.Failure(
                f"{stage.name}, batch {batch}: {facts['rejected']} of {facts['rows']} runs were "
                f"rejected, allowed are {allowed:.1%}; the table {stage.name}.rejects says why. "
                "Correct the source, or raise max_rejected",
                allow_retries=False,
            )
        found[batch] = platform.ledger.require(stage.name, "clean", batch)
    if not found:
        platform.ledger.require(stage.name, "clean", "of any id")
    return found


def _runs(stage: Stage, work: Work, batches: list[str]) -> "pa.Table":
    """The clean runs of all batches, without columns that are nothing to an experiment."""
    import pyarrow as pa

    tables = [from_parquet(work.read("clean", batch)) for batch in batches]
    stored = [column.name for column in stage.use_case.columns if column.role != "ignored"]
    return pa.concat_tables(table.select([*stored, "batch_id"]) for table in tables)


def _with_treatments(runs: "pa.Table", design: "Design") -> "pa.Table":
    import pyarrow as pa

    from leeway.experiment.runs import treatments

    found = treatments(design, {name: runs[name].to_pylist() for name in runs.column_names})
    names = pa.array([each.name for each in found], pa.string())
    orders = pa.array([each.standard_order for each in found], pa.int64())
    return runs.append_column("treatment", names).append_column("standard_order", orders)


def _load(cursor: "psycopg2.extensions.cursor", *, stage: Stage, rows: "pa.Table") -> None:
    """Replaces the table experiment_results."""
    types = {column.name: POSTGRES_TYPES[column.type] for column in stage.use_case.columns}
    types |= {"batch_id": "text", "treatment": "text", "standard_order": "bigint"}
    columns = {name: types[name] for name in rows.column_names}
    replace_table(cursor, stage.name, TABLE, columns, rows)


def _factor_records(stage: Stage, design: "Design") -> list[dg.TableRecord]:
    return [
        dg.TableRecord(
            {
                "letter": factor.letter,
                "factor": factor.name,
                "low": str(factor.low),
                "high": str(factor.high),
                "unit": stage.use_case.column(factor.name).unit or "",
            }
        )
        for factor in design.factors
    ]


def _error_text(summary: dict[str, Any]) -> str:
    """How much one run varies, and where that is known from."""
    if summary["error_variance"] is None:
        return f"undefined: {summary['error_undefined']}"
    freedom = summary["error_degrees_of_freedom"]
    return (
        f"variance {summary['error_variance']:.4g} on {freedom:.3g} degrees of freedom, by "
        f"{summary['error_source']}"
    )
