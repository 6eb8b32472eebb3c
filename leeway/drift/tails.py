"""Tails of two distributions, for p-values.

Belongs here: these two, of which importing a library would take longer than `leeway drift` has for
all it does. Does not belong here: any decision: p-values are evidence to show.
"""

from __future__ import annotations

from math import erfc, exp, fsum, lgamma, log, pi, sqrt


def kolmogorov_tail(x: float) -> float:
    """Probability that Kolmogorov's distribution exceeds `x`.

    By the series that converges fast on either side (W. Feller, On the Kolmogorov-Smirnov limit
    theorems, Annals of Mathematical Statistics 19, 1948).
    """
    if x < 0.05:  # what is missing to 1 is below 1e-200
        return 1.0
    if x < 1:
        terms = (exp(-((2 * k - 1) ** 2) * pi**2 / (8 * x**2)) for k in range(1, 6))
        return 1 - sqrt(2 * pi) / x * fsum(terms)
    return 2 * fsum((-1) ** (k - 1) * exp(-2 * (k * x) ** 2) for k in range(1, 6))


def chi_square_tail(x: float, freedom: int) -> float:
    """Probability that chi-square with whole, at least one, degrees of freedom exceeds `x`.

    A finite sum (Abramowitz and Stegun, Handbook of Mathematical Functions, 26.4.4 and 26.4.5).
    """
    if x <= 0:
        return 1.0
    half, odd = x / 2, freedom % 2
    powers = [i + odd / 2 for i in range(freedom // 2)]
    terms = [exp(power * log(half) - half - lgamma(power + 1)) for power in powers]
    return min(1.0, fsum(terms) + (erfc(sqrt(half)) if odd else 0.0))
