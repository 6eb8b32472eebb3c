"""Stage `report`: what was found of a batch, from drift to data quality, on one page for people.

Belongs here: reading what was found, storing the page and, where it can be made, its PDF. Does not
belong here: the page (`leeway.report`). Nothing rests on this node.
"""

import json
from typing import Any

import dagster as dg

from assets.released import Batch, node_of_batches
from assets.stage import Stage, Work, metadata_of
from leeway.data.tables import from_parquet
from leeway.gates import gates_told
from resources.pdf import NoPdf, pdf_of


def build(stage: Stage) -> dg.AssetsDefinition:
    """The asset `report` of a use case."""
    return node_of_batches(
        stage,
        "report",
        "One page per batch: drift, who moved, what it costs, predictions, performance, quality.",
        "html",
        _write,
        without="there is nothing to report against",
    )


def _write(batch: Batch) -> dict[str, Any]:
    work = batch.begin("report", "raw", "clean", "drift", "damage", "predictions", "performance")
    html = _page(work, batch)
    metadata: dict[str, Any] = {}
    try:
        stored = work.put("reports", "pdf", pdf_of(html))
        metadata["pdf"] = dg.MetadataValue.url(str(stored["uri"]))
    except NoPdf as error:
        batch.context.log.warning("batch %s: no PDF of the report: %s", batch.name, error)
        metadata["pdf_warning"] = str(error)
    commit = work.commit("reports", "html", html.encode(), rows=1)
    return metadata_of(
        commit, batch=batch.name, report=dg.MetadataValue.url(commit.uri), **metadata
    )


def _page(work: Work, batch: Batch) -> str:
    from leeway.data.quality import column_quality
    from leeway.drift.column import ColumnDrift
    from leeway.plots_drift import drift_plot
    from leeway.report import BatchReport, report_html

    use_case, ledger = work.stage.use_case, work.platform.ledger
    drift, damage, performance = (
        json.loads(work.read(name, batch.name)) for name in ("drift", "damage", "performance")
    )
    facts = {
        name: ledger.require(work.stage.name, name, batch.name).facts
        for name in ("raw", "predictions", "performance")
    }
    broken = facts["performance"]["broken_gates"]
    return report_html(
        BatchReport(
            title=use_case.title,
            batch=batch.name,
            version=batch.champion.release.version,
            algorithm=batch.champion.release.algorithm,
            allowed_rejects=use_case.max_rejected,
            raw=facts["raw"],
            columns=column_quality(from_parquet(work.read("clean", batch.name)), use_case),
            drift=drift,
            damage=damage,
            predictions=json.loads(work.get(facts["predictions"]["drift"])),
            performance=performance,
            gates=gates_told(bool(use_case.gates), broken, performance["labelled"]),
            plot=drift_plot([ColumnDrift.from_dict(*item) for item in drift["columns"].items()]),
        )
    )
