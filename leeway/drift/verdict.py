"""Whether a batch has drifted from a reference.

Belongs here: the verdict of a batch from those of its columns. Does not belong here: the rule for a
column (`leeway.drift.rule`), how far a column moved (`leeway.drift.effects`), making profiles
(`leeway.drift.profile`), or what follows (`leeway.controller`).

The verdict is about the features. That of the target and of the predictions is told apart: a new
mix of outcomes asks for other remedies than new inputs do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import repeat

from leeway.drift.budget import alarm_probability
from leeway.drift.column import MILDEST_FIRST, ColumnDrift, DriftVerdict
from leeway.drift.effects import MOST_EFFECTS
from leeway.drift.history import PastBatch, PastEffect
from leeway.drift.numbers import NumberProfile
from leeway.drift.policy import DriftPolicy, Watched
from leeway.drift.profile import PROFILED_ROLES, Kind, Profile, merge_common
from leeway.drift.rule import Looks, judge_column

MOST_TOLD = 3


@dataclass(frozen=True)
class BatchDrift:
    """The verdict of a batch.

    `verdict` is about its features alone, `target_verdict` about its target (None: there is none).
    Monitored columns are reported and decide neither. `alarm_probability` is what the verdict
    spends of the budget of false alarms, `history` the number of batches that tell what is usual.
    """

    verdict: DriftVerdict
    reason: str
    columns: tuple[ColumnDrift, ...]
    rows_reference: int
    rows_current: int
    target_verdict: DriftVerdict | None
    alarm_probability: float
    history: int

    @property
    def drifted(self) -> tuple[str, ...]:
        """Names of the features whose suspect or confirmed verdict is that of the batch."""
        if self.verdict not in ("suspect", "confirmed"):
            return ()
        features = (column for column in self.columns if column.role == "feature")
        return tuple(column.name for column in features if column.verdict == self.verdict)

    @property
    def moved(self) -> tuple[str, ...]:
        """Names of all columns that are suspect or confirmed, whatever their role."""
        return tuple(c.name for c in self.columns if c.verdict in ("suspect", "confirmed"))

    @property
    def drifted_share(self) -> float | None:
        """Share of the judged features that are confirmed to have drifted; None: none is judged."""
        judged = [
            column.verdict == "confirmed"
            for column in self.columns
            if column.role == "feature" and column.verdict != "undefined"
        ]
        return sum(judged) / len(judged) if judged else None

    @property
    def answered(self) -> tuple[str, ...]:
        """Names of the columns that look as in a batch for whose drift the model was trained."""
        return tuple(column.name for column in self.columns if column.answered is not None)

    @property
    def past_batch(self) -> PastBatch:
        """What later verdicts need of this one to know what is usual."""
        return {
            column.name: {
                each.measure: PastEffect(each.estimate, each.expected_square)
                for each in column.effects
            }
            for column in self.columns
        }

    def as_dict(self) -> dict[str, object]:
        """For JSON: the report of a batch."""
        return {
            "verdict": self.verdict,
            "reason": self.reason,
            "drifted_share": self.drifted_share,
            "target_verdict": self.target_verdict,
            "alarm_probability": self.alarm_probability,
            "history": self.history,
            "rows": {"reference": self.rows_reference, "current": self.rows_current},
            "columns": {column.name: column.as_dict() for column in self.columns},
        }


def compare_profiles(
    reference: Profile,
    current: Profile,
    drift: DriftPolicy,
    columns: Sequence[Watched],
    *,
    before: Profile | None = None,
    seconds: float | None = None,
    history: Sequence[PastBatch] = (),
    exact: Mapping[str, float] | None = None,
    called: str = "features",
) -> BatchDrift:
    """Compares the target, the features and the monitored columns of a batch with the reference.

    Args:
        reference: what the champion was trained on.
        current: the batch.
        drift: the rule and its budget.
        columns: of the use case.
        before: the batch before this one, where it was not confirmed to have drifted: both together
            are looked at, too.
        seconds: between the end of that batch and of this one; None where no time column tells.
        history: what `past_batch` gave of earlier batches compared with this reference, oldest
            first, without those that were confirmed to have drifted.
        exact: the KS distance by column, where somebody looked.
        called: what the features are called in the reason.
    """
    compared = [column for column in columns if column.role in PROFILED_ROLES]
    kinds = [_kind(column.name, reference, current) for column in compared]
    looks = Looks(
        reference,
        current,
        both=None if before is None else merge_common([current, before]),
        drift=drift,
        probability=alarm_probability(drift, seconds),
        effects=max(sum(MOST_EFFECTS[kind] for kind in kinds), 1),
        history=history,
        exact=exact or {},
    )
    judged = map(judge_column, compared, kinds, repeat(looks))
    return _of_columns(tuple(judged), looks, called)


def _of_columns(found: tuple[ColumnDrift, ...], looks: Looks, called: str) -> BatchDrift:
    targets = [column.verdict for column in found if column.role == "target"]
    verdict, reason = conclusion(found, called)
    return BatchDrift(
        verdict=verdict,
        reason=reason,
        columns=found,
        rows_reference=looks.reference.rows,
        rows_current=looks.current.rows,
        target_verdict=targets[0] if targets else None,
        alarm_probability=looks.probability,
        history=len(looks.history),
    )


def without_reference(
    current: Profile, drift: DriftPolicy, columns: Sequence[Watched], of: str
) -> BatchDrift:
    """The verdict undefined, where there is nothing yet to compare a batch with.

    Args:
        of: the kind of reference that there is none of, as `drift.reference` has it.
    """
    found = compare_profiles(Profile(0, {}), current, drift, columns)
    return replace(found, reason=f"There is no {of.replace('_', ' ')} to compare with yet.")


def conclusion(
    columns: Iterable[ColumnDrift], called: str = "features"
) -> tuple[DriftVerdict, str]:
    """The verdict of a batch from those of its columns, `called` so, with its reason."""
    features = [column for column in columns if column.role == "feature"]
    verdict = _severest(feature.verdict for feature in features)
    return verdict, _reason(verdict, features, called)


def _kind(name: str, reference: Profile, current: Profile) -> Kind:
    found = current.columns.get(name) or reference.columns.get(name)
    return "number" if isinstance(found, NumberProfile) else "category"


def _severest(verdicts: Iterable[DriftVerdict]) -> DriftVerdict:
    return MILDEST_FIRST[max((MILDEST_FIRST.index(verdict) for verdict in verdicts), default=0)]


def _reason(verdict: DriftVerdict, features: Sequence[ColumnDrift], called: str) -> str:
    """Why, by the foremost columns: a page of 500 would say less."""
    unknown = [feature for feature in features if feature.verdict == "undefined"]
    if verdict == "undefined":
        return unknown[0].reason if unknown else "No feature is compared."
    if verdict == "none":
        judged = len(features) - len(unknown)
        told = f"None of {judged} {called} has moved by more than is usual or worth acting on."
        known = [feature.reason for feature in features if feature.answered is not None]
        told = " ".join([told, *known[:MOST_TOLD]])
    else:
        severe = [feature for feature in features if feature.verdict == verdict]
        severe.sort(key=lambda feature: -(feature.effect or 0.0))
        told = " ".join(feature.reason for feature in severe[:MOST_TOLD])
        others = [feature.name for feature in severe[MOST_TOLD:]]
        told += f" Also {verdict}: {names_told(others)}." if others else ""
    names = names_told([feature.name for feature in unknown])
    return f"{told} Not judged: {names}." if unknown else told


def names_told(names: Sequence[str]) -> str:
    """The first names, and how many there are besides."""
    left = len(names) - MOST_TOLD
    more = f" and {left} more" if left > 0 else ""
    return ", ".join(names[:MOST_TOLD]) + more
