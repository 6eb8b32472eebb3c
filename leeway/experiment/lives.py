"""Mean tool life before and after a change, and how well it is known.

Belongs here: lives from production and from an experiment, in one form. Does not belong here: what
they cost (`leeway.experiment.savings`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from leeway.experiment.best_setting import SignificantModel

FEWEST_TOOLS = 2  # of one, nothing tells how much lives vary


@dataclass(frozen=True)
class Lives:
    """Mean lives in hours with their variances and covariance.

    `degrees_of_freedom` has one number when one error gives both variances, else one for each.
    `undefined` says why there is no variance, and is None when there is one.
    """

    before: float
    after: float
    variances: tuple[float, float] = (0.0, 0.0)
    covariance: float = 0.0
    degrees_of_freedom: tuple[float, ...] = ()
    undefined: str | None = "nothing is known of how much lives vary"

    def variance(self, before: float, after: float) -> float:
        """Variance of `before` times the one life plus `after` times the other."""
        own = before**2 * self.variances[0] + after**2 * self.variances[1]
        return max(own + 2 * before * after * self.covariance, 0.0)

    def t_quantile(self, before: float, after: float, confidence: float) -> float:
        """Student's t for that sum, by Welch's degrees of freedom when there are two errors."""
        from scipy.special import stdtrit

        if len(self.degrees_of_freedom) == 1:
            freedom = self.degrees_of_freedom[0]
        else:
            parts = before**2 * self.variances[0], after**2 * self.variances[1]
            pairs = zip(parts, self.degrees_of_freedom, strict=True)
            spread = sum(part**2 / each for part, each in pairs)
            freedom = sum(parts) ** 2 / spread if spread else 1.0
        return float(stdtrit(freedom, (1 + confidence) / 2))


def lives_of_tools(before: Sequence[float], after: Sequence[float]) -> Lives:
    """Lives from tools that were used up in production, in hours.

    Raises:
        ValueError: when there is no tool, or a life is not a finite number above 0.
    """
    samples = []
    for when, given in (("before", before), ("after", after)):
        found = np.asarray(given, np.float64)
        if not len(found):
            raise ValueError(f"lives {when}: no tool was used up; measure at least one")
        wrong = ~(np.isfinite(found) & (found > 0))
        if wrong.any():
            row = int(np.argmax(wrong))
            raise ValueError(f"lives {when}, tool {row + 1}: {found[row]} hours is no tool life")
        samples.append(found)
    means = [float(found.mean()) for found in samples]
    if min(len(found) for found in samples) < FEWEST_TOOLS:
        reason = f"at least {FEWEST_TOOLS} tools before and after tell how much lives vary"
        return Lives(means[0], means[1], undefined=reason)
    first, second = (float(found.var(ddof=1)) / len(found) for found in samples)
    if not first or not second:
        reason = "the lives of one side do not differ at all: they are too coarse for an interval"
        return Lives(means[0], means[1], undefined=reason)
    freedom = tuple(len(found) - 1.0 for found in samples)
    return Lives(means[0], means[1], (first, second), 0.0, freedom, None)


def lives_by_experiment(
    model: SignificantModel, before: Mapping[str, Any], after: Mapping[str, Any]
) -> Lives:
    """Lives that an experiment whose response is hours of life predicts at two settings.

    Raises:
        ValueError: as `SignificantModel.predict`.
    """
    design, error = model.analysis.design, model.analysis.error
    first, second = model.weights(before), model.weights(after)
    means = float(first @ design.means), float(second @ design.means)
    if error.variance is None:
        return Lives(means[0], means[1], undefined=error.undefined)
    each = error.variance / design.replicates
    variances = float((each * first**2).sum()), float((each * second**2).sum())
    covariance = float((each * first * second).sum())
    return Lives(means[0], means[1], variances, covariance, (error.degrees_of_freedom,), None)
