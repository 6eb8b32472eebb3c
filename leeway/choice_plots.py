"""Pictures of the choices around a model: imputation, numbers of clusters, decision threshold.

Belongs here: drawing the comparisons that a choice was made by. Does not belong here: making
them, or pictures of models (`leeway.plots`, which also has the palette and the PNG).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from leeway.plots import COLOURS, GREY, as_png, new_figure

if TYPE_CHECKING:
    from leeway.metrics.costs import CostCurve
    from leeway.training.clusters import ClusterComparison
    from leeway.training.imputation import ImputationComparison


def imputation_plot(compared: ImputationComparison) -> bytes:
    """The error of each strategy with its interval; the winner has another colour.

    A strategy that gave no error says why.
    """
    figure, axes = new_figure(6.0, 1.2 + 0.4 * max(len(compared.rmse), 1))
    for position, (strategy, metric) in enumerate(compared.rmse.items()):
        if metric.value is None:
            axes.text(0, position, f" {metric.reason}", va="center", color=GREY)
            continue
        colour = COLOURS[2] if strategy == compared.winner else COLOURS[5]
        axes.barh(position, metric.value, color=colour, height=0.6)
        if metric.low is not None and metric.high is not None:
            axes.plot([metric.low, metric.high], [position] * 2, color=COLOURS[7], linewidth=2)
    units = {metric.unit for metric in compared.rmse.values()}
    axes.set_yticks(range(len(compared.rmse)), list(compared.rmse))
    axes.set_ylim(max(len(compared.rmse), 1) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.set_xlabel(f"rmse ({', '.join(units)}) of masked values; line: interval, green: chosen")
    axes.set_ylabel(compared.column)
    if compared.reason is not None:
        axes.set_title(compared.reason, fontsize="small", wrap=True)
    return as_png(figure)


def elbow_plot(compared: ClusterComparison) -> bytes:
    """Inertia over the number of clusters; a line marks the chosen one."""
    ks = [score.k for score in compared.scores]
    return _over_k(
        compared,
        ks,
        [score.inertia for score in compared.scores],
        None,
        "inertia (squared standard deviations per row)",
    )


def silhouette_plot(compared: ClusterComparison) -> bytes:
    """Silhouette over the number of clusters, bars for the spread between folds.

    Where it is undefined, nothing is drawn.
    """
    defined = [s for s in compared.scores if s.silhouette is not None]
    return _over_k(
        compared,
        [score.k for score in defined],
        [score.silhouette or 0.0 for score in defined],
        [score.silhouette_std or 0.0 for score in defined],
        "silhouette (-1 to 1; bar: deviation between folds)",
    )


def cluster_error_plot(compared: ClusterComparison, metric: str, unit: str) -> bytes | None:
    """The model's error over the number of clusters; None where it was not asked for."""
    judged = [score for score in compared.scores if score.error is not None]
    if not judged:
        return None
    return _over_k(
        compared,
        [score.k for score in judged],
        [score.error or 0.0 for score in judged],
        [score.error_std or 0.0 for score in judged],
        f"{metric} of {compared.model} ({unit}; bar: deviation between folds)",
    )


def _over_k(
    compared: ClusterComparison,
    ks: list[int],
    values: list[float],
    spread: list[float] | None,
    label: str,
) -> bytes:
    figure, axes = new_figure(6.0, 3.2)
    axes.errorbar(ks, values, yerr=spread, fmt="o-", color=COLOURS[0], capsize=3)
    axes.axvline(compared.k, color=COLOURS[2], linestyle="--")
    axes.set_xticks([score.k for score in compared.scores])
    axes.set_xlabel(f"clusters of {compared.feature} (dashed: chosen, {compared.k})")
    axes.set_ylabel(label, fontsize="small")
    return as_png(figure)


def cost_plot(curve: CostCurve) -> bytes:
    """Mean cost over the threshold with the interval of each; a line marks the chosen one."""
    figure, axes = new_figure(6.0, 3.2)
    axes.plot(curve.thresholds, curve.costs, color=COLOURS[0])
    if curve.low is not None and curve.high is not None:
        axes.fill_between(curve.thresholds, curve.low, curve.high, color=COLOURS[5], alpha=0.4)
    axes.axvline(curve.threshold, color=COLOURS[2], linestyle="--")
    axes.set_xlabel(
        f"probability of {curve.positive} from which it is decided for (dashed: chosen)"
    )
    axes.set_ylabel(f"mean cost ({curve.unit} per row)", fontsize="small")
    return as_png(figure)
