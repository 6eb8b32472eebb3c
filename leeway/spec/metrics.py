"""The metrics of each task, and the gates that are set on them.

Belongs here: names, units and the bounds they can reach. Does not belong here: computing them
(`leeway.metrics`).
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from leeway.spec.base import Strict

# Bounds that a gate can reach. None: unbounded on that side.
METRIC_RANGES: dict[str, dict[str, tuple[float | None, float | None]]] = {
    "classification": {
        "accuracy": (0, 1),
        "balanced_accuracy": (0, 1),
        "macro_f1": (0, 1),
        "log_loss_nats": (0, None),
        "roc_auc": (0, 1),
        "pr_auc": (0, 1),
        "brier_score": (0, 2),
    },
    "regression": {
        "mae": (0, None),
        "rmse": (0, None),
        "r2": (None, 1),
        "mape_percent": (0, None),
        "median_ape_percent": (0, None),
        "smape_percent": (0, 200),
        "wmape_percent": (0, None),
        "fraction_within_5_percent": (0, 1),
        "fraction_within_10_percent": (0, 1),
        "fraction_within_15_percent": (0, 1),
    },
    "experiment": {},
}
# Of one class against the other, where the use case says what wrong decisions cost.
POSITIVE_RANGES: dict[str, tuple[float | None, float | None]] = {
    "positive_pr_auc": (0, 1),
    "mean_cost": (0, None),
}
LOWER_IS_BETTER = frozenset(
    {
        "mean_cost",
        "log_loss_nats",
        "brier_score",
        "mae",
        "rmse",
        "mape_percent",
        "median_ape_percent",
        "smape_percent",
        "wmape_percent",
    }
)

_UNITS = {
    "accuracy": "fraction",
    "balanced_accuracy": "fraction",
    "macro_f1": "fraction",
    "log_loss_nats": "nats",
    "mape_percent": "percent",
    "median_ape_percent": "percent",
    "smape_percent": "percent",
    "wmape_percent": "percent",
    "fraction_within_5_percent": "fraction",
    "fraction_within_10_percent": "fraction",
    "fraction_within_15_percent": "fraction",
}


def unit_of(metric: str, target_unit: str | None = None) -> str:
    """Unit of a metric; mae and rmse have the target's unit.

    Raises:
        KeyError: when no task has such a metric.
    """
    if not any(metric in ranges for ranges in METRIC_RANGES.values()):
        raise KeyError(metric)
    if metric in ("mae", "rmse"):
        return target_unit or "target unit"
    return _UNITS.get(metric, "score")


class Gate(Strict):
    """A bound that the held-out metric of a release must keep."""

    metric: str
    at_least: float | None = None
    at_most: float | None = None
    if_broken: Literal["reject", "hold"] = Field(
        default="reject", description="hold: the release is kept beside the champion, as a shadow"
    )

    @model_validator(mode="after")
    def _one_bound(self) -> Self:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("give exactly one of at_least and at_most")
        return self
