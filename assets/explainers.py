"""Stage `explainers`: what a release carries to explain and bound its predictions.

Belongs here: storing background rows, the map and the calibration, and trying SHAP on them. Does
not belong here: the methods (`leeway.explainers`).

Nothing that explains is stored as an object of a library: the service rebuilds the SHAP explainer
and the neighbour search from the model and the background rows.
"""

from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.stage import Stage, begin, give_back_memory, metadata_of, png
from assets.training_set import read_part
from leeway.data.frames import feature_frame, target_array
from leeway.data.tables import to_parquet
from leeway.data.training_set import TRAIN
from leeway.digests import canonical_json
from resources.platform import Platform

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leeway.metrics.costs import CostCurve

# Of the training part, evenly spaced by key: the map and the neighbours of all rows of a million
# take hours, and the pictures and the share that are kept of them are the same.
MOST_ROWS = 10_000
EXPLAINED_ROWS = (
    200  # at most; enough for the picture of mean |SHAP|, which is all that is kept of them
)


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
        from leeway.explainers.calibration import (
            calibrate,
            calibrated_rows,
            fresh_predictions,
        )
        from leeway.explainers.neighbourhood import PcaMap, nearest
        from leeway.explainers.shapley import affordable_rows, shap_values
        from leeway.plots import pca_plot, shap_plot
        from leeway.training.decisions import settle
        from leeway.training.model_file import load_model

        work = begin(stage, platform, context, "explainers")
        tuned = work.read_json("tuned_model")
        pipeline = load_model(work.get(tuned["model"]))
        rows = read_part(work, TRAIN)
        background = work.put("models", "parquet", to_parquet(rows))
        frame, target = feature_frame(rows, stage.use_case), target_array(rows, stage.use_case)
        del rows
        give_back_memory()  # for the fits
        step = max(1, -(-len(frame) // MOST_ROWS))
        some, labels = frame.iloc[::step], target[::step]
        explained = affordable_rows(pipeline, EXPLAINED_ROWS)
        shap = shap_values(pipeline, some, some.iloc[:: max(1, -(-len(some) // explained))])
        known = nearest(pipeline, some, labels, None, stage.use_case.explanation.neighbours)
        pca = PcaMap.fit(pipeline, some)
        settled = settle(stage.use_case, tuned["choices"])
        judged = calibrated_rows(target, settled)
        truth = target[judged]
        predictions = fresh_predictions(
            frame.iloc[judged], truth, settled, tuned["algorithm"], tuned["parameters"]
        )
        calibration = calibrate(truth, predictions, stage.use_case)
        curve = _cost_curve(stage, truth, predictions, tuned["classes"])
        # A list, since the keys of an object are sorted.
        importance = [
            {"feature": name, "mean_abs_shap": value} for name, value in shap.importance().items()
        ]
        result = {
            "background": background,
            "neighbours": stage.use_case.explanation.neighbours,
            "pca": {
                "mean": pca.mean.tolist(),
                "components": pca.components.tolist(),
                "explained_variance_ratio": pca.explained_variance_ratio.tolist(),
            },
            "calibration": calibration.as_dict(),
            "threshold": None if curve is None else curve.chosen,
            "cost_curve": None if curve is None else curve.as_dict(),
            "shap": {
                "explainer": shap.explainer,
                "scale": shap.scale,
                "outputs": list(shap.outputs),
                "additivity_gap": shap.additivity_gap,
                "importance": importance,
                "fallback_reason": shap.fallback_reason,
            },
        }
        commit = work.commit("models", "json", canonical_json(result), rows=len(frame))
        return dg.MaterializeResult(
            metadata=metadata_of(
                commit,
                shap_explainer=shap.explainer,
                shap_rows=len(shap.values),
                rows_on_the_map=len(some),
                shap_additivity_gap=shap.additivity_gap,
                shap_fallback=shap.fallback_reason or "none",
                importance=dg.MetadataValue.json(importance[:10]),
                shap=png(shap_plot(shap.values, shap.feature_names, shap.outputs, shap.scale)),
                pca_map=png(pca_plot(pca.coordinates, labels, pca.explained_variance_ratio)),
                neighbours_that_agree=(
                    "undefined" if known.agreement is None else float(known.agreement.mean())
                ),
                conformal_coverage=calibration.coverage,
                conformal_threshold=(
                    calibration.reason or ""
                    if calibration.threshold is None
                    else calibration.threshold
                ),
                **_threshold_metadata(curve),
            )
        )

    return explainers


def _cost_curve(
    stage: Stage, target: "NDArray[Any]", probabilities: "NDArray[Any]", classes: list[str] | None
) -> "CostCurve | None":
    """The threshold of the use case's costs, from rows that no model had seen."""
    from leeway.metrics.costs import cost_curve, positive_column

    costs = stage.use_case.costs
    if costs is None or classes is None:
        return None
    return cost_curve(
        target == costs.positive, positive_column(probabilities, classes, costs), costs
    )


def _threshold_metadata(curve: "CostCurve | None") -> dict[str, Any]:
    from leeway.choice_plots import cost_plot

    if curve is None:
        return {}
    return {
        "decision_threshold": curve.threshold,
        "cost_in_cross_validation": f"{curve.cost:.4g} {curve.unit} per row",
        "cost_curve": png(cost_plot(curve)),
    }
