"""Distances between two sets of counts, and how far a distance strays by chance.

Belongs here: formulas over counts of the same bins, reference first. Does not belong here: numbers
in cells, whose distances are bounded (`leeway.drift.number_pair`), which distance decides, or what
counts as drift (`leeway.drift.verdict`).

Counts are arrays of shape (bins,). Where the order of bins matters they ascend. Shares are counts
divided by their sum; a function that needs one raises ValueError when a side has no rows.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import shake_256

import numpy as np
from numpy.typing import NDArray

from leeway.drift.tails import chi_square_tail, kolmogorov_tail

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_WALKS, _STEPS = 1000, 256  # that stand for Brownian bridges


def shares(counts: Integers) -> Floats:
    """Counts divided by their sum.

    Raises:
        ValueError: when the sum is zero.
    """
    total = counts.sum()
    if total == 0:
        raise ValueError("there are no rows to compare")
    result: Floats = counts / total
    return result


def ks_p_value(distance: float, reference_rows: int, current_rows: int) -> float:
    """Probability of at least this distance without drift. Evidence to show, not a rule.

    The asymptotic law with the correction of Stephens (1970); conservative with ties.
    """
    root = np.sqrt(reference_rows * current_rows / (reference_rows + current_rows))
    return kolmogorov_tail(float(root + 0.12 + 0.11 / root) * distance)


def ks_mean_square(reached: Floats) -> float:
    """Mean square of sqrt(n) times the KS distance of n rows from their own distribution.

    The distance of a sample goes to the largest deviation of a Brownian bridge at the values of the
    distribution function (Doob 1949): pi^2 / 12 for a continuous one, p (1 - p) for two values.
    1,000 random walks of 256 steps stand for the bridges, and where a column rises through
    neighbouring steps, so does the law of the maximum of a bridge between two known places
    (Karatzas and Shreve 1991, 4.3.40). What chance gives these walks is divided out by their mean
    squares at those places, which are known. It is within 3 per cent; a column of some hundred
    levels that are equally frequent counts as continuous, which is up to a tenth more.

    Args:
        reached: the distribution function at the values that there are, shape (values,).
    """
    places = np.unique(np.rint(reached * _STEPS).astype(np.int64))
    return _largest_square(places[(places > 0) & (places < _STEPS)].tobytes())


@lru_cache(maxsize=256)
def _largest_square(places: bytes) -> float:
    at = np.frombuffer(places, np.int64)
    if not at.size:
        return 0.0
    walked, between = _bridges()
    risen = np.concatenate([[0], at, [_STEPS]])
    passed = risen[:-1][np.diff(risen) == 1]
    largest = np.maximum(walked[:, at].max(axis=1), between[:, passed].max(axis=1, initial=0))
    known, seen = at / _STEPS * (1 - at / _STEPS), (walked[:, at] ** 2).mean(axis=0)
    return float((largest**2).mean() * known.sum() / seen.sum())


@lru_cache(maxsize=1)
def _bridges() -> tuple[Floats, Floats]:
    """How far from zero random walks are that end where they began.

    At each place, shape (walks, steps + 1), and at most on the way to the next, (walks, steps). All
    of it follows from a digest, so that it is the same everywhere but for a logarithm's last bits.
    """
    size = _WALKS * _STEPS
    drawn = np.frombuffer(shake_256(b"leeway.drift").digest(size // 8 + 4 * size), np.uint8)
    up = np.unpackbits(drawn[: size // 8]).reshape(_WALKS, _STEPS)
    walked = np.cumsum(2.0 * up - 1, axis=1) / np.sqrt(_STEPS)
    bridges: Floats = walked - np.arange(1, _STEPS + 1) / _STEPS * walked[:, -1:]
    bridges = np.concatenate([np.zeros((_WALKS, 1)), bridges], axis=1)
    uniform = (drawn[size // 8 :].view("<u4").reshape(_WALKS, _STEPS) + 0.5) / 2**32
    left, right = bridges[:, :-1], bridges[:, 1:]
    above = np.sqrt((left - right) ** 2 - 2 / _STEPS * np.log(uniform))
    return np.abs(bridges), (np.abs(left + right) + above) / 2


def quantile_bins(reference: Integers, bins: int = 10) -> Integers:
    """Bin of each ascending cell: between quantiles of the reference, upper ends included.

    The outer bins are open. Quantiles that coincide leave fewer bins, numbered from 0.
    """
    before = np.cumsum(reference) - reference
    total = max(int(reference.sum()), 1)
    bin_of = np.minimum(before * bins // total, bins - 1)
    return np.unique(bin_of, return_inverse=True)[1].astype(np.int64)


def population_stability_index(reference: Integers, current: Integers) -> float:
    """Sum of (p - q) ln(p / q) over bins, in nats (Siddiqi 2006; Jeffreys' divergence).

    A bin without rows on one side counts as half a row, so that no logarithm is infinite.
    """
    p, q = shares(reference), shares(current)
    p = np.maximum(p, 0.5 / reference.sum())
    q = np.maximum(q, 0.5 / current.sum())
    used = (reference + current) > 0
    return float(((p - q) * np.log(p / q))[used].sum())


def jensen_shannon(reference: Integers, current: Integers) -> float:
    """Jensen-Shannon distance with base 2, 0 to 1 (Endres and Schindelin 2003)."""
    p, q = shares(reference), shares(current)
    middle = (p + q) / 2
    divergence = 0.0
    for side in (p, q):
        used = side > 0
        divergence += float((side[used] * np.log2(side[used] / middle[used])).sum()) / 2
    return float(np.sqrt(max(divergence, 0.0)))


def total_variation(reference: Integers, current: Integers) -> float:
    """Half the summed differences of shares: the share of rows that would have to change bin."""
    return float(np.abs(shares(reference) - shares(current)).sum() / 2)


def chi_square(reference: Integers, current: Integers) -> tuple[float, float]:
    """Pearson's statistic of homogeneity and its p-value, over bins that hold a row.

    Evidence to show, not a rule: on many rows any change is significant. One bin gives (0, 1).
    """
    shares(reference), shares(current)
    table = np.stack([reference, current])[:, (reference + current) > 0]
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    statistic = float(((table - expected) ** 2 / expected).sum())
    freedom = table.shape[1] - 1
    return statistic, chi_square_tail(statistic, freedom) if freedom else 1.0


def level_margin(reference_rows: int, current_rows: int, alpha: float) -> float:
    """`deviation_margin` of the largest change of the share of one level, however many there are.

    In any order of the levels a share is the difference of the distribution function at two places,
    so no share strays by more than twice the KS distance of its sample: 2 exp(-2 (n / 4) x^2).
    """
    return deviation_margin(reference_rows / 4, current_rows / 4, 2, alpha)


def unseen_margin(reference_rows: int, current_rows: int, alpha: float) -> float:
    """`deviation_margin` of the share of unseen levels less the estimate of Good and Turing.

    Which levels are unseen is known from the reference, so that their share in the other sample has
    the tail of Hoeffding. What the reference misses strays from its mean with the tail
    2 exp(-n y^2) (McAllester and Ortiz 2003; Berend and Kontorovich 2013), the share of its
    singletons with 2 exp(-n z^2 / 2) (McDiarmid 1989: a row changes two singletons at most). With
    z = sqrt(2) y, both together are one sample of n / (2 (1 + sqrt(2))^2) rows and 4 events. The
    two means differ by less than 1 / n.
    """
    effective = reference_rows / (2 * (1 + np.sqrt(2)) ** 2)
    return deviation_margin(effective, current_rows, 4, alpha) + 1 / reference_rows


@lru_cache(maxsize=4096)
def deviation_margin(
    reference_rows: float, current_rows: float, events: float, alpha: float
) -> float:
    """How far an observed distance may be from the true one, except with probability `alpha`.

    By the triangle inequality the error of a distance D(F_n, G_m) is at most X + Y, the deviations
    of the two samples from their own distributions, and these are independent. Each has the tail
    P(X > x) <= min(1, events * exp(-2 n x^2)), whatever the distribution and however tied:

    - events = 2 for the KS distance (Dvoretzky, Kiefer, Wolfowitz 1956; constant of Massart 1990)
      and for a share (Hoeffding 1963);
    - events = 2^k - 2 for the total variation over k levels (Bretagnolle-Huber-Carol in van der
      Vaart and Wellner 1996, A.6.6; this constant: Weissman et al. 2003).

    Variables with exactly these tails dominate X and Y, so the tail of their sum, integrated here
    with X rounded up, bounds that of the error. It is about a quarter tighter than giving each
    sample half of alpha.

    Raises:
        ValueError: when a side has no rows.
    """
    if min(reference_rows, current_rows) <= 0:
        raise ValueError("there are no rows to compare")
    enough = np.log(2 * events / alpha) / 2
    high = float(np.sqrt(enough / reference_rows) + np.sqrt(enough / current_rows))
    x = np.linspace(0, high, 2001)
    tail = np.minimum(1, events * np.exp(-2 * reference_rows * x**2))
    mass = tail[:-1] - tail[1:]
    low = 0.0
    while high - low > 1e-6 * high:
        middle = (low + high) / 2
        left = np.maximum(middle - x[1:], 0)
        other = np.minimum(1, events * np.exp(-2 * current_rows * left**2))
        if tail[-1] + mass @ other > alpha:
            low = middle
        else:
            high = middle
    return high
