"""Stage `predictions`: what the champion says of each row of a batch.

Belongs here: reading the batch and the champion, storing the predictions, and whether they drifted.
Does not belong here: predicting (`leeway.prediction`), or the verdict (`leeway.drift.verdict`).
"""

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.columns import column_lineage
from assets.released import Batch, node_of_batches
from assets.stage import Stage, Work, metadata_of
from leeway.data.tables import from_parquet, to_parquet
from leeway.digests import canonical_json
from leeway.drift.change import moved_told
from leeway.drift.content import content_of
from leeway.drift.distribution import distributions_of
from leeway.drift.predicted import compared, profile_prediction_table
from leeway.drift.stored import from_bytes
from leeway.drift.verdict import compare_profiles
from resources.monitoring import record_scoring_run

if TYPE_CHECKING:
    import pyarrow as pa


def build(stage: Stage) -> dg.AssetsDefinition:
    """The asset `predictions` of a use case."""
    return node_of_batches(
        stage,
        "predictions",
        "One row per clean row: the champion's prediction with its set or interval.",
        "parquet",
        _predict,
        without="there is nothing to predict with",
    )


def _predict(batch: Batch) -> dict[str, Any]:
    stage, champion = batch.stage, batch.champion
    work = batch.begin("predictions", "clean")
    table = _predicted(batch, work)
    drift = drift_of(batch, work, table)
    content = work.put("reports", "json", canonical_json(drift))
    commit = work.commit(
        "predictions",
        "parquet",
        to_parquet(table),
        rows=table.num_rows,
        facts={
            "version": champion.release.version,
            "drift": {"verdict": drift["verdict"], "reason": drift["reason"], **content},
        },
        also=partial(
            record_scoring_run,
            use_case=stage.name,
            batch=batch.name,
            run_id=batch.context.run.run_id,
            version=champion.release.version,
            release_digest=champion.digest,
            rows=table.num_rows,
        ),
    )
    return metadata_of(
        commit,
        batch=batch.name,
        version=champion.release.version,
        drift_of_predictions=drift["verdict"],
        reason=drift["reason"],
        outputs=outputs_told(drift),
        **_columns(stage, table.schema),
    )


def _predicted(batch: Batch, work: Work) -> "pa.Table":
    """One row per clean row of the batch."""
    from leeway.explainers.conformal import Calibration
    from leeway.prediction import Threshold, prediction_table

    champion = batch.champion
    explainers = json.loads(work.get(champion.manifest["files"]["explainers"]))
    return prediction_table(
        champion.pipeline,
        from_parquet(work.read("clean", batch.name)),
        batch.stage.use_case,
        champion.manifest["classes"],
        Calibration.from_dict(explainers["calibration"]),
        Threshold.from_dict(champion.manifest.get("threshold")),
    )


def outputs_told(drift: dict[str, Any]) -> dg.MetadataValue:
    """A row for each output of the model."""
    return dg.MetadataValue.table(
        records=[
            dg.TableRecord({"output": name, "verdict": each["verdict"], "moved": moved_told(each)})
            for name, each in drift["columns"].items()
        ]
    )


def drift_of(batch: Batch, work: Work, table: "pa.Table") -> dict[str, Any]:
    """Whether the predictions are others than those of the champion's held-out rows."""
    use_case, manifest = batch.stage.use_case, batch.champion.manifest
    reference = from_bytes(work.get(manifest["files"]["prediction_profile"]))
    before = reference.profiles["predictions"]
    current = profile_prediction_table(table, manifest["classes"])
    found = compare_profiles(
        before,
        current,
        use_case.drift,
        compared(manifest["classes"], use_case.target.unit),
        called="outputs of the model",
    )
    return content_of(found, {}, distributions_of(before, current, found.columns))


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
