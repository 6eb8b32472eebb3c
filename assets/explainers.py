"""Stage `explainers`: what a release carries to explain and bound its predictions.

Belongs here: storing background rows, the map and the calibration, and showing them on the node.
Does not belong here: how a model is explained (`leeway.explainers`).

Nothing that explains is stored as an object of a library: the service rebuilds the SHAP explainer
and the neighbour search from the model and the background rows.
"""

from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.stage import Stage, begin, metadata_of, png
from assets.training_frame import training_frame
from assets.training_set import read_part
from leeway.data.tables import to_parquet
from leeway.data.training_set import TRAIN
from leeway.digests import canonical_json
from resources.platform import Platform

if TYPE_CHECKING:
    from leeway.explainers.explained import Explained
    from leeway.metrics.costs import CostCurve


def build(stage: Stage) -> dg.AssetsDefinition:
    """The asset `explainers` of a use case."""

    @stage.asset(
        "explainers",
        "Background rows, PCA map and conformal calibration of one model, and the proof that "
        "its SHAP values add up.",
        "shap",
    )
    def explainers(
        context: dg.AssetExecutionContext, platform: Platform
    ) -> dg.MaterializeResult[None]:
        from leeway.explainers.explained import explain
        from leeway.training.model_file import load_model

        work = begin(stage, platform, context, "explainers")
        tuned = work.read_json("tuned_model")
        pipeline = load_model(work.get(tuned["model"]))
        background = work.put("models", "parquet", to_parquet(read_part(work, TRAIN)))
        frame, target = training_frame(work)
        found = explain(pipeline, frame, target, stage.use_case, tuned)
        neighbours = stage.use_case.explanation.neighbours
        result = {"background": background, "neighbours": neighbours, **found.as_dict()}
        commit = work.commit("models", "json", canonical_json(result), rows=len(frame))
        return dg.MaterializeResult(metadata=metadata_of(commit, **_shown(found)))

    return explainers


def _shown(found: "Explained") -> dict[str, Any]:
    from leeway.plots import pca_plot, shap_plot

    shap, pca, calibration = found.shap, found.pca, found.calibration
    agreement, threshold = found.neighbours.agreement, calibration.threshold
    return {
        "shap_explainer": shap.explainer,
        "shap_rows": len(shap.values),
        "rows_on_the_map": len(found.labels),
        "shap_additivity_gap": shap.additivity_gap,
        "shap_fallback": shap.fallback_reason or "none",
        "importance": dg.MetadataValue.json(found.importance[:10]),
        "shap": png(shap_plot(shap.values, shap.feature_names, shap.outputs, shap.scale)),
        "pca_map": png(pca_plot(pca.coordinates, found.labels, pca.explained_variance_ratio)),
        "neighbours_that_agree": "undefined" if agreement is None else float(agreement.mean()),
        "conformal_coverage": calibration.coverage,
        "conformal_threshold": calibration.reason or "" if threshold is None else threshold,
        **_threshold_shown(found.curve),
    }


def _threshold_shown(curve: "CostCurve | None") -> dict[str, Any]:
    from leeway.choice_plots import cost_plot

    if curve is None:
        return {}
    return {
        "decision_threshold": curve.threshold,
        "cost_in_cross_validation": f"{curve.cost:.4g} {curve.unit} per row",
        "cost_curve": png(cost_plot(curve)),
    }
