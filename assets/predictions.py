"""Stage `predictions`: what the champion says of each row of a batch.

Belongs here: reading the batch and the champion, storing the predictions. Does not belong here:
predicting (`leeway.prediction`).
"""

import json
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.columns import column_lineage
from assets.released import Champion, champion_of, load_pipeline
from assets.stage import Input, Stage, batches_of, begin, metadata_of
from leeway.data.tables import from_parquet, to_parquet
from leeway.plan import label
from resources.ledger import Commit
from resources.monitoring import record_scoring_run
from resources.platform import Platform

if TYPE_CHECKING:
    import pyarrow as pa


def build(stage: Stage) -> dg.AssetsDefinition:
    """The asset `predictions` of a use case."""

    @stage.asset(
        "predictions",
        "One row per clean row: the champion's prediction with its set or interval.",
        "parquet",
        required=False,
    )
    def predictions(
        context: dg.AssetExecutionContext, platform: Platform
    ) -> Iterator[dg.MaterializeResult[None]]:
        champion = champion_of(platform, stage.name)
        if champion is None:
            context.log.warning("no release was promoted, so there is nothing to predict with")
            return
        pipeline = load_pipeline(platform, champion.manifest)
        for batch in batches_of(context):
            commit, table = _predict(context, platform, stage, batch, champion, pipeline)
            metadata = metadata_of(
                commit,
                batch=batch,
                version=champion.release.version,
                **_columns(stage, table.schema),
            )
            context.add_asset_metadata(metadata, stage.key("predictions"), partition_key=batch)
        yield dg.MaterializeResult(metadata=metadata)

    return predictions


def _predict(
    context: dg.AssetExecutionContext,
    platform: Platform,
    stage: Stage,
    batch: str,
    champion: Champion,
    pipeline: object,
) -> "tuple[Commit, pa.Table]":
    from leeway.explainers.conformal import Calibration
    from leeway.prediction import Threshold, prediction_table

    clean = platform.ledger.require(stage.name, "clean", batch)
    inputs: dict[str, Input] = {label("clean", batch): clean, "release": champion}
    work = begin(stage, platform, context, "predictions", batch, inputs)
    explainers = json.loads(work.get(champion.manifest["files"]["explainers"]))
    table = prediction_table(
        pipeline,
        from_parquet(work.read("clean", batch)),
        stage.use_case,
        champion.manifest["classes"],
        Calibration.from_dict(explainers["calibration"]),
        Threshold.from_dict(champion.manifest.get("threshold")),
    )
    commit = work.commit(
        "predictions",
        "parquet",
        to_parquet(table),
        rows=table.num_rows,
        facts={"version": champion.release.version},
        also=partial(
            record_scoring_run,
            use_case=stage.name,
            batch=batch,
            run_id=context.run.run_id,
            version=champion.release.version,
            release_digest=champion.digest,
            rows=table.num_rows,
        ),
    )
    return commit, table


def _columns(stage: Stage, schema: "pa.Schema") -> dict[str, Any]:
    """Columns of the predictions, and the clean columns that each comes from."""
    key = stage.use_case.key.name
    features = [column.name for column in stage.use_case.feature_columns]
    lineage = {name: [key] if name == key else features for name in schema.names}
    columns = [dg.TableColumn(field.name, str(field.type)) for field in schema]
    return {
        "dagster/column_schema": dg.TableSchema(columns=columns),
        "dagster/column_lineage": column_lineage(stage, "clean", lineage),
    }
