"""Stage `release`: one manifest of everything that must change together, judged by its evidence.

Belongs here: opening the test part, asking for the verdict, storing the manifest, and promoting in
the transaction that records it. Does not belong here: metrics (`leeway.metrics`) or the rules of
the verdict (`leeway.release`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.released import Champion, champion_of, load_pipeline
from assets.stage import Stage, Work, begin, metadata_of, png
from leeway.data.frames import target_array
from leeway.data.tables import from_parquet
from leeway.data.training_set import TEST, part_of
from leeway.digests import canonical_json
from leeway.metrics.evaluation import Metric
from leeway.release import Comparison, Decision
from resources.platform import Platform
from resources.registry import project_aliases
from resources.releases import Release, promote_in
from resources.tracking import TRAINING_KEY

if TYPE_CHECKING:
    import psycopg2.extensions
    import pyarrow as pa

INCIDENT_TAG = "leeway/incident"


@dataclass(frozen=True)
class Evidence:
    """What the held-out rows say of a model."""

    metrics: Mapping[str, Metric]
    confusion: list[list[int]] | None
    comparison: Comparison | None
    decision: Decision


def build(stage: Stage) -> dg.AssetsDefinition:
    """The asset `release` of a use case."""

    @stage.asset(
        "release",
        "One manifest per training: model, schema, reference, explainers, metrics and evidence.",
        "mlflow",
    )
    def release(
        context: dg.AssetExecutionContext, platform: Platform
    ) -> dg.MaterializeResult[None]:
        work = begin(stage, platform, context, "release")
        incident = context.run.tags.get(INCIDENT_TAG)
        champion = champion_of(platform, stage.name)
        tuned = work.read_json("tuned_model")
        if champion is not None and champion.release.training_key == tuned["training_key"]:
            champion = None  # the same training again has nothing to be compared with but itself
        evidence = _evidence(work, tuned, champion, after_drift=incident is not None)
        version = platform.releases.next_version(stage.name, tuned["training_key"])
        manifest = _manifest(work, tuned, evidence, version)
        _register(platform, context, stage, manifest)
        commit = _commit(work, manifest, evidence, champion, incident, context.run.run_id)
        project_aliases(platform.settings, stage.name)
        return dg.MaterializeResult(
            metadata=metadata_of(
                commit,
                version=version,
                verdict=evidence.decision.verdict,
                reason=evidence.decision.reason,
                algorithm=tuned["algorithm"],
                metrics=_metric_table(evidence.metrics),
                **_plots(evidence, tuned),
            )
        )

    return release


def _evidence(
    work: Work, tuned: Mapping[str, Any], champion: Champion | None, *, after_drift: bool
) -> Evidence:
    """Opens the test part: metrics, and both models' losses on the same rows."""
    from leeway.metrics.evaluation import (
        classification_metrics,
        confusion_matrix,
        regression_metrics,
        row_losses,
    )
    from leeway.prediction import model_output, most_probable
    from leeway.release import compare_losses, decide, judge_gates
    from leeway.training.model_file import load_model

    use_case = work.stage.use_case
    rows = part_of(from_parquet(work.read("training_set")), TEST)
    truth = target_array(rows, use_case)
    output = model_output(load_model(work.get(tuned["model"])), rows, use_case)
    classes = tuned["classes"]
    confusion = None
    if classes is None:
        metrics = regression_metrics(truth, output, unit=use_case.target.unit or "")
        losses = row_losses("regression", truth, output)
    else:
        metrics = classification_metrics(truth, output, classes)
        losses = row_losses("classification", truth, output, classes)
        confusion = confusion_matrix(truth, most_probable(output, classes), classes)
    comparison = None
    schema_changed = champion is not None and champion.manifest["columns"] != _columns(work.stage)
    if champion is not None and not schema_changed:
        others = _losses_of(work.platform, champion, rows, work.stage)
        name = "log loss" if classes else "absolute error"
        comparison = compare_losses(losses, others, metric=name)
    decision = decide(
        judge_gates(use_case.gates, metrics),
        comparison,
        reason_for_training=("schema" if schema_changed else "drift" if after_drift else "request"),
        non_inferiority=use_case.retraining.non_inferiority,
    )
    return Evidence(metrics, confusion, comparison, decision)


def _losses_of(platform: Platform, champion: Champion, rows: "pa.Table", stage: Stage) -> Any:
    """The champion's loss on each of `rows`, which it has not seen: its key holds a row out."""
    from leeway.metrics.evaluation import row_losses
    from leeway.prediction import model_output

    output = model_output(load_pipeline(platform, champion.manifest), rows, stage.use_case)
    truth = target_array(rows, stage.use_case)
    classes = champion.manifest["classes"]
    if classes is None:
        return row_losses("regression", truth, output)
    return row_losses("classification", truth, output, classes)


def _columns(stage: Stage) -> list[dict[str, Any]]:
    """The features and the target, as a release records them."""
    return [
        column.model_dump(mode="json", include={"name", "type", "role", "unit", "range", "values"})
        for column in stage.use_case.columns
        if column.role in ("feature", "target", "key")
    ]


def _manifest(
    work: Work, tuned: Mapping[str, Any], evidence: Evidence, version: int
) -> dict[str, Any]:
    from importlib.metadata import version as installed

    entries = {
        name: {"digest": work.inputs[name].digest, "uri": work.inputs[name].uri}
        for name in ("training_set", "model_selection", "explainers", "reference_profile")
    }
    return {
        "use_case": work.stage.name,
        "version": version,
        "title": work.stage.use_case.title,
        "task": work.stage.use_case.task,
        "algorithm": tuned["algorithm"],
        "parameters": tuned["parameters"],
        "batches": work.platform.ledger.require(work.stage.name, "training_set").facts["batches"],
        "training_key": tuned["training_key"],
        "classes": tuned["classes"],
        "columns": _columns(work.stage),
        "files": {**entries, "model": tuned["model"]},
        "metrics": {name: metric.as_dict() for name, metric in evidence.metrics.items()},
        "confusion": evidence.confusion,
        "decision": evidence.decision.as_dict(),
        "libraries": {name: installed(name) for name in ("scikit-learn", "xgboost-cpu", "skops")},
    }


def _register(
    platform: Platform, context: dg.AssetExecutionContext, stage: Stage, manifest: dict[str, Any]
) -> None:
    """Registers the model in MLflow, before the ledger: a second time it finds its version."""
    metrics = {
        f"test/{name}": found["value"]
        for name, found in manifest["metrics"].items()
        if found["value"] is not None
    }
    platform.tracking(stage.name, context.run.run_id).log_release(
        describe(manifest),
        {
            TRAINING_KEY: manifest["training_key"],
            "leeway.version": str(manifest["version"]),
            "leeway.verdict": manifest["decision"]["verdict"],
            "algorithm": manifest["algorithm"],
            "target": stage.use_case.target.name,
        },
        metrics,
        manifest["files"]["model"]["uri"],
    )


def _commit(
    work: Work,
    manifest: dict[str, Any],
    evidence: Evidence,
    champion: Champion | None,
    incident: str | None,
    run_id: str,
) -> Any:
    data = canonical_json(manifest)
    stored = work.put("models", "json", data)
    release = Release(
        use_case=work.stage.name,
        version=manifest["version"],
        digest=str(stored["digest"]),
        training_key=manifest["training_key"],
        algorithm=manifest["algorithm"],
        verdict=evidence.decision.verdict,
        reason=evidence.decision.reason,
        facts={
            "uri": stored["uri"],
            "metrics": manifest["metrics"],
            "training_set": manifest["files"]["training_set"]["digest"],
            "batches": manifest["batches"],
        },
        incident=incident,
        run_id=run_id,
        released_at=datetime.now(UTC),
    )
    judged = champion.release.version if champion else None

    def record(cursor: "psycopg2.extensions.cursor") -> None:
        work.platform.releases.record(cursor, release)
        if release.verdict == "promote":
            promote_in(cursor, release.use_case, release.version, judged, release.reason)

    return work.commit(
        "models",
        "json",
        data,
        rows=1,
        facts={"version": release.version, "verdict": release.verdict, "reason": release.reason},
        also=record,
    )


def describe(manifest: Mapping[str, Any]) -> str:
    """The release as Markdown, for people who look at the registry."""
    lines = [
        f"**{manifest['title']}**, version {manifest['version']}: {manifest['algorithm']}.",
        "",
        f"Verdict: {manifest['decision']['verdict']}. {manifest['decision']['reason']}",
        "",
        "| metric on held-out rows | value | 95 % interval | unit | rows |",
        "|---|---|---|---|---|",
    ]
    for name, metric in manifest["metrics"].items():
        if metric["value"] is None:
            lines.append(f"| {name} | undefined | | {metric['unit']} | {metric['rows']} |")
            continue
        interval = (
            "undefined" if metric["low"] is None else f"{metric['low']:.4g} to {metric['high']:.4g}"
        )
        lines.append(
            f"| {name} | {metric['value']:.4g} | {interval} | {metric['unit']} | {metric['rows']} |"
        )
    lines += ["", f"Parameters: `{manifest['parameters']}`"]
    lines += ["", f"Training set: `{manifest['files']['training_set']['digest']}`"]
    return "\n".join(lines)


def _metric_table(metrics: Mapping[str, Metric]) -> dg.TableMetadataValue:
    def shown(value: float | None) -> str:
        return "undefined" if value is None else f"{value:.4g}"

    return dg.MetadataValue.table(
        records=[
            dg.TableRecord(
                {
                    "metric": name,
                    "value": shown(metric.value),
                    "low": shown(metric.low),
                    "high": shown(metric.high),
                    "unit": metric.unit,
                    "rows": metric.rows,
                }
            )
            for name, metric in metrics.items()
        ]
    )


def _plots(evidence: Evidence, tuned: Mapping[str, Any]) -> dict[str, Any]:
    import numpy as np

    from leeway.plots import confusion_plot

    if evidence.confusion is None:
        return {}
    return {"confusion_matrix": png(confusion_plot(np.array(evidence.confusion), tuned["classes"]))}
