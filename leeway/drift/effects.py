"""How far a column has moved: effects with intervals that hold for any distribution, and evidence.

Belongs here: one column of two profiles. Does not belong here: the formulas (`distances`,
`number_pair`), what is usual (`history`) or the verdict (`verdict`).

The effect on a number is its KS distance. A category has three: the total variation, where levels
below 1 % of the reference count as one, with unseen ones among them, and the interval takes this
grouping as given; the largest change of the share of one level, which does not group; and the share
of levels that the reference has not, less what a sample of its size misses by chance (I. J. Good,
The population frequencies of species, Biometrika 40, 1953: the share of its singletons). None of
them ever exceeds the total variation over all levels. Each column has the change of the share of
rows without a usable value as well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from leeway.drift.distances import (
    Integers,
    chi_square,
    deviation_margin,
    jensen_shannon,
    ks_mean_square,
    ks_p_value,
    level_margin,
    population_stability_index,
    quantile_bins,
    total_variation,
    unseen_margin,
)
from leeway.drift.levels import CategoryProfile
from leeway.drift.number_pair import NumberPair, beyond_share, ks_bounds, wasserstein_bounds
from leeway.drift.numbers import NumberProfile
from leeway.drift.profile import ColumnProfile, Kind

Measure = Literal["ks", "total_variation", "level", "unseen", "missing_rate"]

# How many effects a column can have: what a correction for looking often has to count.
MOST_EFFECTS: dict[Kind, int] = {"number": 2, "category": 4}
RARE_SHARE = 0.01


@dataclass(frozen=True)
class RawEffect:
    """An effect before chance is taken into account.

    The observed value is between `estimate` and `highest`. `margin` says how far it may be from the
    true one, by the probability of error; `expected_square` is its mean square without drift, 0
    where nobody knows it: then all of what is seen counts as unusual.
    """

    measure: Measure
    estimate: float
    highest: float
    margin: Callable[[float], float]
    expected_square: float = 0.0


def number_effect(pair: NumberPair, rows: tuple[int, int], exact: float | None = None) -> RawEffect:
    """The KS distance of two numeric columns with that many values, where it is known exactly."""
    low, high = ks_bounds(pair) if exact is None else (exact, exact)
    return RawEffect(
        "ks",
        low,
        high,
        lambda alpha: deviation_margin(*rows, 2, alpha),
        ks_mean_square(pair.reference.through) * (1 / rows[0] + 1 / rows[1]),
    )


def number_statistics(
    pair: NumberPair, ours: NumberProfile, theirs: NumberProfile
) -> dict[str, float]:
    """Evidence; Wasserstein's distance is in the unit of the column."""
    bins = quantile_bins(pair.reference.counts)
    binned = [
        np.append(np.bincount(bins, counts).astype(np.int64), side.unusable)
        for counts, side in zip(pair.counts, (ours, theirs), strict=True)
    ]
    ks, moved = ks_bounds(pair), wasserstein_bounds(pair)
    return {
        "ks": ks[0],
        "ks_high": ks[1],
        "ks_p_value": ks_p_value(ks[0], ours.known, theirs.known),
        "wasserstein": moved[0],
        "wasserstein_high": moved[1],
        "psi": population_stability_index(binned[0], binned[1]),
        "jensen_shannon": jensen_shannon(binned[0], binned[1]),
        "out_of_range_share": beyond_share(pair),
    }


def level_effects(ours: CategoryProfile, theirs: CategoryProfile) -> list[RawEffect]:
    """The effects on a category.

    Without a total variation when every level of the reference is rare, so that nothing is left to
    compare.
    """
    rows = (ours.known, theirs.known)
    change = max(
        abs(ours.counts.get(level, 0) / rows[0] - theirs.counts.get(level, 0) / rows[1])
        for level in ours.counts.keys() | theirs.counts.keys()
    )
    unseen, missed = _unseen(ours, theirs)
    surplus = max(0.0, unseen - missed)
    effects = [
        RawEffect("level", change, change, lambda alpha: level_margin(*rows, alpha)),
        RawEffect("unseen", surplus, surplus, lambda alpha: unseen_margin(*rows, alpha)),
    ]
    counts = _grouped(ours, theirs)
    grouped = tuple(np.append(side[:-2], side[-2:].sum()) for side in counts)
    if grouped[0].size < 2:
        return effects
    distance = total_variation(*grouped)
    events = 2.0 ** grouped[0].size - 2
    whole = RawEffect(
        "total_variation",
        distance,
        distance,
        lambda alpha: deviation_margin(*rows, events, alpha),
        _total_variation_square(grouped[0], rows),
    )
    return [whole, *effects]


def level_statistics(ours: CategoryProfile, theirs: CategoryProfile) -> dict[str, float]:
    """Evidence, over the levels that are not rare, the rare, the unseen and the missing ones."""
    counts = _grouped(ours, theirs)
    statistic, p_value = chi_square(*counts)
    with_missing = [
        np.append(side, profile.missing)
        for side, profile in zip(counts, (ours, theirs), strict=True)
    ]
    unseen, missed = _unseen(ours, theirs)
    return {
        "total_variation": total_variation(*counts),
        "chi2": statistic,
        "chi2_p_value": p_value,
        "psi": population_stability_index(with_missing[0], with_missing[1]),
        "jensen_shannon": jensen_shannon(with_missing[0], with_missing[1]),
        "unseen_share": unseen,
        "unseen_share_by_chance": missed,
        "new_levels": float(len(theirs.counts.keys() - ours.counts.keys())),
        "vanished_levels": float(len(ours.counts.keys() - theirs.counts.keys())),
    }


def missing_rate_change(
    reference: ColumnProfile, current: ColumnProfile, rows: tuple[int, int]
) -> float:
    """Share of `rows` without a usable value, current minus reference.

    NaN and infinities are not usable.
    """
    return reference.known / rows[0] - current.known / rows[1]


def missing_effect(
    reference: ColumnProfile, current: ColumnProfile, rows: tuple[int, int]
) -> RawEffect:
    """The size of a change of the missing rate."""
    change = abs(missing_rate_change(reference, current, rows))
    rate = (reference.unusable + current.unusable) / sum(rows)
    return RawEffect(
        "missing_rate",
        change,
        change,
        lambda alpha: deviation_margin(*rows, 2, alpha),
        rate * (1 - rate) * (1 / rows[0] + 1 / rows[1]),
    )


def _unseen(ours: CategoryProfile, theirs: CategoryProfile) -> tuple[float, float]:
    """Share of rows of levels that the reference has not, and what chance gives of it."""
    unseen = sum(count for level, count in theirs.counts.items() if level not in ours.counts)
    singletons = sum(count == 1 for count in ours.counts.values())
    return unseen / theirs.known, singletons / ours.known


def _grouped(ours: CategoryProfile, theirs: CategoryProfile) -> tuple[Integers, Integers]:
    """Rows of both by level that is not rare in the first, then of the rare and the unseen ones."""
    kept = [level for level, count in ours.counts.items() if count >= RARE_SHARE * ours.known]
    unseen = sum(count for level, count in theirs.counts.items() if level not in ours.counts)
    first, second = ([side.counts.get(level, 0) for level in kept] for side in (ours, theirs))
    return (
        np.array([*first, ours.known - sum(first), 0], np.int64),
        np.array([*second, theirs.known - sum(second) - unseen, unseen], np.int64),
    )


def _total_variation_square(reference: Integers, rows: tuple[int, int]) -> float:
    """Mean square of the total variation of two samples, from their normal approximation."""
    share = reference / reference.sum()
    spread = np.sqrt(share * (1 - share) * (1 / rows[0] + 1 / rows[1]))
    return float(
        (np.sqrt(2 / np.pi) * spread.sum() / 2) ** 2 + (spread**2).sum() / 4 * (1 - 2 / np.pi)
    )
