"""Drift that the model was trained for: the batches after it look alike, and are no news.

Belongs here: taking such columns out of a verdict. Does not belong here: the verdict
(`leeway.drift.verdict`), or which batches a model was trained for (the ledger).

After a training on all batches the reference is a mixture of old rows and new ones. A batch of a
change that lasts differs from that mixture as long as the old rows are many, and each would ask for
the training that has been done. Whether the model is good enough for them is asked elsewhere, of
labels and of the estimated damage.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from leeway.controller.facts import Incident
from leeway.drift.column import MILDEST_FIRST, ColumnDrift, DriftVerdict
from leeway.drift.policy import DriftPolicy, Watched
from leeway.drift.profile import Profile
from leeway.drift.verdict import BatchDrift, compare_profiles, conclusion

_NEWS: tuple[DriftVerdict, ...] = ("suspect", "confirmed")
_NO_NEWS: tuple[DriftVerdict, ...] = ("none", "suspect")


@dataclass(frozen=True)
class Answered:
    """A batch that drifted from an earlier release in `columns`, and that is trained on now."""

    batch: str
    columns: tuple[str, ...]
    profile: Profile


def newest_of(columns: Collection[str], known: Iterable[Incident]) -> dict[str, tuple[str, ...]]:
    """For each column the newest batch of which it drifted: columns by batch.

    Args:
        columns: that are asked for; those that never drifted are in no batch.
        known: drift that the model was trained for, the newest first.
    """
    found: dict[str, tuple[str, ...]] = {}
    left = set(columns)
    for incident in known:
        if mine := left & set(incident.columns):
            found[incident.batch] = (*found.get(incident.batch, ()), *sorted(mine))
            left -= mine
    return found


def without_answered(
    found: BatchDrift,
    answered: Sequence[Answered],
    current: Profile,
    drift: DriftPolicy,
    columns: Sequence[Watched],
) -> BatchDrift:
    """The verdict without what looks as it did in the batches that the model was trained for.

    Such a column is held against that batch alone, with the same rule. Unless it is confirmed to
    have moved since, that is its verdict; where either has too few rows to tell, nothing changes.

    Args:
        found: the verdict on the batch.
        answered: the batches that were trained for, each with columns of its own.
        current: profile of the batch.
        drift: the rule and its budget.
        columns: of the use case.
    """
    judged = {column.name: column for column in found.columns}
    for each in answered:
        watched = [column for column in columns if column.name in each.columns]
        for since in compare_profiles(each.profile, current, drift, watched).columns:
            column = judged[since.name]
            if since.verdict in _NO_NEWS and column.verdict in _NEWS:
                judged[since.name] = _against(since, each.batch, column)
    verdict, reason = conclusion(judged.values())
    return replace(found, columns=tuple(judged.values()), verdict=verdict, reason=reason)


def _against(since: ColumnDrift, batch: str, column: ColumnDrift) -> ColumnDrift:
    """The column, with the verdict of having been held against the batch, which is no severer."""
    reason = (
        f"Against batch {batch}, for whose drift the model was trained: {since.reason} "
        f"Against the reference: {column.reason}"
    )
    verdict = min(since.verdict, column.verdict, key=MILDEST_FIRST.index)
    return replace(column, verdict=verdict, answered=batch, reason=reason)
