"""What a design predicts, and the setting that it predicts to be best.

Belongs here: the model of the significant effects, predictions with intervals, the best corner.
Does not belong here: effects (`leeway.experiment.effects`), or what a setting costs
(`leeway.experiment.savings`).

The model respects hierarchy: an interaction brings the effects of all of its factors along.
Source: Montgomery, Design and Analysis of Experiments, 8th edition 2013, section 6.3; J. L.
Peixoto, Hierarchical variable selection in polynomial regression models, American Statistician 41,
1987.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import sqrt
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from leeway.experiment.aliases import letters_of, product_of, word_text
from leeway.experiment.effects import Analysis

Floats = NDArray[np.float64]
Direction = Literal["maximise", "minimise"]


@dataclass(frozen=True)
class Prediction:
    """The response at a setting, in its unit.

    `low` and `high` hold the response of one new run, `mean_low` and `mean_high` the mean of many,
    whose standard error is given; all of these are None when the error is undefined.
    """

    estimate: float
    standard_error: float | None
    mean_low: float | None
    mean_high: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class BestSetting:
    """The best corner: a level per factor, None for one that no significant effect has.

    `setting` and `prediction` are None when no effect is significant; `undefined` says why.
    `was_run` says whether a cell of the design agrees. The intervals do not know that the best of
    several predictions was taken: confirm it by new runs.
    """

    setting: Mapping[str, Any] | None
    prediction: Prediction | None
    terms: tuple[str, ...]
    was_run: bool | None = None
    undefined: str | None = None


@dataclass(frozen=True, eq=False)
class SignificantModel:
    """The mean and the significant effects with their hierarchy, as words in standard order."""

    analysis: Analysis
    words: tuple[int, ...]

    @property
    def active(self) -> tuple[int, ...]:
        """Positions of the factors that a term has."""
        union = 0
        for word in self.words:
            union |= word
        return letters_of(union)

    @cached_property
    def terms(self) -> tuple[str, ...]:
        """Names of the terms, without the mean."""
        return tuple(word_text(word) for word in self.words)

    def predict(self, setting: Mapping[str, Any]) -> Prediction:
        """The response at a setting with intervals.

        Args:
            setting: value by factor; a number may lie between the levels. A factor that no term has
                may be absent or None.

        Raises:
            ValueError: when a factor is unknown or has no value, or one outside its levels.
        """
        weights = self.weights(setting)
        design, error = self.analysis.design, self.analysis.error
        estimate = float(weights @ design.means)
        if error.variance is None:
            return Prediction(estimate, None, None, None, None, None)
        share = float((weights**2 / design.replicates).sum())
        standard_error = sqrt(error.variance * share)
        mean = error.t_quantile * standard_error
        one = error.t_quantile * sqrt(error.variance * (1 + share))
        return Prediction(
            estimate,
            standard_error,
            estimate - mean,
            estimate + mean,
            estimate - one,
            estimate + one,
        )

    def weights(self, setting: Mapping[str, Any]) -> Floats:
        """The weight of each cell's mean in the prediction, shape (cells,).

        Raises:
            ValueError: as `predict`.
        """
        cells, codes = self.analysis.design.cells, self._codes(setting)
        found = np.ones(len(cells))
        for word in self.words:
            found += cells[:, letters_of(word)].prod(axis=1) * product_of(codes, word)
        return found / len(cells)

    def _codes(self, setting: Mapping[str, Any]) -> list[float]:
        factors = self.analysis.design.factors
        for name in setting:
            if name not in [factor.name for factor in factors]:
                known = ", ".join(factor.name for factor in factors)
                raise ValueError(f"setting: unknown factor {name!r} (known: {known})")
        codes = []
        for place, factor in enumerate(factors):
            value = setting.get(factor.name)
            if value is None and place not in self.active:
                codes.append(0.0)
                continue
            code = factor.code(value)
            if code is None:
                between = "" if factor.centre is None else ", or a number between"
                raise ValueError(
                    f"setting: {factor.name} is {value!r}; the experiment knows {factor.low!r} and "
                    f"{factor.high!r}{between}"
                )
            codes.append(code)
        return codes


def significant_model(analysis: Analysis) -> SignificantModel:
    """The effects whose interval leaves out 0, and those that hierarchy asks for."""
    kept = set()
    for effect in analysis.significant:
        part = effect.word
        # All subsets of the word: in a fraction, too, each is the name of an effect.
        while part:
            kept.add(part)
            part = part - 1 & effect.word
    return SignificantModel(analysis, tuple(e.word for e in analysis.effects if e.word in kept))


def best_setting(analysis: Analysis, direction: Direction) -> BestSetting:
    """The corner with the highest or lowest predicted response.

    Of corners that are predicted to be equal, the first in standard order.
    """
    model = significant_model(analysis)
    if not model.words:
        why = analysis.error.undefined or "no effect differs from 0 by more than the error allows"
        return BestSetting(None, None, (), undefined=why)
    design, active = analysis.design, model.active
    corners = np.zeros((1 << len(active), len(design.factors)))
    for place, factor in enumerate(active):
        corners[:, factor] = np.where(np.arange(len(corners)) >> place & 1, 1.0, -1.0)
    effects = {effect.word: effect.estimate for effect in analysis.effects}
    values = sum(
        effects[word] / 2 * corners[:, letters_of(word)].prod(axis=1) for word in model.words
    )
    best = corners[np.argmax(values) if direction == "maximise" else np.argmin(values)]
    setting = {
        factor.name: factor.level(int(code)) if code else None
        for factor, code in zip(design.factors, best, strict=True)
    }
    was_run = bool((design.cells[:, active] == best[list(active)]).all(axis=1).any())
    return BestSetting(setting, model.predict(setting), model.terms, was_run)
