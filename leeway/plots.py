"""Pictures of decisions and explanations, as PNG bytes.

Belongs here: drawing numbers that are handed in. Does not belong here: computing them. Figures are
made without pyplot, which keeps a global list of them and is not safe between threads.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from leeway.training.search import CandidateScore

DOTS_PER_INCH = 90
PALETTE_SIZE = 64
MOST_FEATURES = 20
MOST_POINTS = 1000  # more neither fit into a small file nor can be told apart
# Okabe and Ito's palette, which colour-blind readers can tell apart.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442", "#000000")
GREY = "#999999"
VERDICT_COLOURS = {
    "none": COLOURS[2],
    "suspect": COLOURS[1],
    "confirmed": COLOURS[3],
    "undefined": GREY,
}


def candidate_plot(scores: Sequence[CandidateScore], metric: str, unit: str) -> bytes:
    """Mean of each candidate as a bar, its folds as dots, the score on fitted rows as a diamond.

    A diamond far from its bar shows a model that learned its rows by heart. Failed candidates say
    so.

    Args:
        scores: from `leeway.training.search.compare_candidates`.
        metric: name of the metric.
        unit: unit of the metric, such as fraction or g.
    """
    figure, axes = new_figure(6.0, 1.2 + 0.4 * len(scores))
    for position, score in enumerate(scores):
        if score.mean is None:
            axes.text(0, position, " failed", va="center", color=COLOURS[3])
            continue
        axes.barh(position, score.mean, color=COLOURS[5], height=0.6)
        axes.plot(score.folds, [position] * len(score.folds), "o", color=COLOURS[7], ms=3)
        axes.plot(score.train_mean, position, "D", color=COLOURS[3], ms=6, mfc="none")
    axes.set_yticks(range(len(scores)), [score.name for score in scores])
    axes.set_ylim(len(scores) - 0.5, -0.5)
    axes.set_xlabel(f"{metric} ({unit}); bar: mean, dots: folds, diamond: on the rows fitted on")
    axes.set_ylabel("candidate")
    return as_png(figure)


def confusion_plot(counts: NDArray[np.integer[Any]], classes: Sequence[str]) -> bytes:
    """Confusion counts, shape (classes, classes): true classes down, predicted ones across."""
    size = min(3.0 + 0.5 * len(classes), 9.0)
    figure, axes = new_figure(size, size)
    axes.imshow(counts, cmap="Blues")
    middle = counts.max() / 2
    for (row, column), count in np.ndenumerate(counts):
        colour = "white" if count > middle else "black"
        axes.text(column, row, str(count), ha="center", va="center", color=colour)
    axes.set_xticks(range(len(classes)), classes, rotation=45, ha="right")
    axes.set_yticks(range(len(classes)), classes)
    axes.set_xlabel("predicted class (colour and number: rows)")
    axes.set_ylabel("true class")
    return as_png(figure)


def shap_plot(
    values: NDArray[np.float64],
    feature_names: Sequence[str],
    outputs: Sequence[str],
    scale: str,
) -> bytes:
    """Mean absolute SHAP value per feature, the largest first, stacked over outputs.

    Args:
        values: shape (rows, features, outputs).
        feature_names: of the features.
        outputs: names of the outputs.
        scale: unit of the values, such as log-odds.
    """
    strength = np.abs(values).mean(axis=0)
    order = np.argsort(-strength.sum(axis=1), kind="stable")[:MOST_FEATURES]
    figure, axes = new_figure(6.0, 1.2 + 0.3 * len(order))
    left = np.zeros(len(order))
    for column, name in enumerate(outputs):
        width = strength[order, column]
        colour = COLOURS[column % len(COLOURS)]
        axes.barh(range(len(order)), width, left=left, color=colour, label=name)
        left += width
    axes.set_yticks(range(len(order)), [feature_names[feature] for feature in order])
    axes.invert_yaxis()
    axes.set_xlabel(f"mean |SHAP value| ({scale})")
    axes.set_ylabel("feature")
    if len(outputs) > 1:
        axes.legend(fontsize="small")
    return as_png(figure)


def pca_plot(
    coordinates: NDArray[np.float64],
    labels: NDArray[Any],
    explained_variance_ratio: NDArray[np.float64],
) -> bytes:
    """The PCA map: one colour for each class, or a colour scale for a numeric target.

    Args:
        coordinates: shape (rows, 2); of more than 1000 rows, evenly spaced ones are drawn.
        labels: classes or numbers, shape (rows,).
        explained_variance_ratio: shape (2,).
    """
    step = max(1, -(-len(coordinates) // MOST_POINTS))
    points, marks = coordinates[::step], labels[::step]
    figure, axes = new_figure(6.0, 4.5)
    if np.issubdtype(marks.dtype, np.number):
        drawn = axes.scatter(points[:, 0], points[:, 1], c=marks, s=10, cmap="viridis")
        figure.colorbar(drawn, label="target (its unit)")
    else:
        for position, label in enumerate(sorted(set(marks.tolist()))):
            chosen = marks == label
            colour = COLOURS[position] if position < len(COLOURS) else GREY
            axes.scatter(*points[chosen].T, s=10, color=colour, label=str(label))
        axes.legend(fontsize="small")
    first, second = 100 * explained_variance_ratio
    axes.set_xlabel(f"component 1 (standard deviations; {first:.0f} % of variance)")
    axes.set_ylabel(f"component 2 (standard deviations; {second:.0f} % of variance)")
    return as_png(figure)


def new_figure(width: float, height: float) -> tuple[Any, Any]:
    """A figure without pyplot and its axes; width and height in inches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DOTS_PER_INCH, layout="constrained")
    return figure, figure.add_subplot()


def as_png(figure: Any) -> bytes:
    """A PNG with a palette, a third of the size of full colour; equal figures give equal bytes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.text import Text
    from PIL import Image

    for text in figure.findobj(Text):
        text.set_parse_math(False)  # a name such as $<10_$ is no formula
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    full = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    buffer = io.BytesIO()
    full.quantize(PALETTE_SIZE, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
