"""Effects of a two-level design: estimates, intervals, sums of squares, and the curvature.

Belongs here: what the runs say of each effect. Does not belong here: the error that they are judged
by (`leeway.experiment.error`), the table (`leeway.experiment.anova`), or what to do about them
(`leeway.experiment.best_setting`).

An effect is the mean response at the high level less that at the low one; of an interaction, where
the product of the codes is +1 and -1. Source: Montgomery, Design and Analysis of Experiments, 8th
edition 2013, chapters 6 and 8. Cells that were run unequally often count equally: the design has as
many effects as cells, so that least squares says the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from leeway.experiment.aliases import letters_of, signed_text, word_text
from leeway.experiment.design import Design
from leeway.experiment.error import (
    CONFIDENCE,
    ErrorEstimate,
    estimate_error,
    simultaneous_margin,
)
from leeway.experiment.yates import YatesRow, yates_columns, yates_table


@dataclass(frozen=True)
class Effect:
    """One effect, in the unit of the response, with those that the design cannot tell from it.

    `aliases` are words such as `BCD` or, where they would take part with the other sign, `-BCD`.
    `low`, `high` and `p_value` are None when the error is undefined, `f_value` also by Lenth's
    method, which has no mean square of its own. `word` has a bit for each factor.
    """

    name: str
    factors: tuple[str, ...]
    aliases: tuple[str, ...]
    estimate: float
    low: float | None
    high: float | None
    sum_of_squares: float
    f_value: float | None
    p_value: float | None
    word: int

    @property
    def significant(self) -> bool | None:
        """Whether the interval leaves out 0; None when it is undefined."""
        return None if self.p_value is None else self.p_value < 1 - CONFIDENCE

    @property
    def label(self) -> str:
        """Name and aliases: `AB + CD`."""
        parts = (f"- {each[1:]}" if each.startswith("-") else f"+ {each}" for each in self.aliases)
        return " ".join([self.name, *parts])


@dataclass(frozen=True)
class Curvature:
    """How far the mean at the centre is from the plane: mean of the cells less that at the centre.

    `f_value` and `p_value` are None when nothing independent of the effects estimates the error.
    """

    difference: float
    sum_of_squares: float
    f_value: float | None
    p_value: float | None


@dataclass(frozen=True, eq=False)
class Analysis:
    """What the runs of a design say.

    `standard_error` is that of an effect, `margin` the half width of its interval, both None when
    the error is undefined; `simultaneous_margin` is Lenth's and None otherwise. `curvature` is None
    without centre points.
    """

    design: Design
    error: ErrorEstimate
    mean: float
    effects: tuple[Effect, ...]
    standard_error: float | None
    margin: float | None
    simultaneous_margin: float | None
    curvature: Curvature | None

    @property
    def significant(self) -> tuple[Effect, ...]:
        """The effects whose interval leaves out 0."""
        return tuple(effect for effect in self.effects if effect.significant)


def analyse(design: Design) -> Analysis:
    """Estimates every effect of a design by Yates' algorithm and judges each.

    The standard errors come from what was repeated; without any repeated run from Lenth's pseudo
    standard error, with Student's t of a third as many degrees of freedom as there are effects.
    """
    words = basic_words(design)
    contrasts = yates_columns(design.means)[-1]
    estimates = contrasts[1:] / (len(contrasts) / 2)
    error = estimate_error(design, estimates)
    # Of every contrast of cell means: they are the means with signs.
    scale = 2 * sqrt(float((1 / design.replicates).sum())) / len(contrasts)
    standard_error = None if error.variance is None else scale * sqrt(error.variance)
    effects = tuple(
        _effect(design, word, float(estimate), scale, standard_error, error)
        for word, estimate in zip(words[1:], estimates, strict=True)
    )
    lenth = error.source == "lenth" and standard_error is not None
    return Analysis(
        design,
        error,
        float(contrasts[0]) / len(contrasts),
        effects,
        standard_error,
        None if standard_error is None else standard_error * error.t_quantile,
        simultaneous_margin(estimates) if lenth else None,
        _curvature(design, error) if len(design.centre) else None,
    )


def yates(design: Design) -> tuple[YatesRow, ...]:
    """Yates' table of a design: of cell totals, or of cell means when replication is unequal."""
    names = ["mean"]
    # A minus where a generator has one: the contrast is then that of the opposite.
    names += [signed_text(*design.aliases.chain(word)[0]) for word in basic_words(design)[1:]]
    replicates = int(design.replicates[0]) if design.equally_replicated else 1
    treatments = [design.treatment(cell) for cell in range(len(design.cells))]
    return yates_table(design.means * replicates, replicates, treatments, names)


def basic_words(design: Design) -> list[int]:
    """The word of each contrast in standard order, in the factors that are not generated."""
    words = [0]
    for factor in design.basic:
        words += [word | 1 << factor for word in words]
    return words


def _effect(
    design: Design,
    word: int,
    estimate: float,
    scale: float,
    standard_error: float | None,
    error: ErrorEstimate,
) -> Effect:
    """The effect of a contrast, under the name of the shortest word that shares it."""
    from scipy.special import stdtr

    (name, sign), *others = design.aliases.chain(word)
    estimate = sign * estimate + 0.0  # no -0.0
    low = high = f_value = p_value = None
    if standard_error is not None:
        margin = standard_error * error.t_quantile
        low, high = estimate - margin, estimate + margin
        ratio = estimate / standard_error
        p_value = float(2 * stdtr(error.degrees_of_freedom, -abs(ratio)))
        f_value = None if error.source == "lenth" else ratio**2
    return Effect(
        word_text(name),
        tuple(design.factors[factor].name for factor in letters_of(name)),
        tuple(signed_text(other, sign * other_sign) for other, other_sign in others),
        estimate,
        low,
        high,
        (estimate / scale) ** 2,
        f_value,
        p_value,
        name,
    )


def _curvature(design: Design, error: ErrorEstimate) -> Curvature:
    """Tests whether the pure quadratic coefficients add up to 0."""
    from scipy.special import fdtrc

    difference = float(design.means.mean() - design.centre.mean())
    cells = float((1 / design.replicates).sum()) / len(design.cells) ** 2
    squares = difference**2 / (cells + 1 / len(design.centre))
    if error.variance is None or error.source == "lenth":
        return Curvature(difference, squares, None, None)
    ratio = squares / error.variance
    p_value = float(fdtrc(1, error.degrees_of_freedom, ratio))
    return Curvature(difference, squares, ratio, p_value)
