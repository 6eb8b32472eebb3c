"""Whether a batch has drifted from the reference profile.

Belongs here: the verdict of a column and of a batch. Does not belong here: how far a column moved
(`leeway.drift.effects`), making profiles (`leeway.drift.profile`), or what follows
(`leeway.retraining`).

Each effect has an interval whose confidence is corrected over all effects of the batch, two of a
number and four of a category (Bonferroni). It is confirmed when the whole interval exceeds the
threshold, and suspect when the estimate exceeds it and the interval merely excludes 0. So a batch
without drift is confirmed, or suspect, with probability at most 1 - confidence. P-values and
indices decide nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

from leeway.drift.effects import (
    MOST_EFFECTS,
    Effect,
    Kind,
    Measure,
    missing_effect,
    missing_rate_change,
    value_effects,
)
from leeway.drift.profile import PROFILED_ROLES, ColumnProfile, NumberProfile, Profile
from leeway.spec import Column, Drift, Role

DriftVerdict = Literal["none", "suspect", "confirmed", "undefined"]

_MILDEST_FIRST: tuple[DriftVerdict, ...] = ("undefined", "none", "suspect", "confirmed")
_MEASURE_NAMES: dict[Measure, str] = {
    "ks": "KS distance",
    "total_variation": "total variation",
    "level": "largest change of the share of one level",
    "unseen": "share of unseen levels above what chance gives",
    "missing_rate": "change of the missing rate",
}


@dataclass(frozen=True)
class ColumnDrift:
    """The verdict of one column.

    `measure` names the effect that decided: `effect` is its estimate, `interval` its bounds. They
    are None when the verdict is undefined. `statistics` are evidence; Wasserstein's is in the unit
    of the column.
    """

    name: str
    kind: Kind
    role: Role
    verdict: DriftVerdict
    measure: Measure | None
    effect: float | None
    interval: tuple[float, float] | None
    threshold: float
    statistics: dict[str, float]
    reason: str

    def as_dict(self) -> dict[str, object]:
        """For JSON, without the name."""
        fields = asdict(self)
        del fields["name"]
        fields["interval"] = None if self.interval is None else list(self.interval)
        return fields

    @classmethod
    def from_dict(cls, name: str, data: Mapping[str, Any]) -> Self:
        """The column whose `as_dict` is `data`."""
        interval = data["interval"]
        return cls(name, **{**data, "interval": None if interval is None else tuple(interval)})


@dataclass(frozen=True)
class BatchDrift:
    """The verdict of a batch.

    `verdict` is about its features alone, `target_verdict` about its target (None: there is none).
    Monitored columns are reported and decide neither.
    """

    verdict: DriftVerdict
    reason: str
    columns: tuple[ColumnDrift, ...]
    rows_reference: int
    rows_current: int
    target_verdict: DriftVerdict | None

    @property
    def drifted(self) -> tuple[str, ...]:
        """Names of the features whose suspect or confirmed verdict is that of the batch."""
        if self.verdict not in ("suspect", "confirmed"):
            return ()
        features = (column for column in self.columns if column.role == "feature")
        return tuple(column.name for column in features if column.verdict == self.verdict)

    @property
    def drifted_share(self) -> float | None:
        """Share of the judged features that are confirmed to have drifted; None: none is judged."""
        judged = [
            column.verdict == "confirmed"
            for column in self.columns
            if column.role == "feature" and column.verdict != "undefined"
        ]
        return sum(judged) / len(judged) if judged else None

    def as_dict(self) -> dict[str, object]:
        """For JSON: the report of a batch."""
        return {
            "verdict": self.verdict,
            "reason": self.reason,
            "drifted_share": self.drifted_share,
            "target_verdict": self.target_verdict,
            "rows": {"reference": self.rows_reference, "current": self.rows_current},
            "columns": {column.name: column.as_dict() for column in self.columns},
        }


def compare_profiles(
    reference: Profile, current: Profile, use_case_drift: Drift, columns: Sequence[Column]
) -> BatchDrift:
    """Compares the target, the features and the monitored columns of a batch with the reference."""
    compared = [column for column in columns if column.role in PROFILED_ROLES]
    kinds = [_kind(column.name, reference, current) for column in compared]
    alpha = (1 - use_case_drift.confidence) / max(sum(MOST_EFFECTS[kind] for kind in kinds), 1)
    found = tuple(
        _compare_column(column, reference, current, use_case_drift, alpha) for column in compared
    )
    features = [column for column in found if column.role == "feature"]
    targets = [column.verdict for column in found if column.role == "target"]
    verdict = _severest(feature.verdict for feature in features)
    reason = _batch_reason(verdict, features, use_case_drift)
    target = targets[0] if targets else None
    return BatchDrift(verdict, reason, found, reference.rows, current.rows, target)


def _kind(name: str, reference: Profile, current: Profile) -> Kind:
    found = current.columns.get(name) or reference.columns.get(name)
    return "number" if isinstance(found, NumberProfile) else "category"


def _severest(verdicts: Iterable[DriftVerdict]) -> DriftVerdict:
    return _MILDEST_FIRST[max((_MILDEST_FIRST.index(verdict) for verdict in verdicts), default=0)]


def _batch_reason(verdict: DriftVerdict, features: Sequence[ColumnDrift], drift: Drift) -> str:
    unknown = [feature for feature in features if feature.verdict == "undefined"]
    if verdict == "undefined":
        return unknown[0].reason if unknown else "No feature is compared."
    if verdict == "none":
        judged = len(features) - len(unknown)
        first = f"None of {judged} features is proven to have drifted by {drift.effect:g}."
    else:
        first = " ".join(feature.reason for feature in features if feature.verdict == verdict)
    names = ", ".join(feature.name for feature in unknown)
    return f"{first} Not judged: {names}." if unknown else first


def _compare_column(
    column: Column, reference: Profile, current: Profile, drift: Drift, alpha: float
) -> ColumnDrift:
    ours, theirs = reference.columns.get(column.name), current.columns.get(column.name)
    effect: Effect | None = None
    statistics: dict[str, float] = {}
    if ours is None or theirs is None or type(ours) is not type(theirs):
        verdict: DriftVerdict = "undefined"
        reason = f"{column.name} is not in both profiles with the same kind."
    else:
        rows = (reference.rows, current.rows)
        verdict, effect, statistics = _judge_effects(ours, theirs, rows, drift, alpha)
        reason = _column_reason(column.name, verdict, effect, ours, theirs, drift)
    return ColumnDrift(
        name=column.name,
        kind=_kind(column.name, reference, current),
        role=column.role,
        verdict=verdict,
        measure=effect.measure if effect else None,
        effect=effect.estimate if effect else None,
        interval=(effect.low, effect.high) if effect else None,
        threshold=drift.effect,
        statistics=statistics,
        reason=reason,
    )


def _judge_effects(
    ours: ColumnProfile, theirs: ColumnProfile, rows: tuple[int, int], drift: Drift, alpha: float
) -> tuple[DriftVerdict, Effect | None, dict[str, float]]:
    """The verdict, the effect that decided, and the evidence.

    Without an effect on the values as a whole, what did not change proves nothing: undefined.
    """
    if min(rows) < drift.min_rows:
        return "undefined", None, {}
    change = missing_rate_change(ours, theirs, rows)
    effects: list[Effect] = []
    statistics: dict[str, float] = {}
    if min(ours.known, theirs.known) >= drift.min_rows:
        effects, statistics = value_effects(ours, theirs, alpha)
    whole = any(effect.measure in ("ks", "total_variation") for effect in effects)
    effects.append(missing_effect(change, rows, alpha))
    statistics["missing_rate_change"] = change
    verdict = _severest(_judge(effect, drift) for effect in effects)
    if not whole and verdict == "none":
        return "undefined", None, statistics
    severest = [effect for effect in effects if _judge(effect, drift) == verdict]
    return verdict, max(severest, key=lambda effect: effect.low), statistics


def _judge(effect: Effect, drift: Drift) -> DriftVerdict:
    if effect.low > drift.effect:
        return "confirmed"
    return "suspect" if effect.estimate > drift.effect and effect.low > 0 else "none"


def _column_reason(
    name: str,
    verdict: DriftVerdict,
    effect: Effect | None,
    ours: ColumnProfile,
    theirs: ColumnProfile,
    drift: Drift,
) -> str:
    if effect is None:
        known = min(ours.known, theirs.known)
        if known < drift.min_rows:
            return f"{name} has {known} values on one side; {drift.min_rows} are needed."
        return f"{name} has no level that holds 1 % of the reference."
    rule = {
        "confirmed": f"all of it above {drift.effect:g}",
        "suspect": f"above 0 but not all of it above {drift.effect:g}",
    }.get(verdict, f"which does not prove {drift.effect:g}")
    return (
        f"{name} has a {_MEASURE_NAMES[effect.measure]} of {effect.estimate:.3f} "
        f"(interval {effect.low:.3f} to {effect.high:.3f}), {rule}."
    )
