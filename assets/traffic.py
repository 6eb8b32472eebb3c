"""Stage `traffic`: what a service was asked and answered in a window of time.

Belongs here: reading a window of the inference log, storing its rows and their profile. Does not
belong here: when a window is closed (`leeway.traffic.windows`), or what is found of it.
"""

from dataclasses import replace
from typing import Any

import dagster as dg

from assets.stage import Stage, Work, batches_of, begin, metadata_of
from leeway.data.tables import to_parquet
from leeway.drift.declared import profile_table
from leeway.drift.stored import Stored, to_bytes
from leeway.traffic.rows import inputs_of, traffic_table, warned
from resources.platform import Platform
from resources.traffic import rows_of, window


def build(stage: Stage) -> dg.AssetsDefinition:
    """The asset `traffic` of a use case."""

    @stage.asset(
        "traffic",
        "One row per answer of the service in a window: what was asked, and what was answered.",
        "parquet",
        "postgres",
    )
    def traffic(
        context: dg.AssetExecutionContext, platform: Platform
    ) -> dg.MaterializeResult[None]:
        metadata: dict[str, Any] = {}
        for name in batches_of(context):
            work = begin(stage, platform, context, "traffic", name)
            metadata = _store(work, name)
            context.add_asset_metadata(metadata, stage.key("traffic"), partition_key=name)
        return dg.MaterializeResult(metadata=metadata)

    return traffic


def _store(work: Work, name: str) -> dict[str, Any]:
    import pyarrow.compute as pc

    use_case, settings = work.stage.use_case, work.platform.settings
    asked = window(settings, work.stage.name, name)
    table, odd = traffic_table(rows_of(settings, work.stage.name, asked), use_case)
    first = asked.since or pc.min(table["at"]).as_py() or asked.until
    span = {"since": first.timestamp(), "until": asked.until.timestamp()}
    profile = replace(
        profile_table(inputs_of(table), use_case.feature_columns),
        since=span["since"],
        until=span["until"],
    )
    entry = work.put("reports", "arrow", to_bytes(Stored({"clean": profile})))
    rows, warnings = warned(table)
    counts = table["version"].value_counts().to_pylist()
    versions = {str(each["values"]): each["counts"] for each in counts}
    facts = {
        **span,
        "source_digest": str(table.num_rows),
        "profile": dict(entry),
        "versions": versions,
        "without_key": table["row_key"].null_count,
        "warned": rows,
        "warnings": warnings,
        "not_of_type": odd,
    }
    commit = work.commit(
        "predictions", "parquet", to_parquet(table), rows=table.num_rows, facts=facts
    )
    return metadata_of(
        commit,
        batch=name,
        since=first.isoformat(),
        until=asked.until.isoformat(),
        answers_by_version=dg.MetadataValue.json(versions),
        answers_with_a_warning=rows,
        warnings=dg.MetadataValue.json(warnings),
        rows_without_key=facts["without_key"],
        values_of_another_type=odd,
    )
