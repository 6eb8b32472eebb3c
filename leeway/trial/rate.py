"""A rate that is looked at again and again: whether it is shown to be above a limit.

Belongs here: that test. Does not belong here: what follows from it (`leeway.trial.verdict`).

To compare the rate so far with the limit at each look is wrong the more often the more often one
looks. This compares how likely the failures are under rates above the limit, each as likely as
another beforehand, and under the limit itself. Where the true rate is the limit at most, that ratio
ever reaches 1 / error with a probability of `error` at most, at whatever looks (J. Ville, Étude
critique de la notion de collectif, 1939; the mixture is that of H. Robbins, Statistical methods
related to the law of the iterated logarithm, Annals of Mathematical Statistics 41, 1970).
"""

from __future__ import annotations

from math import log, log1p


def is_above(failed: int, asked: int, limit: float, error: float) -> bool:
    """Whether a rate is shown to be above a limit.

    Args:
        failed: of those that were asked, so far.
        asked: so far.
        limit: of the rate, 0 to 1.
        error: probability that this ever says so of a rate that is not.
    """
    if limit <= 0 or limit >= 1:
        return failed > 0 and limit <= 0
    answered = asked - failed
    under_limit = failed * log(limit) + answered * log1p(-limit)
    above = _log_beta_above(failed + 1, answered + 1, limit) - log1p(-limit)
    return above - under_limit >= -log(error)


def _log_beta_above(a: float, b: float, limit: float) -> float:
    """Logarithm of the integral of p**(a - 1) * (1 - p)**(b - 1) from `limit` to 1."""
    from scipy.special import betaincc, betaln

    share = float(betaincc(a, b, limit))
    return float(betaln(a, b)) + log(share) if share > 0 else float("-inf")
