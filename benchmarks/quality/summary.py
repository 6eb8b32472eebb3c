"""The words and the picture of a comparison.

Belongs here: means, intervals of paired differences, and their table. Does not belong here:
measuring (`benchmarks.quality.measure`).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from pathlib import Path

from benchmarks.quality.contenders import HIST, LEEWAY
from benchmarks.quality.measure import Measured
from benchmarks.quality.tables import TABLES
from leeway.spec import LOWER_IS_BETTER

TICKS = (0.1, 1, 10, 100)  # CPU seconds; the same in each panel, so that they compare


def table_of(measured: Sequence[Measured]) -> str:
    """A Markdown table: a line per table and contender."""
    lines = [
        "| table (rows, metric) | printed | who | mean ± sd of folds | CPU s a fold "
        "| Leeway better by (95 %) |",
        "|---|---|---|---:|---:|---:|",
    ]
    for name in TABLES:
        found = _by_contender(measured, name)
        ours = found.get(LEEWAY)
        for position, (contender, folds) in enumerate(found.items()):
            about = f"{name} ({folds[0].rows}, {TABLES[name].metric})" if not position else ""
            printed = TABLES[name].printed if contender == HIST else ""
            values = [fold.value for fold in folds]
            spread = f"± {_figure(statistics.stdev(values))}" if len(values) > 1 else "(one fold)"
            gain = "" if ours is None or contender == LEEWAY else _gain(name, ours, folds)
            cpu = statistics.mean(fold.cpu for fold in folds)
            mean = f"{_figure(statistics.mean(values))} {spread}"
            lines.append(f"| {about} | {printed} | {contender} | {mean} | {cpu:.1f} | {gain} |")
    return "\n".join(lines)


def dominated(measured: Sequence[Measured]) -> list[str]:
    """Where another has the better mean for fewer CPU seconds than Leeway."""
    found = []
    for name in TABLES:
        folds = _by_contender(measured, name)
        points = {
            contender: (_sign(name) * statistics.mean(f.value for f in each), _cpu(each))
            for contender, each in folds.items()
        }
        if LEEWAY not in points:
            continue
        value, cpu = points.pop(LEEWAY)
        found += [f"{name}: {who}" for who, (v, c) in points.items() if v > value and c < cpu]
    return found


def picture(measured: Sequence[Measured], path: Path) -> None:
    """Quality against CPU seconds, one panel per table; better is higher, cheaper is left."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot

    names = [name for name in TABLES if _by_contender(measured, name)]
    figure, axes = pyplot.subplots(-(-len(names) // 4), 4, figsize=(12, 5.5), squeeze=False)
    for name, axis in zip(names, axes.flat, strict=False):
        for contender, folds in _by_contender(measured, name).items():
            values = [fold.value for fold in folds]
            error = statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0
            axis.errorbar(_cpu(folds), statistics.mean(values), error, fmt="o", label=contender)
        axis.set(title=name, ylabel=TABLES[name].metric, xscale="log")
        axis.set(xlim=(min(TICKS) / 2, 2 * max(TICKS)), xticks=TICKS, xticklabels=TICKS)
        axis.minorticks_off()
        axis.set_xlabel("CPU seconds a fold")
        if TABLES[name].metric in LOWER_IS_BETTER:
            axis.invert_yaxis()
    for axis in axes.flat[len(names) :]:
        axis.set_axis_off()
    axes[0, 0].legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=80, metadata={"Software": None})
    pyplot.close(figure)


def _by_contender(measured: Sequence[Measured], name: str) -> dict[str, list[Measured]]:
    found: dict[str, list[Measured]] = {}
    for one in sorted(measured, key=lambda m: m.fold):
        if one.table == name:
            found.setdefault(one.contender, []).append(one)
    return {who: found[who] for who in sorted(found, key=lambda who: (who != LEEWAY, who))}


def _gain(name: str, ours: Sequence[Measured], others: Sequence[Measured]) -> str:
    """The mean paired difference with its interval.

    The models of two folds share most of their rows, and an interval that takes folds for
    independent is too narrow: the variance is that of C. Nadeau and Y. Bengio, Inference for the
    Generalization Error, Machine Learning 52, 2003.
    """
    from scipy.stats import t

    theirs = {other.fold: other.value for other in others}
    pairs = [(o.value, theirs[o.fold]) for o in ours if o.fold in theirs]
    differences = [_sign(name) * (our - their) for our, their in pairs]
    count = len(differences)
    if count < 2:
        return "one fold"
    factor = math.sqrt(1 / count + 1 / (count - 1))  # of test to training rows: 1 to folds - 1
    half = t.ppf(0.975, count - 1) * factor * statistics.stdev(differences)
    mean = statistics.mean(differences)
    return f"{_figure(mean)} ({_figure(mean - half)} to {_figure(mean + half)})"


def _sign(name: str) -> int:
    return -1 if TABLES[name].metric in LOWER_IS_BETTER else 1


def _cpu(folds: Sequence[Measured]) -> float:
    return statistics.mean(fold.cpu for fold in folds)


def _figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.4f}"
