"""All that a release carries to explain and bound the predictions of one model.

Belongs here: which rows each method gets, and what is kept of it. Does not belong here: the methods
(the other modules of `leeway.explainers`), or pictures (`leeway.plots`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from leeway.explainers.calibration import calibrate, calibrated_rows, fresh_predictions
from leeway.explainers.conformal import Calibration
from leeway.explainers.neighbourhood import Neighbours, PcaMap, nearest
from leeway.explainers.shapley import ShapValues, affordable_rows, shap_values
from leeway.metrics.costs import CostCurve, cost_curve, positive_column
from leeway.training.decisions import settle

if TYPE_CHECKING:
    import pandas as pd

    from leeway.spec import UseCase

# Of the training part, evenly spaced by key: the map and the neighbours of all rows of a million
# take hours, and the pictures and the share that are kept of them are the same.
MOST_ROWS = 10_000
# Enough for the picture of mean |SHAP|, which is all that is kept of them.
EXPLAINED_ROWS = 200


@dataclass(frozen=True)
class Explained:
    """What explains one model.

    `labels` are the targets of the rows on the map. `curve` is None without costs.
    """

    shap: ShapValues
    neighbours: Neighbours
    pca: PcaMap
    labels: NDArray[Any]
    calibration: Calibration
    curve: CostCurve | None

    @property
    def importance(self) -> list[dict[str, Any]]:
        """Mean absolute SHAP value of each feature, the largest first."""
        # A list, since the keys of an object are sorted.
        return [
            {"feature": name, "mean_abs_shap": value}
            for name, value in self.shap.importance().items()
        ]

    def as_dict(self) -> dict[str, Any]:
        """For JSON: what a prediction is explained and bounded with, without the rows."""
        return {
            "pca": {
                "mean": self.pca.mean.tolist(),
                "components": self.pca.components.tolist(),
                "explained_variance_ratio": self.pca.explained_variance_ratio.tolist(),
            },
            "calibration": self.calibration.as_dict(),
            "threshold": None if self.curve is None else self.curve.chosen,
            "cost_curve": None if self.curve is None else self.curve.as_dict(),
            "shap": {
                "explainer": self.shap.explainer,
                "scale": self.shap.scale,
                "outputs": list(self.shap.outputs),
                "additivity_gap": self.shap.additivity_gap,
                "importance": self.importance,
                "fallback_reason": self.shap.fallback_reason,
            },
        }


def explain(
    pipeline: Any,
    frame: pd.DataFrame,
    target: NDArray[Any],
    use_case: UseCase,
    tuned: Mapping[str, Any],
) -> Explained:
    """Explains a fitted model by the rows it was trained on.

    Args:
        pipeline: fitted, with the steps `preprocess` and `model`.
        frame: features of the training part, shape (rows, columns).
        target: shape (rows,).
        use_case: its costs, its coverage and how many neighbours.
        tuned: the model's `algorithm`, `parameters`, `choices` and `classes`.

    Raises:
        NotAdditive: as `leeway.explainers.shapley.shap_values`.
    """
    step = max(1, -(-len(frame) // MOST_ROWS))
    some, labels = frame.iloc[::step], target[::step]
    explained = affordable_rows(pipeline, EXPLAINED_ROWS)
    settled = settle(use_case, tuned["choices"])
    judged = calibrated_rows(target, settled)
    truth = target[judged]
    predictions = fresh_predictions(
        frame.iloc[judged], truth, settled, tuned["algorithm"], tuned["parameters"]
    )
    return Explained(
        shap=shap_values(pipeline, some, some.iloc[:: max(1, -(-len(some) // explained))]),
        neighbours=nearest(pipeline, some, labels, None, use_case.explanation.neighbours),
        pca=PcaMap.fit(pipeline, some),
        labels=labels,
        calibration=calibrate(truth, predictions, use_case),
        curve=_cost_curve(use_case, truth, predictions, tuned["classes"]),
    )


def _cost_curve(
    use_case: UseCase, target: NDArray[Any], predictions: NDArray[Any], classes: list[str] | None
) -> CostCurve | None:
    """The threshold of the use case's costs, from rows that no model had seen."""
    costs = use_case.costs
    if costs is None or classes is None:
        return None
    positive = positive_column(predictions, classes, costs)
    return cost_curve(target == costs.positive, positive, costs)
