"""The rule for a column: when an effect is suspect, and when it is confirmed.

Belongs here: the verdict of a column from its effects. Does not belong here: the effects
(`leeway.drift.effects`), what is usual (`leeway.drift.history`), or the verdict of a batch
(`leeway.drift.verdict`).

An effect is looked at with an interval that is wrong with the probability that the budget of false
alarms leaves for it, over all effects of the batch (Bonferroni). With fewer than 30 past batches
nobody knows what is usual: it is confirmed when the whole interval is above the smallest effect
worth acting on. With more, it is confirmed when it is at least that large, larger than in any past
batch, and its interval, widened by what is usual, is above 0. A batch that does not prove it alone
is looked at together with the one before it, each look with half of the probability. P-values and
indices are evidence to show and decide nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from leeway.drift.change import (
    Change,
    level_change,
    missing_change,
    number_change,
    unseen_change,
)
from leeway.drift.column import MILDEST_FIRST, ColumnDrift, DriftVerdict, Effect
from leeway.drift.effects import Measure, RawEffect
from leeway.drift.history import PastBatch, Usual, usual
from leeway.drift.levels import CategoryProfile
from leeway.drift.measured import Sides, effects_of, evidence_of, sides_of
from leeway.drift.number_pair import pair_of
from leeway.drift.numbers import NumberProfile
from leeway.drift.policy import DriftPolicy, Watched
from leeway.drift.profile import Kind, Profile

WHOLE: tuple[Measure, ...] = ("ks", "total_variation")  # effects on the values as a whole
MOST_HIDDEN = 0.5  # of the smallest effect worth acting on: more, and none is not known
# What makes a batch suspect may happen this often by chance.
SUSPECT_ODDS = 0.05
_MEASURE_NAMES: dict[Measure, str] = {
    "ks": "KS distance",
    "total_variation": "total variation",
    "level": "largest change of the share of one level",
    "unseen": "share of unseen levels above what chance gives",
    "missing_rate": "change of the missing rate",
}


@dataclass(frozen=True)
class Looks:
    """What the columns of a batch are judged by.

    `probability` of a false alarm is what the batch may spend, over `effects` effects.
    """

    reference: Profile
    current: Profile
    both: Profile | None
    drift: DriftPolicy
    probability: float
    effects: int
    history: Sequence[PastBatch]
    exact: Mapping[str, float]

    @property
    def alpha(self) -> float:
        """Probability of error of one look at one effect: there are two where `both` is."""
        return self.probability / self.effects / (1 if self.both is None else 2)


def judge_column(column: Watched, kind: Kind, looks: Looks) -> ColumnDrift:
    """The verdict of one column.

    Without an effect on the values as a whole, what did not change proves nothing: undefined.
    """
    drift = looks.drift
    sides = sides_of(column.name, looks.reference, looks.current)
    if sides is None:
        return _undefined(column, kind, drift, _unlike(column.name, looks))
    if min(sides.rows) < drift.min_rows:
        reason = _too_few(column.name, min(sides.rows), drift)
        return _undefined(column, kind, drift, reason)
    statistics = evidence_of(sides, drift.min_rows)
    measured = effects_of(sides, drift.min_rows, looks.exact.get(column.name))
    effects = tuple(_judged(column, each, sides, looks) for each in measured)
    verdict = max((each.verdict for each in effects), key=MILDEST_FIRST.index)
    if verdict == "none" and not any(each.measure in WHOLE for each in effects):
        few = min(sides.known)
        reason = f"{column.name} has no level that holds 1 % of the reference."
        if few < drift.min_rows:
            reason = _too_few(column.name, few, drift)
        return _undefined(column, kind, drift, reason, effects, statistics)
    if verdict == "none" and max(each.hidden for each in effects) > MOST_HIDDEN * drift.effect:
        reason = (
            f"{column.name} spreads over so many powers of ten that the cells of its profile hide "
            "how far it moved."
        )
        return _undefined(column, kind, drift, reason, effects, statistics)
    effect = max((each for each in effects if each.verdict == verdict), key=lambda each: each.low)
    change = _change(column, effect.measure, sides, looks.alpha)
    judged = ColumnDrift(
        name=column.name,
        kind=kind,
        role=column.role,
        verdict=verdict,
        measure=effect.measure,
        effect=effect.estimate,
        interval=(effect.low, effect.high),
        threshold=drift.effect,
        change=change,
        effects=effects,
        statistics=statistics,
        reason="",
        smallest_change=drift.smallest_change.get(column.name),
    )
    return replace(judged, reason=_reason(judged, effect, change))


def _unlike(name: str, looks: Looks) -> str:
    """Why a column cannot be compared."""
    found = {
        where: profile.columns.get(name)
        for where, profile in (("the reference", looks.reference), ("the batch", looks.current))
    }
    absent = [where for where, column in found.items() if column is None]
    if absent:
        return f"{name} is not in {' or '.join(absent)}."
    kinds = ("a number" if isinstance(c, NumberProfile) else "a category" for c in found.values())
    told = (f"{kind} in {where}" for kind, where in zip(kinds, found, strict=True))
    return f"{name} is {' and '.join(told)}."


def _undefined(
    column: Watched,
    kind: Kind,
    drift: DriftPolicy,
    reason: str,
    effects: tuple[Effect, ...] = (),
    statistics: Mapping[str, float] | None = None,
) -> ColumnDrift:
    return ColumnDrift(
        name=column.name,
        kind=kind,
        role=column.role,
        verdict="undefined",
        measure=None,
        effect=None,
        interval=None,
        threshold=drift.effect,
        change=None,
        effects=effects,
        statistics=statistics or {},
        reason=reason,
    )


def _judged(column: Watched, raw: RawEffect, sides: Sides, looks: Looks) -> Effect:
    """The verdict of one effect."""
    found = usual(looks.history, column.name, raw.measure)
    verdict = _verdict(column, raw, sides, looks, found)
    hidden = raw.highest - raw.estimate
    if hidden and verdict == _verdict(
        column, replace(raw, estimate=raw.highest), sides, looks, found
    ):
        hidden = 0.0
    low, high = _interval(raw, found, looks.alpha)
    return Effect(raw.measure, raw.estimate, low, high, verdict, raw.expected_square, hidden)


def _verdict(
    column: Watched, raw: RawEffect, sides: Sides, looks: Looks, found: Usual | None
) -> DriftVerdict:
    """From this batch and, where it is not proof, the one before it."""
    if not _is_worth_acting(column, raw, sides, looks):
        return "none"
    alone = _is_proof(column, raw, sides, looks, found)
    if alone or _is_proof_of_both(column, raw.measure, looks, found):
        return "confirmed"
    careless = _interval(raw, found, SUSPECT_ODDS / looks.effects)[0]
    return "suspect" if careless > 0 else "none"


def _is_proof_of_both(column: Watched, measure: Measure, looks: Looks, found: Usual | None) -> bool:
    """Whether this batch and the one before it, together, prove the effect."""
    sides = None if looks.both is None else sides_of(column.name, looks.reference, looks.both)
    if sides is None:
        return False
    raw = [each for each in effects_of(sides, looks.drift.min_rows) if each.measure == measure]
    return any(_is_proof(column, each, sides, looks, found) for each in raw)


def _is_proof(
    column: Watched, raw: RawEffect, sides: Sides, looks: Looks, found: Usual | None
) -> bool:
    low = _interval(raw, found, looks.alpha)[0]
    smallest = _smallest_change(column, raw.measure, looks.drift)
    if found is not None and raw.estimate <= found.largest:
        return False
    if smallest is not None:
        return low > 0 and _moved(column, raw, sides, looks, found)[1] > smallest
    return low > (looks.drift.effect if found is None else 0)


def _is_worth_acting(column: Watched, raw: RawEffect, sides: Sides, looks: Looks) -> bool:
    """Whether the effect, as it was observed, is large enough."""
    smallest = _smallest_change(column, raw.measure, looks.drift)
    if smallest is None:
        return raw.estimate > looks.drift.effect
    return _moved(column, raw, sides, looks, None)[0] > smallest


def _moved(
    column: Watched, raw: RawEffect, sides: Sides, looks: Looks, found: Usual | None
) -> tuple[float, float]:
    """How far the column moved in its unit, and the least that it certainly moved."""
    if raw.measure == "unseen":  # above what chance gives, which the change does not leave out
        return raw.estimate, _interval(raw, found, looks.alpha)[0]
    change = _change(column, raw.measure, sides, looks.alpha)
    return abs(change.current - change.reference), change.least


def _interval(raw: RawEffect, found: Usual | None, alpha: float) -> tuple[float, float]:
    margin = raw.margin(alpha)
    if found is not None:
        margin = found.widen(margin, alpha)
    return max(0.0, raw.estimate - margin), min(1.0, raw.highest + margin)


def _smallest_change(column: Watched, measure: Measure, drift: DriftPolicy) -> float | None:
    """What the use case declares for the values of the column, in its unit."""
    return None if measure == "missing_rate" else drift.smallest_change.get(column.name)


def _change(column: Watched, measure: Measure, sides: Sides, alpha: float) -> Change:
    ours, theirs = sides.reference, sides.current
    if measure != "missing_rate":
        if isinstance(ours, NumberProfile) and isinstance(theirs, NumberProfile):
            return number_change(pair_of(ours, theirs), sides.known, alpha, column.unit or "")
        if isinstance(ours, CategoryProfile) and isinstance(theirs, CategoryProfile):
            shown = unseen_change if measure == "unseen" else level_change
            return shown(ours, theirs, alpha)
    rates = (1 - known / rows for known, rows in zip(sides.known, sides.rows, strict=True))
    return missing_change(next(rates), next(rates), sides.rows, alpha)


def _too_few(name: str, known: int, drift: DriftPolicy) -> str:
    return f"{name} has {known} values on one side; {drift.min_rows} are needed."


def _reason(column: ColumnDrift, effect: Effect, change: Change) -> str:
    rule = {
        "confirmed": f"proven, and more than the {column.worth_told} that is worth acting on",
        "suspect": f"more than the {column.worth_told} that is worth acting on, but not proven yet",
    }.get(effect.verdict, f"which does not prove the {column.worth_told} that is worth acting on")
    return (
        f"{column.name} moved, {change.told()}; {_MEASURE_NAMES[effect.measure]} "
        f"{effect.estimate:.3f} ({effect.low:.3f} to {effect.high:.3f}): {rule}."
    )
