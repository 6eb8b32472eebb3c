"""Stage `report`: data quality, PSI, drift and performance of a batch on one page for people.

Belongs here: reading what was found, storing the page and, where it can be made, its PDF. Does not
belong here: the page (`leeway.report`). Nothing rests on this node.
"""

import json
from collections.abc import Iterator
from typing import Any

import dagster as dg

from assets.released import Champion, champion_of
from assets.stage import Input, Stage, Work, batches_of, begin, metadata_of
from leeway.data.tables import from_parquet
from leeway.plan import label
from resources.pdf import NoPdf, pdf_of
from resources.platform import Platform


def build(stage: Stage) -> dg.AssetsDefinition:
    """The asset `report` of a use case."""

    @stage.asset(
        "report",
        "One page per batch: data quality, stability of each column, drift and performance.",
        "html",
        required=False,
    )
    def report(
        context: dg.AssetExecutionContext, platform: Platform
    ) -> Iterator[dg.MaterializeResult[None]]:
        champion = champion_of(platform, stage.name)
        if champion is None:
            context.log.warning("no release was promoted, so there is nothing to report against")
            return
        for batch in batches_of(context):
            metadata = _write(context, platform, stage, batch, champion)
            context.add_asset_metadata(metadata, stage.key("report"), partition_key=batch)
        yield dg.MaterializeResult(metadata=metadata)

    return report


def _write(
    context: dg.AssetExecutionContext,
    platform: Platform,
    stage: Stage,
    batch: str,
    champion: Champion,
) -> dict[str, Any]:
    inputs: dict[str, Input] = {
        label(name, batch): platform.ledger.require(stage.name, name, batch)
        for name in ("raw", "clean", "drift", "performance")
    }
    work = begin(stage, platform, context, "report", batch, inputs | {"release": champion})
    html = _page(work, batch, champion)
    metadata: dict[str, Any] = {}
    try:
        stored = work.put("reports", "pdf", pdf_of(html))
        metadata["pdf"] = dg.MetadataValue.url(str(stored["uri"]))
    except NoPdf as error:
        context.log.warning("batch %s: no PDF of the report: %s", batch, error)
        metadata["pdf_warning"] = str(error)
    commit = work.commit("reports", "html", html.encode(), rows=1)
    return metadata_of(commit, batch=batch, report=dg.MetadataValue.url(commit.uri), **metadata)


def _page(work: Work, batch: str, champion: Champion) -> str:
    from leeway.data.quality import column_quality
    from leeway.drift.verdict import ColumnDrift
    from leeway.plots import drift_plot
    from leeway.report import BatchReport, report_html

    use_case = work.stage.use_case
    drift, performance = (json.loads(work.read(name, batch)) for name in ("drift", "performance"))
    return report_html(
        BatchReport(
            title=use_case.title,
            batch=batch,
            version=champion.release.version,
            algorithm=champion.release.algorithm,
            allowed_rejects=use_case.max_rejected,
            raw=work.platform.ledger.require(work.stage.name, "raw", batch).facts,
            columns=column_quality(from_parquet(work.read("clean", batch)), use_case),
            drift=drift,
            performance=performance,
            plot=drift_plot([ColumnDrift.from_dict(*item) for item in drift["columns"].items()]),
        )
    )
