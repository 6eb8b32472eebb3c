"""Stage `drift`: whether a batch still looks like what the champion was trained on.

Belongs here: reading the batch and the champion's reference, storing the verdict, recording an
incident. Does not belong here: the verdict (`leeway.drift.verdict`) or what follows
from it (`leeway.controller`).
"""

import json
from functools import partial
from typing import Any

import dagster as dg

from assets.released import Batch, node_of_batches
from assets.stage import Stage, metadata_of, png
from leeway.controller.facts import incident_digest
from leeway.data.tables import from_parquet
from leeway.digests import canonical_json
from leeway.drift.profile import Profile, profile_table
from leeway.drift.verdict import BatchDrift, compare_profiles
from leeway.plan import label
from resources.ledger import Commit
from resources.releases import insert_incident


def build(stage: Stage) -> dg.AssetsDefinition:
    """The asset `drift` of a use case."""
    return node_of_batches(
        stage,
        "drift",
        "One row per monitored column: how far a batch is from the reference profile.",
        "json",
        lambda batch: _metadata(*_compare(batch), batch),
        without="there is no reference: drift is undefined",
    )


def _compare(batch: Batch) -> tuple[BatchDrift, Commit]:
    stage, champion = batch.stage, batch.champion
    work = batch.begin("drift", "clean")
    entry = champion.manifest["files"]["reference_profile"]
    reference = Profile.from_dict(json.loads(work.get(entry)))
    columns = stage.use_case.columns
    current = profile_table(from_parquet(work.read("clean", batch.name)), columns)
    found = compare_profiles(reference, current, stage.use_case.drift, columns)
    # A model that was trained on a batch cannot be surprised by it: training again would give the
    # same model, and a batch that differs from those before it would ask for that for ever.
    trained_on = batch.name in champion.manifest["batches"]
    also = None
    if found.verdict == "confirmed" and not trained_on:
        clean = work.inputs[label("clean", batch.name)]
        digest = incident_digest(stage.name, champion.digest, clean.digest, found.drifted)
        also = partial(
            insert_incident,
            use_case=stage.name,
            digest=digest,
            batch=batch.name,
            columns=found.drifted,
            release_digest=champion.digest,
            run_id=batch.context.run.run_id,
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


def _metadata(found: BatchDrift, commit: Commit, batch: Batch) -> dict[str, Any]:
    from leeway.plots import drift_plot

    return metadata_of(
        commit,
        batch=batch.name,
        verdict=found.verdict,
        reason=found.reason,
        drifted_columns=", ".join(found.drifted) or "none",
        drifted_share="undefined" if found.drifted_share is None else found.drifted_share,
        compared_with=f"version {batch.champion.release.version}",
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
