"""Stage `release`: one manifest of everything that must change together, judged by its evidence.

Belongs here: opening the test part, asking for the verdict, storing the manifest, and promoting in
the transaction that records it. Does not belong here: metrics (`leeway.metrics`) or the rules of
the verdict (`leeway.release`).
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import dagster as dg

from assets.released import Champion, rival_of
from assets.requested import CAUSE_TAG, asked_of, begin_training
from assets.served import served_files
from assets.stage import Stage, Work, metadata_of, png
from assets.training_set import read_part
from leeway.data.tables import from_parquet
from leeway.data.training_set import TEST, TRAIN, part_of
from leeway.digests import canonical_json
from leeway.drift.stored import Stored, to_bytes
from resources.platform import Platform
from resources.registry import project_aliases
from resources.releases import Release, promote_in, try_in
from resources.tracking import TRAINING_KEY
from resources.trainings import end_in

if TYPE_CHECKING:
    import psycopg2.extensions
    import pyarrow as pa

    from leeway.evidence import Champion as Rival
    from leeway.evidence import Evidence
    from leeway.metrics.evaluation import Metric
    from leeway.prediction import Model
    from leeway.release import Cause, Uncompared
    from leeway.spec import Trial


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
        from leeway.performance import WHOLE

        work = begin_training(stage, platform, context, "release")
        cause = cast("Cause", context.run.tags.get(CAUSE_TAG, "request"))
        tuned = work.read_json("tuned_model")
        champion = rival_of(platform, stage.name, tuned["training_key"])
        model = _model(work, tuned)
        held_out = read_part(work, TEST)
        found = _evidence(work, held_out, model, champion, cause)
        version = platform.releases.next_version(stage.name, tuned["training_key"])
        served = served_files(work, model.pipeline, held_out)
        manifest = _manifest(work, tuned, found, version, *served)
        training = _training(work)
        _register(platform, context, stage, manifest, training)
        commit = _commit(work, manifest, training, found, champion, context.run)
        project_aliases(platform.settings, stage.name)
        return dg.MaterializeResult(
            metadata=metadata_of(
                commit,
                version=version,
                verdict=commit.facts["verdict"],
                reason=commit.facts["reason"],
                algorithm=tuned["algorithm"],
                **{name: "unknown" if v is None else v for name, v in training.items()},
                metrics=_metric_table({WHOLE: found.metrics}),
                segments=_metric_table(found.segments),
                **_plots(found, tuned),
            )
        )

    return release


def _model(work: Work, tuned: Mapping[str, Any]) -> "Model":
    from leeway.prediction import Model, Threshold
    from leeway.training.model_file import load_model

    threshold = Threshold.from_dict(work.read_json("explainers")["threshold"])
    return Model(load_model(work.get(tuned["model"])), tuned["classes"], threshold)


def _evidence(
    work: Work, rows: "pa.Table", model: "Model", champion: Champion | None, cause: "Cause"
) -> "Evidence":
    from leeway.evidence import gather

    return gather(rows, work.stage.use_case, model, _rival(work, champion), cause)


def _rival(work: Work, champion: Champion | None) -> "Rival | Uncompared":
    """The champion as the comparison needs it, or why there is none."""
    from leeway.evidence import Champion as Rival
    from leeway.manifest import fits
    from leeway.prediction import Model

    if champion is None:
        return "first"
    manifest = champion.manifest
    if not fits(manifest, work.stage.use_case):
        return "schema"
    fitted = part_of(from_parquet(work.get(manifest["files"]["training_set"])), TRAIN)
    model = Model(champion.pipeline, manifest["classes"])
    return Rival(model, fitted[work.stage.use_case.key.name])


def _manifest(
    work: Work,
    tuned: Mapping[str, Any],
    found: "Evidence",
    version: int,
    served: Mapping[str, Any],
    fast: Mapping[str, Any],
) -> dict[str, Any]:
    from importlib.metadata import version as installed

    from leeway.manifest import manifest_of

    entries = {
        name: {"digest": work.inputs[name].digest, "uri": work.inputs[name].uri}
        for name in ("training_set", "model_selection", "explainers", "reference_profile")
    }
    batches = work.platform.ledger.require(work.stage.name, "training_set").facts["batches"]
    explainers = work.read_json("explainers")
    predictions = to_bytes(Stored({"predictions": found.predictions}))
    return manifest_of(
        work.stage.name,
        work.stage.use_case,
        tuned,
        found,
        version=version,
        batches=batches,
        threshold=explainers["threshold"],
        importance=explainers["shap"]["importance"][:10],
        files={
            **entries,
            "model": tuned["model"],
            "best_params": tuned["best_params"],
            "prediction_profile": work.put("reports", "arrow", predictions),
            **served,
        },
        fast=fast,
        libraries={name: installed(name) for name in ("scikit-learn", "xgboost-cpu", "skops")},
    )


def _training(work: Work) -> dict[str, Any]:
    """How long the training took, by whom and from which commit; what is unknown is None.

    The ledger has it beside the digest of the manifest and not within: trained again, the same
    model is the same release. Seconds are of the runs that made its two nodes, and None where one
    was made before they were kept.
    """
    selection, tuned = (
        work.platform.ledger.require(work.stage.name, name).facts
        for name in ("model_selection", "tuned_model")
    )
    seconds = [facts["seconds"] for facts in (selection, tuned) if "seconds" in facts]
    return {
        "training_seconds": round(sum(seconds), 1) if len(seconds) == 2 else None,
        "git_commit": tuned.get("git_commit"),
        "user": tuned.get("user"),
    }


def _register(
    platform: Platform,
    context: dg.AssetExecutionContext,
    stage: Stage,
    manifest: dict[str, Any],
    training: Mapping[str, Any],
) -> None:
    """Registers the model in MLflow, before the ledger: a second time it finds its version."""
    from leeway.manifest import describe, tags_of

    metrics = {
        f"test/{name}": found["value"]
        for name, found in manifest["metrics"].items()
        if found["value"] is not None
    }
    tracking = platform.tracking(stage.name, context.run.run_id)
    tracking.keep({"segments.json": canonical_json(manifest["segments"])})
    tracking.log_release(
        describe(manifest, training),
        {TRAINING_KEY: manifest["training_key"], **tags_of(manifest, training)},
        metrics,
        manifest["files"]["model"]["uri"],
    )


def _commit(
    work: Work,
    manifest: dict[str, Any],
    training: Mapping[str, Any],
    found: "Evidence",
    champion: Champion | None,
    run: dg.DagsterRun,
) -> Any:
    asked = asked_of(run)
    data = canonical_json(manifest)
    stored = work.put("models", "json", data)
    judged = champion.release.version if champion else None
    policy = _trial(work, manifest, found)
    verdict, reason = found.decision.verdict, found.decision.reason
    if policy is not None:
        verdict, reason = "hold", f"{reason} It is tried beside version {judged} first."
    release = Release(
        use_case=work.stage.name,
        version=manifest["version"],
        digest=str(stored["digest"]),
        training_key=manifest["training_key"],
        algorithm=manifest["algorithm"],
        verdict=verdict,
        reason=reason,
        facts={
            "uri": stored["uri"],
            "metrics": manifest["metrics"],
            "training_set": manifest["files"]["training_set"]["digest"],
            "batches": manifest["batches"],
            "training": training,
            "awaits_person": found.decision.awaits_person,
            "awaits_trial": policy is not None,
            "judged_against": judged,
        },
        incident=asked.incident if asked else None,
        run_id=run.run_id,
        released_at=datetime.now(UTC),
    )

    def record(cursor: "psycopg2.extensions.cursor") -> None:
        if asked is not None:
            end_in(cursor, release.use_case, asked, release.version)
        work.platform.releases.record(cursor, release)
        if policy is not None and judged is not None:
            try_in(cursor, release.use_case, release.version, release.digest, judged, policy)
        elif release.verdict == "promote":
            promote_in(cursor, release.use_case, release.version, judged, release.reason)

    return work.commit(
        "models",
        "json",
        data,
        rows=1,
        facts={
            "version": release.version,
            "verdict": release.verdict,
            "reason": release.reason,
            "broken_gates": [gate.metric for gate in found.decision.gates if not gate.passed],
        },
        also=record,
    )


def _trial(work: Work, manifest: Mapping[str, Any], found: "Evidence") -> "Trial | None":
    """The trial that a release stands before it is promoted; None: it is promoted at once, or not.

    One that could not be compared with the champion cannot answer what that is asked, either. One
    that is champion already has nothing to stand.
    """
    promoted = found.decision.verdict == "promote" and found.comparison is not None
    champion = work.platform.releases.champion(work.stage.name)
    if not promoted or champion is None or champion.training_key == manifest["training_key"]:
        return None
    return work.stage.use_case.trial


def _metric_table(segments: "Mapping[str, Mapping[str, Metric]]") -> dg.TableMetadataValue:
    def shown(value: float | None) -> str:
        return "undefined" if value is None else f"{value:.4g}"

    columns = ("segment", "metric", "value", "low", "high", "unit", "rows")
    return dg.MetadataValue.table(
        # Given, because a use case without segments has no record to infer it from.
        schema=dg.TableSchema(columns=[dg.TableColumn(name) for name in columns]),
        records=[
            dg.TableRecord(
                {
                    "segment": segment,
                    "metric": name,
                    "value": shown(metric.value),
                    "low": shown(metric.low),
                    "high": shown(metric.high),
                    "unit": metric.unit,
                    "rows": metric.rows,
                }
            )
            for segment, metrics in segments.items()
            for name, metric in metrics.items()
        ],
    )


def _plots(found: "Evidence", tuned: Mapping[str, Any]) -> dict[str, Any]:
    import numpy as np

    from leeway.plots import confusion_plot

    if found.confusion is None:
        return {}
    return {"confusion_matrix": png(confusion_plot(np.array(found.confusion), tuned["classes"]))}
