"""How far a column has moved: effects with intervals that hold for any distribution, and evidence.

Belongs here: one column of two profiles. Does not belong here: the formulas (`distances`) or the
verdict of a batch (`verdict`).

The effect on a number is its KS distance. A category has three: the total variation, where levels
below 1 % of the reference count as one, with unseen ones among them, and the interval takes this
grouping as given; the largest change of the share of one level, which does not group; and the share
of levels that the reference has not, less what a sample of its size misses by chance (I. J. Good,
The population frequencies of species, Biometrika 40, 1953: the share of its singletons). None of
them ever exceeds the total variation over all levels. Each column has the change of the share of
rows without a usable value as well.
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
    level_margin,
    population_stability_index,
    quantile_bins,
    total_variation,
    unseen_margin,
    wasserstein,
)
from leeway.drift.profile import CategoryProfile, ColumnProfile, NumberProfile

Kind = Literal["number", "category"]
Measure = Literal["ks", "total_variation", "level", "unseen", "missing_rate"]

# How many effects a column can have: what a correction for looking often has to count.
MOST_EFFECTS: dict[Kind, int] = {"number": 2, "category": 4}
RARE_SHARE = 0.01


@dataclass(frozen=True)
class Effect:
    """An effect: its estimate, and the bounds of the true one."""

    measure: Measure
    estimate: float
    low: float
    high: float


def value_effects(
    reference: ColumnProfile, current: ColumnProfile, alpha: float
) -> tuple[list[Effect], dict[str, float]]:
    """The effects on the values, each with an interval wrong with probability `alpha`; evidence.

    Without a total variation when every level of the reference is rare, so that nothing is left to
    compare.

    Raises:
        ValueError: when a side has no values.
        TypeError: when the kinds differ.
    """
    rows = (reference.known, current.known)
    if isinstance(reference, NumberProfile) and isinstance(current, NumberProfile):
        low, high, statistics = _compare_numbers(reference, current)
        margin = deviation_margin(*rows, 2, alpha)
        return [_with_margin("ks", low, high, margin)], statistics
    if isinstance(reference, CategoryProfile) and isinstance(current, CategoryProfile):
        effects, statistics = _compare_levels(reference, current, alpha)
        counts = _lumped(reference, current)
        levels = counts[0].size
        if levels < 2:
            return effects, statistics
        distance = total_variation(*counts)
        margin = deviation_margin(*rows, 2.0**levels - 2, alpha)
        evidence = _category_statistics(*counts, reference.missing, current.missing)
        whole = _with_margin("total_variation", distance, distance, margin)
        return [whole, *effects], evidence | statistics
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


def _compare_levels(
    ours: CategoryProfile, theirs: CategoryProfile, alpha: float
) -> tuple[list[Effect], dict[str, float]]:
    """The effects that see a level by itself, however rare it was, and the unseen ones."""
    rows = (ours.known, theirs.known)
    change = max(
        abs(ours.counts.get(level, 0) / rows[0] - theirs.counts.get(level, 0) / rows[1])
        for level in ours.counts.keys() | theirs.counts.keys()
    )
    unseen = sum(count for level, count in theirs.counts.items() if level not in ours.counts)
    missed = sum(count == 1 for count in ours.counts.values()) / rows[0]
    surplus = max(0.0, unseen / rows[1] - missed)
    effects = [
        _with_margin("level", change, change, level_margin(*rows, alpha)),
        _with_margin("unseen", surplus, surplus, unseen_margin(*rows, alpha)),
    ]
    return effects, {"unseen_share": unseen / rows[1], "unseen_share_by_chance": missed}


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
