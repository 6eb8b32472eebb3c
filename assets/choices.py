"""What the node `model_selection` shows of the choices made before an algorithm was chosen.

Belongs here: tables and pictures by the names that MLflow has for them, too. Does not belong here:
making a choice (`leeway.training.decisions`), or drawing one (`leeway.choice_plots`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg

if TYPE_CHECKING:
    from leeway.spec import UseCase
    from leeway.training.decisions import Decisions


def pictures_of(decided: Decisions, use_case: UseCase) -> dict[str, bytes]:
    """PNG by name: `imputation/comparison` and `optimization/...`, with the column's or feature's.

    A use case has one column and one feature of these mostly; each has its pictures.
    """
    from leeway.choice_plots import (
        cluster_error_plot,
        elbow_plot,
        imputation_plot,
        silhouette_plot,
    )
    from leeway.spec import unit_of

    found: dict[str, bytes | None] = {}
    for filled in decided.imputation:
        found[f"imputation/comparison/{filled.column}"] = imputation_plot(filled)
    unit = unit_of(use_case.metric, use_case.target.unit)
    for clusters in decided.clusters:
        name = clusters.feature
        found[f"optimization/elbow_plot/{name}"] = elbow_plot(clusters)
        found[f"optimization/silhouette_plot/{name}"] = silhouette_plot(clusters)
        error = cluster_error_plot(clusters, use_case.metric, unit)
        found[f"optimization/error_plot/{name}"] = error
    return {name: picture for name, picture in found.items() if picture is not None}


def tables_of(decided: Decisions) -> dict[str, Any]:
    """A row per strategy and column, and per number of clusters and feature."""
    found: dict[str, Any] = {}
    filled = [
        {
            "column": each.column,
            "missing": each.missing,
            "strategy": strategy,
            "rmse": _shown(metric.value),
            "low": _shown(metric.low),
            "high": _shown(metric.high),
            "unit": metric.unit,
            "chosen": "yes" if strategy == each.winner else "",
            "reason": metric.reason or "",
        }
        for each in decided.imputation
        for strategy, metric in each.rmse.items()
    ]
    clusters = [
        {
            "feature": each.feature,
            "clusters": score.k,
            "silhouette": _shown(score.silhouette),
            "davies_bouldin": _shown(score.davies_bouldin),
            "inertia": _shown(score.inertia),
            "error": _shown(score.error),
            "chosen": "yes" if score.k == each.k else "",
        }
        for each in decided.clusters
        for score in each.scores
    ]
    for name, records in (("imputation", filled), ("clusters", clusters)):
        if records:
            found[name] = dg.MetadataValue.table([dg.TableRecord(each) for each in records])
    return found


def _shown(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4g}"
