"""Stage `damage`: what the shift of a batch does to the champion, before its labels arrive.

Belongs here: reading the batch, the champion and its held-out rows, storing the estimate and
whether the rows differ as a whole, recording an incident where harm is proven. Does not belong
here: the estimate (`leeway.damage`), the comparison of rows (`leeway.drift.multivariate`), how good
predictions were (`assets.performance`), or what follows (`leeway.controller`).
"""

from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.incident import incident_on
from assets.released import Batch, node_of_batches
from assets.stage import Stage, Work, metadata_of, png
from leeway.damage.told import damage_told, shares_told
from leeway.data.tables import from_parquet
from leeway.data.training_set import TEST, part_of
from leeway.digests import canonical_json
from leeway.drift.budget import alarm_probability
from leeway.drift.joint_told import joint_told, leaned_on_told
from resources.ledger import Commit

if TYPE_CHECKING:
    from leeway.damage.verdict import BatchDamage
    from leeway.drift.multivariate import MultivariateDrift

# Given, because an estimate that is refused has no record to infer it from.
SCHEMA = dg.TableSchema(
    columns=[dg.TableColumn(name) for name in ("column", "share", "change", "loss")]
)
LEANED_ON = dg.TableSchema(
    columns=[dg.TableColumn(name) for name in ("column", "auc lost without it")]
)


def build(stage: Stage) -> dg.AssetsDefinition:
    """The asset `damage` of a use case."""
    return node_of_batches(
        stage,
        "damage",
        "One row per feature of a batch: its share of the change of the champion's metric that is "
        "to be expected, estimated without labels.",
        "json",
        lambda batch: _metadata(*_estimate(batch), batch),
        without="there is no model that a batch could harm",
    )


def _estimate(batch: Batch) -> "tuple[BatchDamage, MultivariateDrift, Commit]":
    from leeway.damage.batch import estimate_damage
    from leeway.drift.multivariate import multivariate_drift
    from leeway.prediction import Model, Threshold

    use_case, champion = batch.stage.use_case, batch.champion
    work = batch.begin("damage", "clean")
    clean = from_parquet(work.read("clean", batch.name))
    held_out = part_of(from_parquet(work.get(champion.manifest["files"]["training_set"])), TEST)
    threshold = Threshold.from_dict(champion.manifest.get("threshold"))
    model = Model(champion.pipeline, champion.manifest["classes"], threshold)
    found = estimate_damage(held_out, clean, use_case, model)
    joint = multivariate_drift(
        held_out,
        clean,
        use_case.feature_columns,
        effect=use_case.drift.effect,
        confidence=1 - alarm_probability(use_case.drift),
    )
    return found, joint, _stored(batch, work, found, joint)


def _stored(batch: Batch, work: Work, found: "BatchDamage", joint: "MultivariateDrift") -> Commit:
    champion = batch.champion
    trained_on = batch.name in champion.manifest["batches"]
    incident = None
    if found.verdict == "confirmed" and not trained_on:
        incident = incident_on(batch, work, "clean", found.blamed, "damage")
    return work.commit(
        "reports",
        "json",
        canonical_json({**found.as_dict(), "joint": joint.as_dict()}),
        rows=len(found.columns),
        facts={
            "verdict": found.verdict,
            "reason": found.reason,
            "metric": found.metric,
            "columns": list(found.blamed),
            "joint": {"verdict": joint.verdict, "reason": joint.reason},
            "trained_on": trained_on,
            "version": champion.release.version,
            "incident": incident.digest if incident else None,
        },
        also=incident.record if incident else None,
    )


def _metadata(
    found: "BatchDamage", joint: "MultivariateDrift", commit: Commit, batch: Batch
) -> dict[str, Any]:
    from leeway.damage.plot import damage_plot

    content, rows = found.as_dict(), joint.as_dict()
    return metadata_of(
        commit,
        batch=batch.name,
        verdict=found.verdict,
        reason=found.reason,
        **damage_told(content),
        compared_with=f"version {batch.champion.release.version}",
        rows_as_a_whole=f"{joint.verdict}: {joint.reason}",
        **joint_told(rows),
        shares=png(damage_plot(found)),
        columns=dg.MetadataValue.table(
            records=[dg.TableRecord(row) for row in shares_told(content)],
            schema=SCHEMA,
        ),
        told_apart_by=dg.MetadataValue.table(
            records=[dg.TableRecord(row) for row in leaned_on_told(rows)], schema=LEANED_ON
        ),
    )
