"""The verdict on a batch of a replay, with what production would have compared it with.

Belongs here: the reference, the batch before, what is usual by then, who moved the columns: as
`assets.reference` and `assets.drift` put them together. Does not belong here: the verdict
(`leeway.drift.verdict`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from leeway.backtest.facts import Batch, Trained
from leeway.controller.facts import Incident, Origin, Verdict
from leeway.digests import digest_of
from leeway.drift.answered import Answered, newest_of, without_answered
from leeway.drift.history import MOST_BATCHES, PastBatch, settled
from leeway.drift.origin import origin_of, who_of
from leeway.drift.season import is_earlier_season
from leeway.drift.stored import Stored, as_reference
from leeway.drift.verdict import BatchDrift, compare_profiles, without_reference
from leeway.spec import UseCase


@dataclass(frozen=True)
class Looked:
    """A verdict, in short; `past` is what later ones need of it.

    `made_by` is the digest of the definitions that made the batch.
    """

    verdict: Verdict
    reason: str
    columns: tuple[str, ...]
    target_verdict: Verdict | None
    origin: Origin
    answered: tuple[str, ...]
    past: PastBatch
    made_by: str


def look_at(
    batch: Batch,
    earlier: Sequence[Batch],
    looked: Mapping[str, Looked],
    champion: Trained,
    use_case: UseCase,
    known: Sequence[tuple[Incident, Batch]] = (),
) -> Looked:
    """Compares a batch that the champion was not trained on with what `drift.reference` says.

    Args:
        batch: that has come.
        earlier: those that came before it, oldest first.
        looked: verdicts on those of them that were held against the same, oldest first.
        champion: with its reference.
        use_case: its columns, and the policy.
        known: drift that the champion was trained for, with its batch, the newest first.
    """
    made_by = digest_of(batch.stored.definitions)
    reference = _reference(batch, earlier, champion, use_case)
    if reference is None:
        kind = use_case.drift.reference
        found = without_reference(batch.clean, use_case.drift, use_case.columns, kind)
        return _looked(found, "unknown", made_by)
    names = {each.name for each in earlier}
    mine = {name: each for name, each in looked.items() if name in names}
    found = _compared(batch, earlier, mine, reference, use_case)
    newest = newest_of(found.moved, [incident for incident, _ in known])
    profiles = {each.name: each.clean for _, each in known}
    answered = [Answered(at, columns, profiles[at]) for at, columns in newest.items()]
    found = without_answered(found, answered, batch.clean, use_case.drift, use_case.columns)
    alike = _made_alike(mine, made_by, use_case)
    return _looked(found, _who(found, batch, reference, use_case, alike), made_by)


def _compared(
    batch: Batch,
    earlier: Sequence[Batch],
    mine: Mapping[str, Looked],
    reference: Stored,
    use_case: UseCase,
) -> BatchDrift:
    """The comparison with the reference, with what is known of the batches before."""
    before = earlier[-1] if earlier else None
    quiet = (
        use_case.drift.pairs
        and before is not None
        and before.name in mine
        and mine[before.name].verdict != "confirmed"
    )
    since = [
        each.past
        for each in settled(list(mine.values())[-MOST_BATCHES:])
        if each.verdict != "confirmed" and not each.answered
    ]
    until, ended = batch.clean.until, before.clean.until if before else None
    return compare_profiles(
        reference.profiles["train"],
        batch.clean,
        use_case.drift,
        use_case.columns,
        before=before.clean if before is not None and quiet else None,
        seconds=None if until is None or ended is None else until - ended,
        history=[*reference.history, *since],
    )


def _reference(
    batch: Batch, earlier: Sequence[Batch], champion: Trained, use_case: UseCase
) -> Stored | None:
    """What the batch is compared with; None: nothing yet."""
    mode = use_case.drift.reference
    if mode == "training_part":
        return champion.reference
    chosen = earlier[-1:]
    if mode == "season":
        span = _span(batch)
        chosen = [each for each in earlier if is_earlier_season(span, _span(each))]
    return as_reference([each.stored for each in chosen]) if chosen else None


def _span(batch: Batch) -> dict[str, float | None]:
    return {"since": batch.clean.since, "until": batch.clean.until}


def _looked(found: BatchDrift, origin: Origin, made_by: str) -> Looked:
    return Looked(
        found.verdict,
        found.reason,
        found.drifted,
        found.target_verdict,
        origin,
        found.answered,
        found.past_batch,
        made_by,
    )


def _made_alike(mine: Mapping[str, Looked], made_by: str, use_case: UseCase) -> list[PastBatch]:
    """The effects on earlier batches that were made by the same definitions, oldest first.

    None where the reference is of batches: each of them was held against another one.
    """
    if use_case.drift.reference != "training_part":
        return []
    newest = list(mine.values())[-MOST_BATCHES:]
    return [each.past for each in newest if each.made_by == made_by and not each.answered]


def _who(
    found: BatchDrift,
    batch: Batch,
    reference: Stored,
    use_case: UseCase,
    alike: Sequence[PastBatch],
) -> Origin:
    """Who moved the features, as far as the stored profiles tell."""
    rows = use_case.drift.min_rows
    origins = [
        origin_of(each.name, each.measure, reference, batch.stored, rows, alike)
        for each in found.columns
        if each.name in found.drifted and each.verdict == "confirmed" and each.measure is not None
    ]
    return who_of(origins) or "unknown"
