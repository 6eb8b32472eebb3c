"""Pictures of a verdict on drift, as PNG bytes, for the node in the UI.

Belongs here: drawing numbers that are handed in. Does not belong here: computing them
(`leeway.drift`), or the pictures of a page (`leeway.drift.pictures`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from leeway.drift.column import severity
from leeway.plots import COLOURS, DOTS_PER_INCH, GREY, VERDICT_COLOURS, as_png, new_figure

if TYPE_CHECKING:
    from leeway.drift.column import ColumnDrift
    from leeway.drift.distribution import Distribution

MOST_PANELS = 6  # a third of a screen each
_LABEL = 20
MOST_COLUMNS = 40


def drift_plot(columns: Sequence[ColumnDrift]) -> bytes:
    """The effect of each column with its interval, and the smallest effect worth acting on.

    Args:
        columns: from `leeway.drift.verdict.compare_profiles`; of more than 40, the severest are
            drawn. An undefined one says so.
    """
    shown = sorted(columns, key=severity, reverse=True)[:MOST_COLUMNS]
    figure, axes = new_figure(6.0, 1.2 + 0.3 * len(shown))
    for position, column in enumerate(shown):
        if column.effect is None or column.interval is None:
            axes.text(0, position, " undefined", va="center", color=GREY)
            continue
        colour = VERDICT_COLOURS[column.verdict]
        axes.plot(column.interval, [position] * 2, color=colour, linewidth=2)
        axes.plot(column.effect, position, "o", color=colour, ms=5)
        if column.smallest_change is None:  # that is in another unit
            axes.plot([column.threshold] * 2, [position - 0.4, position + 0.4], color=COLOURS[7])
    names = [f"{column.name} ({column.verdict})" for column in shown]
    axes.set_yticks(range(len(shown)), names)
    axes.set_ylim(len(shown) - 0.5, -0.5)
    axes.set_xlim(0, 1)
    axes.set_xlabel("effect (share of rows); line: interval, black: threshold")
    return as_png(figure)


def distributions_plot(found: Mapping[str, Distribution]) -> bytes:
    """The reference in grey and the batch in colour, one panel per column, the first six.

    Args:
        found: by name of the column, the foremost first; at least one.
    """
    from matplotlib.figure import Figure

    shown = list(found.items())[:MOST_PANELS]
    size = (3.6 * min(len(shown), 3), 2.4 * -(-len(shown) // 3))
    figure = Figure(figsize=size, dpi=DOTS_PER_INCH, layout="constrained")
    for place, (name, each) in enumerate(shown):
        axes = figure.add_subplot(-(-len(shown) // 3), min(len(shown), 3), place + 1)
        axes.set_title(name, fontsize="small")
        axes.tick_params(labelsize="x-small")
        _draw(axes, each)
    return as_png(figure)


def _draw(axes: Any, found: Distribution) -> None:
    if not found.levels:
        axes.stairs(found.reference, found.edges, fill=True, color=GREY, alpha=0.5)
        axes.stairs(found.current, found.edges, color=VERDICT_COLOURS["confirmed"])
        return
    places = np.arange(len(found.levels))
    axes.barh(places - 0.2, found.reference, 0.4, color=GREY)
    axes.barh(places + 0.2, found.current, 0.4, color=VERDICT_COLOURS["confirmed"])
    axes.set_yticks(places, [level[:_LABEL] for level in found.levels])
    axes.invert_yaxis()
