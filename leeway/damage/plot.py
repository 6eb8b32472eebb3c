"""The picture of a batch's damage, as PNG bytes.

Belongs here: drawing the change and its columns. Does not belong here: computing them, or what all
pictures share (`leeway.plots`).
"""

from __future__ import annotations

from leeway.damage.verdict import BatchDamage
from leeway.plots import COLOURS, GREY, MOST_FEATURES, VERDICT_COLOURS, as_png, new_figure


def damage_plot(found: BatchDamage) -> bytes:
    """What each column changes the expected loss by, with its interval, the largest first.

    The title has the change of the metric. Of more than 20 columns those with the largest shares
    are drawn; where the estimate is undefined the picture says so.
    """
    shown = found.columns[:MOST_FEATURES]
    figure, axes = new_figure(6.0, 1.4 + 0.3 * max(len(shown), 1))
    if found.change is None:
        axes.text(0.5, 0.5, "undefined", ha="center", va="center", color=GREY)
        axes.set_axis_off()
        return as_png(figure)
    for position, column in enumerate(shown):
        each = column.change
        axes.plot([each.low, each.high], [position] * 2, color=COLOURS[0], linewidth=2)
        axes.plot(each.value, position, "o", color=COLOURS[0], ms=5)
    axes.axvline(0, color=COLOURS[7], linewidth=1)
    axes.set_yticks(range(len(shown)), [f"{each.name} ({each.share:.0%})" for each in shown])
    axes.set_ylim(max(len(shown), 1) - 0.5, -0.5)
    axes.set_xlabel(f"change of the expected {found.loss}; line: interval")
    axes.set_title(
        f"{found.metric} {found.change.value:+.4g} ({found.change.low:+.4g} to "
        f"{found.change.high:+.4g}): {found.verdict}",
        color=VERDICT_COLOURS[found.verdict],
        fontsize="medium",
    )
    return as_png(figure)
