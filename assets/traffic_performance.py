"""Stage `traffic_performance`: how good the answers of a window were, as far as labels are in.

Belongs here: joining answers with what is known of their rows, by the key that the client named,
and an incident where they prove that the champion breaks a gate. Does not belong here: measuring
(`leeway.performance`), or what is known (`resources.traffic`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.performance import SCHEMA, judged, records_of
from assets.released import Batch, node_of_batches, release_of
from assets.stage import Stage, Work, metadata_of
from leeway.data.shared_keys import as_text
from leeway.data.tables import from_parquet, to_parquet
from leeway.data.training_set import TRAIN, part_of
from leeway.digests import canonical_json
from leeway.traffic.rows import answered_by
from resources.monitoring import replace_segment_metrics
from resources.traffic import truth_of
from resources.traffic import window as recorded_window

if TYPE_CHECKING:
    import psycopg2.extensions
    import pyarrow as pa

    from leeway.performance import Performance
    from resources.ledger import Commit


@dataclass(frozen=True)
class Measured:
    """What is known of a window: performance by version, and the truth that it rests on."""

    releases: "Mapping[int, Performance]"
    truth: "pa.Table"
    change: str

    @property
    def maturity(self) -> float | None:
        """The share of answers whose label is in."""
        rows = sum(each.rows for each in self.releases.values())
        known = sum(each.labelled + each.fitted for each in self.releases.values())
        return known / rows if rows else None


def build(stage: Stage) -> dg.AssetsDefinition:
    """The asset `traffic_performance` of a use case."""
    return node_of_batches(
        stage,
        "traffic_performance",
        "One row per metric, segment and release of a window, from answers whose label is known "
        "by the key of their row.",
        "json",
        _measure,
        without="there is nothing that incidents could be about",
    )


def _measure(window: Batch) -> dict[str, Any]:
    work = window.begin("traffic_performance", "traffic")
    found = _known(window, work)
    commit = _commit(window, work, found)
    champion = found.releases.get(window.champion.release.version)
    return metadata_of(
        commit,
        batch=window.name,
        labelled_rows=commit.rows or 0,
        maturity="undefined" if found.maturity is None else found.maturity,
        rows_of_the_champion=champion.rows if champion else 0,
        metrics=dg.MetadataValue.table(records=_records(found), schema=SCHEMA),
    )


def _records(found: Measured) -> list[dg.TableRecord]:
    """One per release, segment and metric, for the UI."""
    return [
        dg.TableRecord({**each.data, "segment": f"version {version}, {each.data['segment']}"})
        for version, performance in found.releases.items()
        for each in records_of(performance)
    ]


def _known(window: Batch, work: Work) -> Measured:
    """What is known now of the answers of each release."""
    import pyarrow as pa
    import pyarrow.compute as pc

    use_case, name, settings = window.stage.use_case, window.stage.name, window.platform.settings
    asked = recorded_window(settings, name, window.name)
    pairs, change = truth_of(settings, name, use_case, asked)
    truth = pa.table(
        {
            "row_key": pa.array([key for key, _ in pairs], pa.string()),
            "label": pa.array([value for _, value in pairs], pa.string()),
        }
    )
    table = from_parquet(work.read("traffic", window.name))
    versions = sorted(pc.unique(table["version"]).to_pylist())
    measured = {version: _of_release(window, table, truth, version) for version in versions}
    return Measured({k: v for k, v in measured.items() if v is not None}, truth, change)


def _of_release(
    window: Batch, table: "pa.Table", truth: "pa.Table", version: int
) -> "Performance | None":
    """None where the release is not recorded, so that it is not known what it was fitted on."""
    from leeway.traffic.judged import performance_of

    use_case, platform = window.stage.use_case, window.platform
    release = release_of(platform, window.stage.name, version)
    if release is None:
        return None
    fitted_on = None
    if truth.num_rows:
        entry = release.manifest["files"]["training_set"]
        rows = from_parquet(platform.store.get(str(entry["uri"]), str(entry["digest"])))
        fitted_on = as_text(part_of(rows, TRAIN)[use_case.key.name])
    answers = answered_by(table, version)
    return performance_of(answers, truth, use_case, release.manifest["classes"], fitted_on)


def _commit(window: Batch, work: Work, found: Measured) -> "Commit":
    """Stores what was measured, with the incident that it may be."""
    version = window.champion.release.version
    broken, incident = judged(window, work, "traffic", found.releases.get(version))

    def record(cursor: "psycopg2.extensions.cursor") -> None:
        for each, performance in found.releases.items():
            replace_segment_metrics(
                cursor,
                use_case=window.stage.name,
                batch=window.name,
                version=each,
                run_id=window.context.run.run_id,
                segments=performance.segments,
            )
        if incident is not None:
            incident.record(cursor)

    content = {str(each): performance.as_dict() for each, performance in found.releases.items()}
    return work.commit(
        "reports",
        "json",
        canonical_json({"maturity": found.maturity, "releases": content}),
        rows=sum(each.labelled for each in found.releases.values()),
        facts={
            "broken_gates": broken,
            "version": version,
            "maturity": found.maturity,
            "truth": dict(work.put("clean", "parquet", to_parquet(found.truth))),
            "source_digest": found.change,
            "settled": {"release": window.champion.digest},
            "incident": incident.digest if incident else None,
        },
        also=record,
    )
