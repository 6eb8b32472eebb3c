"""The verdict on a batch of a replay, with what production would have compared it with.

Belongs here: the batch before, what is usual by then, who moved the columns: as `assets.reference`
and `assets.drift` put them together. Does not belong here: the verdict (`leeway.drift.verdict`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from leeway.backtest.facts import Batch, Trained
from leeway.controller.facts import Origin, Verdict
from leeway.drift.history import MOST_BATCHES, PastBatch
from leeway.drift.origin import origin_of, who_of
from leeway.drift.verdict import BatchDrift, compare_profiles
from leeway.spec import UseCase


@dataclass(frozen=True)
class Looked:
    """A verdict, in short; `past` is what later ones need of it."""

    verdict: Verdict
    reason: str
    columns: tuple[str, ...]
    target_verdict: Verdict | None
    alarm_probability: float
    origin: Origin
    past: PastBatch


def look_at(
    batch: Batch,
    earlier: Sequence[Batch],
    looked: Mapping[str, Looked],
    champion: Trained,
    use_case: UseCase,
) -> Looked:
    """Compares a batch that the champion was not trained on with the champion's reference.

    Args:
        batch: that has come.
        earlier: those that came before it, oldest first.
        looked: verdicts on those of them that were held against this champion, oldest first.
        champion: with its reference.
        use_case: its columns, and the policy.
    """
    reference, before = champion.reference, earlier[-1] if earlier else None
    names = {each.name for each in earlier}
    mine = {name: each for name, each in looked.items() if name in names}
    quiet = before is not None and before.name in mine and mine[before.name].verdict != "confirmed"
    since = [
        each.past for each in list(mine.values())[-MOST_BATCHES:] if each.verdict != "confirmed"
    ]
    until, ended = batch.clean.until, before.clean.until if before else None
    found = compare_profiles(
        reference.profiles["train"],
        batch.clean,
        use_case.drift,
        use_case.columns,
        before=before.clean if before is not None and quiet else None,
        seconds=None if until is None or ended is None else until - ended,
        history=[*reference.history, *since],
    )
    return Looked(
        found.verdict,
        found.reason,
        found.drifted,
        found.target_verdict,
        found.alarm_probability,
        _who(found, batch, champion, use_case),
        found.past_batch,
    )


def _who(found: BatchDrift, batch: Batch, champion: Trained, use_case: UseCase) -> Origin:
    """Who moved the features, as far as the stored profiles tell."""
    origins = [
        origin_of(
            each.name, each.measure, champion.reference, batch.stored, use_case.drift.min_rows
        )
        for each in found.columns
        if each.name in found.drifted and each.verdict == "confirmed" and each.measure is not None
    ]
    return who_of(origins) or "unknown"
