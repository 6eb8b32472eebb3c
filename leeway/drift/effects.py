"""How far a column has moved: effects with intervals that hold for any distribution, and evidence.

Belongs here: one column of two profiles. Does not belong here: the formulas (`distances`) or the
verdict of a batch (`verdict`).

An effect is the KS distance of a number, the total variation of a category, or the change of the
share of rows without a usable value. Levels below 1 % of the reference, unseen ones among them,
count as one; the interval takes this grouping as given.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from leeway.drift.cells import middles
from leeway.drift.distances import (
    Integers,
    chi_square,
    deviation_margin,
    jensen_shannon,
    ks_distance,
    ks_p_value,
    population_stability_index,
    quantile_bins,
    total_variation,
    wasserstein,
)
from leeway.drift.profile import CategoryProfile, ColumnProfile, NumberProfile

Measure = Literal["ks", "total_variation", "missing_rate"]

RARE_SHARE = 0.01


@dataclass(frozen=True)
class Effect:
    """An effect: its estimate, and the bounds of the true one."""

    measure: Measure
    estimate: float
    low: float
    high: float


def value_effect(
    reference: ColumnProfile, current: ColumnProfile, alpha: float
) -> tuple[Effect, dict[str, float]] | None:
    """The effect on the values with its interval, wrong with probability `alpha`, and evidence.

    None when every level of the reference is rare, so that nothing is left to compare.

    Raises:
        ValueError: when a side has no values.
        TypeError: when the kinds differ.
    """
    rows = (reference.known, current.known)
    if isinstance(reference, NumberProfile) and isinstance(current, NumberProfile):
        low, high, statistics = _compare_numbers(reference, current)
        margin = deviation_margin(*rows, 2, alpha)
        return _with_margin("ks", low, high, margin), statistics
    if isinstance(reference, CategoryProfile) and isinstance(current, CategoryProfile):
        counts = _lumped(reference, current)
        levels = counts[0].size
        if levels < 2:
            return None
        distance = total_variation(*counts)
        margin = deviation_margin(*rows, 2.0**levels - 2, alpha)
        effect = _with_margin("total_variation", distance, distance, margin)
        return effect, _category_statistics(*counts, reference.missing, current.missing)
    raise TypeError("a number cannot be compared with a category")


def missing_rate_change(
    reference: ColumnProfile, current: ColumnProfile, rows: tuple[int, int]
) -> float:
    """Share of `rows` without a usable value, current minus reference.

    NaN and infinities are not usable.
    """
    return reference.known / rows[0] - current.known / rows[1]


def missing_effect(change: float, rows: tuple[int, int], alpha: float) -> Effect:
    """The size of a change of the missing rate; its interval is wrong with probability `alpha`."""
    return _with_margin("missing_rate", abs(change), abs(change), deviation_margin(*rows, 2, alpha))


def _with_margin(measure: Measure, low: float, high: float, margin: float) -> Effect:
    return Effect(measure, low, max(0.0, low - margin), min(1.0, high + margin))


def _compare_numbers(
    ours: NumberProfile, theirs: NumberProfile
) -> tuple[float, float, dict[str, float]]:
    """Bounds of the KS distance, and the evidence."""
    shift = max(ours.shift, theirs.shift)
    own_cells = [side.cells >> (shift - side.shift) for side in (ours, theirs)]
    cells = np.unique(np.concatenate(own_cells))
    reference = _counts_in(cells, own_cells[0], ours.counts)
    current = _counts_in(cells, own_cells[1], theirs.counts)
    low, high = ks_distance(reference, current, exact=shift == 0)
    bins = quantile_bins(reference)
    binned = [
        np.append(np.bincount(bins, counts).astype(np.int64), side.missing + side.non_finite)
        for counts, side in ((reference, ours), (current, theirs))
    ]
    statistics = {
        "ks": low,
        "ks_p_value": ks_p_value(low, ours.known, theirs.known),
        "wasserstein": wasserstein(middles(cells, shift), reference, current),
        "psi": population_stability_index(binned[0], binned[1]),
        "jensen_shannon": jensen_shannon(binned[0], binned[1]),
    }
    return low, high, statistics


def _counts_in(cells: Integers, own_cells: Integers, own_counts: tuple[int, ...]) -> Integers:
    counts = np.zeros(cells.size, np.int64)
    np.add.at(counts, np.searchsorted(cells, own_cells), own_counts)
    return counts


def _lumped(ours: CategoryProfile, theirs: CategoryProfile) -> tuple[Integers, Integers]:
    """Counts of both over the levels that are not rare in the first, then all others."""
    kept = [level for level, count in ours.counts.items() if count >= RARE_SHARE * ours.known]
    first, second = ([side.counts.get(level, 0) for level in kept] for side in (ours, theirs))
    return (
        np.array([*first, ours.known - sum(first)], np.int64),
        np.array([*second, theirs.known - sum(second)], np.int64),
    )


def _category_statistics(
    reference: Integers, current: Integers, missing_reference: int, missing_current: int
) -> dict[str, float]:
    statistic, p_value = chi_square(reference, current)
    with_missing = np.append(reference, missing_reference), np.append(current, missing_current)
    return {
        "total_variation": total_variation(reference, current),
        "chi2": statistic,
        "chi2_p_value": p_value,
        "psi": population_stability_index(*with_missing),
        "jensen_shannon": jensen_shannon(*with_missing),
    }
