"""Stage `drift`: whether a batch still looks like what the champion was trained on.

Belongs here: reading the batch and the champion's reference, storing the verdict, recording an
incident. Does not belong here: the verdict (`leeway.drift.verdict`) or what follows
from it (`leeway.retraining`).
"""

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import dagster as dg

from assets.released import Champion, champion_of
from assets.stage import Input, Stage, batches_of, begin, metadata_of, png
from leeway.data.tables import from_parquet
from leeway.digests import canonical_json
from leeway.drift.profile import Profile, profile_table
from leeway.drift.verdict import BatchDrift, compare_profiles
from leeway.plan import label
from leeway.retraining import incident_digest
from resources.ledger import Commit
from resources.platform import Platform
from resources.releases import insert_incident


def build(stage: Stage) -> dg.AssetsDefinition:
    """The asset `drift` of a use case."""

    @stage.asset(
        "drift",
        "One row per monitored column: how far a batch is from the reference profile.",
        "json",
        required=False,
    )
    def drift(
        context: dg.AssetExecutionContext, platform: Platform
    ) -> Iterator[dg.MaterializeResult[None]]:
        champion = champion_of(platform, stage.name)
        if champion is None:
            context.log.warning(
                "no release was promoted, so there is no reference: drift is undefined"
            )
            return
        for batch in batches_of(context):
            found, commit = _compare(context, platform, stage, batch, champion)
            metadata = _metadata(found, commit, batch, champion)
            context.add_asset_metadata(metadata, stage.key("drift"), partition_key=batch)
        yield dg.MaterializeResult(metadata=metadata)

    return drift


def _compare(
    context: dg.AssetExecutionContext,
    platform: Platform,
    stage: Stage,
    batch: str,
    champion: Champion,
) -> tuple[BatchDrift, Commit]:
    clean = platform.ledger.require(stage.name, "clean", batch)
    inputs: dict[str, Input] = {label("clean", batch): clean, "release": champion}
    work = begin(stage, platform, context, "drift", batch, inputs)
    entry = champion.manifest["files"]["reference_profile"]
    reference = Profile.from_dict(json.loads(work.get(entry)))
    columns = stage.use_case.columns
    current = profile_table(from_parquet(work.read("clean", batch)), columns)
    found = compare_profiles(reference, current, stage.use_case.drift, columns)
    # A model that was trained on a batch cannot be surprised by it: training again would give the
    # same model, and a batch that differs from those before it would ask for that for ever.
    trained_on = batch in champion.manifest["batches"]
    also = None
    if found.verdict == "confirmed" and not trained_on:
        digest = incident_digest(stage.name, champion.digest, clean.digest, found.drifted)
        also = partial(
            insert_incident,
            use_case=stage.name,
            digest=digest,
            batch=batch,
            columns=found.drifted,
            release_digest=champion.digest,
            run_id=context.run.run_id,
        )
    commit = work.commit(
        "reports",
        "json",
        canonical_json(found.as_dict()),
        rows=len(found.columns),
        facts={
            "verdict": found.verdict,
            "reason": found.reason,
            "columns": list(found.drifted),
            "target_verdict": found.target_verdict,
            "trained_on": trained_on,
            "version": champion.release.version,
        },
        also=also,
    )
    return found, commit


def _metadata(found: BatchDrift, commit: Commit, batch: str, champion: Champion) -> dict[str, Any]:
    from leeway.plots import drift_plot

    return metadata_of(
        commit,
        batch=batch,
        verdict=found.verdict,
        reason=found.reason,
        drifted_columns=", ".join(found.drifted) or "none",
        compared_with=f"version {champion.release.version}",
        effects=png(drift_plot(found.columns)),
        columns=dg.MetadataValue.table(
            records=[
                dg.TableRecord(
                    {
                        "column": column.name,
                        "role": column.role,
                        "verdict": column.verdict,
                        "measure": column.measure or "undefined",
                        "effect": "undefined" if column.effect is None else f"{column.effect:.3f}",
                        "lower_bound": (
                            "undefined" if column.interval is None else f"{column.interval[0]:.3f}"
                        ),
                        "threshold": f"{column.threshold:g}",
                        "statistics": ", ".join(
                            f"{name} {value:.3g}" for name, value in column.statistics.items()
                        ),
                        "reason": column.reason,
                    }
                )
                for column in found.columns
            ]
        ),
    )
