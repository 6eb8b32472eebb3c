"""Stage `performance`: how good the predictions of a batch were, as far as labels are in.

Belongs here: reading predictions and labels, storing the metrics, recording an incident where the
labels prove a gate broken. Does not belong here: measuring (`leeway.performance`), or what follows
from an incident (`leeway.controller`).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.incident import FoundIncident, incident_on
from assets.labelled import labelled
from assets.released import Batch, node_of_batches
from assets.stage import Stage, Work, metadata_of
from leeway.data.tables import from_parquet
from leeway.data.training_set import TRAIN, part_of
from leeway.digests import canonical_json
from resources.ledger import Commit
from resources.monitoring import replace_segment_metrics

if TYPE_CHECKING:
    import psycopg2.extensions

    from leeway.performance import Performance

# Given, because a batch without a single label has no record to infer it from.
SCHEMA = dg.TableSchema(
    columns=[
        dg.TableColumn("segment"),
        dg.TableColumn("metric"),
        dg.TableColumn("value"),
        dg.TableColumn("unit"),
        dg.TableColumn("rows", "int"),
    ]
)


def build(stage: Stage) -> dg.AssetsDefinition:
    """The asset `performance` of a use case."""
    return node_of_batches(
        stage,
        "performance",
        "One row per metric and segment of a batch, from rows whose label is known and that the "
        "champion was not fitted on.",
        "json",
        _measure,
        without="there are no predictions to measure",
    )


def _measure(batch: Batch) -> dict[str, Any]:
    from leeway.performance import measure

    stage, champion = batch.stage, batch.champion
    more = ("labels",) if stage.use_case.labels else ()
    work = batch.begin("performance", "predictions", "clean", *more)
    clean = labelled(work, batch.name)
    predicted = from_parquet(work.read("predictions", batch.name))
    trained = part_of(from_parquet(work.get(champion.manifest["files"]["training_set"])), TRAIN)
    classes, key = champion.manifest["classes"], stage.use_case.key.name
    found = measure(clean, predicted, stage.use_case, classes, trained[key])
    commit = _commit(batch, work, found)
    return metadata_of(
        commit,
        batch=batch.name,
        labelled_rows=found.labelled,
        rows_fitted_on=found.fitted,
        unknown_labels=found.unknown_labels,
        maturity="undefined" if found.maturity is None else found.maturity,
        metrics=dg.MetadataValue.table(records=records_of(found), schema=SCHEMA),
    )


def records_of(found: "Performance") -> list[dg.TableRecord]:
    """One per segment and metric, for the UI."""
    return [
        dg.TableRecord(
            {
                "segment": segment,
                "metric": name,
                "value": "undefined" if metric.value is None else f"{metric.value:.4g}",
                "unit": metric.unit,
                "rows": metric.rows,
            }
        )
        for segment, metrics in found.segments.items()
        for name, metric in metrics.items()
    ]


def judged(
    batch: Batch, work: Work, upstream: str, found: "Performance | None"
) -> tuple[Sequence[str], FoundIncident | None]:
    """A sentence for each gate that labels prove broken, and the incident that they are.

    None where the champion was fitted on rows that it answered: it knows them already.

    Args:
        batch: whose answers were measured.
        work: of the node that measures.
        upstream: the node whose commit is the evidence.
        found: how good the champion's answers were; None where it gave none.
    """
    from leeway.performance import WHOLE, broken_gates

    metrics = found.segments.get(WHOLE, {}) if found else {}
    gates = batch.stage.use_case.gates
    broken = sorted({gate.metric for gate in gates if broken_gates([gate], metrics)})
    incident = None
    if broken and found and not found.fitted:
        incident = incident_on(batch, work, upstream, broken, "performance")
    return broken_gates(gates, metrics), incident


def _commit(batch: Batch, work: Work, found: "Performance") -> Commit:
    """Stores what was measured, with the incident that it may be."""
    stage, champion = batch.stage, batch.champion
    broken, incident = judged(batch, work, "clean", found)

    def record(cursor: "psycopg2.extensions.cursor") -> None:
        replace_segment_metrics(
            cursor,
            use_case=stage.name,
            batch=batch.name,
            version=champion.release.version,
            run_id=batch.context.run.run_id,
            segments=found.segments,
        )
        if incident is not None:
            incident.record(cursor)

    return work.commit(
        "reports",
        "json",
        canonical_json(found.as_dict()),
        rows=found.labelled,
        facts={
            "broken_gates": broken,
            "version": champion.release.version,
            "maturity": found.maturity,
            "incident": incident.digest if incident else None,
        },
        also=record,
    )
