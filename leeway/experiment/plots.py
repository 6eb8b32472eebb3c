"""Half-normal and Pareto plots of effects, as PNG bytes.

Belongs here: drawing effects that are handed in. Does not belong here: computing them.
"""

from __future__ import annotations

import numpy as np

from leeway.experiment.effects import Analysis, Effect
from leeway.plots import COLOURS, GREY, as_png, new_figure

MOST_BARS = 31  # the effects of five factors
_SIGNIFICANT, _NOT, _UNDEFINED = COLOURS[3], COLOURS[0], GREY


def half_normal_plot(analysis: Analysis, unit: str) -> bytes:
    """Sizes of effects against the quantiles of a half-normal: inactive ones lie on a line from 0.

    Effects that are significant have their names. Source: C. Daniel, Use of half-normal plots in
    interpreting factorial two-level experiments, Technometrics 1, 1959.
    """
    from scipy.special import ndtri

    effects = sorted(analysis.effects, key=lambda effect: abs(effect.estimate))
    sizes = [abs(effect.estimate) for effect in effects]
    quantiles = ndtri((1 + (np.arange(len(effects)) + 0.5) / len(effects)) / 2)
    figure, axes = new_figure(6.0, 4.5)
    for size, quantile, effect in zip(sizes, quantiles, effects, strict=True):
        axes.plot(size, quantile, "o", color=_colour(effect), ms=5)
        if effect.significant:
            axes.annotate(
                effect.name, (size, quantile), (-4, 3), textcoords="offset points", ha="right"
            )
    error = analysis.standard_error
    if error is not None:
        end = min(quantiles[-1], max(sizes) / error) if max(sizes) else quantiles[-1]
        axes.plot([0, error * end], [0, end], color=GREY, linewidth=1)
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.set_xlabel(f"size of the effect ({unit}); line: standard error")
    axes.set_ylabel("half-normal quantile")
    return as_png(figure)


def pareto_plot(analysis: Analysis, unit: str) -> bytes:
    """Sizes of effects as bars, the largest first, with the margins that they are judged by.

    Of more than 31 effects, the largest are drawn.
    """
    effects = sorted(analysis.effects, key=lambda effect: -abs(effect.estimate))[:MOST_BARS]
    figure, axes = new_figure(6.0, 1.2 + 0.3 * len(effects))
    sizes = [abs(effect.estimate) for effect in effects]
    axes.barh(range(len(effects)), sizes, color=[_colour(effect) for effect in effects])
    margins = [("margin of error", analysis.margin, "--")]
    margins.append(("simultaneous margin of error", analysis.simultaneous_margin, ":"))
    for label, margin, style in margins:
        if margin is not None:
            axes.axvline(margin, color=COLOURS[7], linestyle=style, label=label)
    if analysis.margin is not None:
        axes.legend(fontsize="small", loc="lower right")
    signs = ["+" if effect.estimate >= 0 else "-" for effect in effects]
    names = [_short(effect) for effect in effects]
    axes.set_yticks(
        range(len(effects)), [f"{name} ({s})" for name, s in zip(names, signs, strict=True)]
    )
    axes.set_ylim(len(effects) - 0.5, -0.5)
    axes.set_xlabel(f"size of the effect ({unit}); in brackets its sign")
    axes.set_ylabel("effect")
    return as_png(figure)


def _short(effect: Effect) -> str:
    """Letter and name of one factor, the letters of several."""
    return " ".join([effect.name, *effect.factors]) if len(effect.factors) == 1 else effect.name


def _colour(effect: Effect) -> str:
    if effect.significant is None:
        return _UNDEFINED
    return _SIGNIFICANT if effect.significant else _NOT
