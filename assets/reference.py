"""What a batch is compared with: the champion's reference, and what is known of batches before it.

Belongs here: reading the reference profile of a release, earlier verdicts and profiles, and handing
them to the comparison. Does not belong here: comparing (`leeway.drift.verdict`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from assets.released import Batch
from leeway.drift.answered import Answered, newest_of
from leeway.drift.history import MOST_BATCHES, PastBatch, past_batch_from, settled
from leeway.drift.profile import Profile
from leeway.drift.season import is_earlier_season
from leeway.drift.stored import Stored, as_reference, from_bytes
from leeway.drift.verdict import BatchDrift, compare_profiles
from leeway.spec import UseCase
from resources.ledger import Commit

MOST_SEASONAL = 1500  # earlier batches that are looked through: four years of daily ones


@dataclass(frozen=True)
class Before:
    """The batch before one: its profile unless it is to be left out, and when it ended."""

    profile: Profile | None
    until: float | None


def reference_of(batch: Batch, current: Profile) -> Stored | None:
    """What the batch is compared with, as `train`, by what the use case says; None: nothing yet.

    The batches before it that were held against the same and did not drift are what is usual, but
    for the newest.
    """
    mode = batch.stage.use_case.drift.reference
    if mode == "training_part":
        entry = batch.champion.manifest["files"]["reference_profile"]
        found = from_bytes(batch.platform.store.get(str(entry["uri"]), str(entry["digest"])))
    else:
        chosen = _previous(batch) if mode == "previous_batch" else _of_season(batch, current)
        if not chosen:
            return None
        found = as_reference(_profile(batch, each) for each in chosen)
    since = [
        past_batch_from(commit.facts["effects"])
        for commit in settled(_verdicts(batch))
        if commit.facts["verdict"] != "confirmed"
        and not commit.facts["trained_on"]
        and not commit.facts.get("answered")  # what a change did is not what is usual
    ]
    return replace(found, history=since if batch.live else [*found.history, *since])


def _earlier(batch: Batch, node: str, limit: int) -> list[Commit]:
    """What a node has of the batches before, or of the windows before a window; oldest first."""
    ledger, name = batch.platform.ledger, batch.stage.name
    return ledger.earlier(name, node, batch.name, limit, live=batch.live)


def _profiled(batch: Batch, limit: int) -> list[Commit]:
    return _earlier(batch, "traffic" if batch.live else "profile", limit)


def _profile(batch: Batch, commit: Commit) -> Stored:
    """That of a batch; a window has it beside its rows."""
    entry = commit.facts.get("profile", {"uri": commit.uri, "digest": commit.digest})
    return from_bytes(batch.platform.store.get(str(entry["uri"]), str(entry["digest"])))


def _previous(batch: Batch) -> list[Commit]:
    return _profiled(batch, 1)


def _of_season(batch: Batch, current: Profile) -> list[Commit]:
    earlier = _profiled(batch, MOST_SEASONAL)
    span = {"since": current.since, "until": current.until}
    return [each for each in earlier if is_earlier_season(span, each.facts)]


def before(batch: Batch) -> Before | None:
    """The batch before this one; without its profile when it drifted or is known to the model."""
    found = _previous(batch)
    if not found:
        return None
    until = found[0].facts["until"]
    if not batch.stage.use_case.drift.pairs:
        return Before(None, until)
    node = "traffic_drift" if batch.live else "drift"
    judged = batch.platform.ledger.current(batch.stage.name, node, found[0].batch)
    if judged is None or not _is_alike(batch, judged):
        return Before(None, until)
    if judged.facts["verdict"] == "confirmed" or judged.facts["trained_on"]:
        return Before(None, until)
    return Before(_profile(batch, found[0]).profiles["clean"], until)


def verdict_on(
    current: Profile,
    reference: Stored,
    earlier: Before | None,
    use_case: UseCase,
    exact: Mapping[str, float] | None = None,
) -> BatchDrift:
    """The verdict on a profile, with what is known of the batches before it.

    `exact` is the KS distance by column, where somebody looked.
    """
    ends = (current.until, earlier.until if earlier else None)
    return compare_profiles(
        reference.profiles["train"],
        current,
        use_case.drift,
        use_case.columns,
        before=earlier.profile if earlier else None,
        seconds=None if ends[0] is None or ends[1] is None else ends[0] - ends[1],
        history=reference.history,
        exact=exact,
    )


def answered_in(batch: Batch, columns: Sequence[str]) -> list[Answered]:
    """For each of the columns the newest batch whose drift the champion was trained for.

    Only the training part knows such batches: other references are of batches, not of a model.
    """
    if batch.stage.use_case.drift.reference != "training_part":
        return []
    platform, name, champion = batch.platform, batch.stage.name, batch.champion
    known = platform.releases.trained_for(name, champion.digest, champion.manifest["batches"])
    if batch.live:
        known = [*platform.releases.trained_for_traffic(name, champion.release.version), *known]
    windows = {each.batch for each in known if each.live}
    found = []
    for at, of_batch in newest_of(columns, known).items():
        commit = platform.ledger.require(name, "traffic" if at in windows else "profile", at)
        found.append(Answered(at, of_batch, _profile(batch, commit).profiles["clean"]))
    return found


def made_alike(batch: Batch, made_by: str) -> list[PastBatch]:
    """The effects on earlier batches that were made by the same definitions, oldest first.

    None where the reference is of batches: each of them was held against another one.
    """
    if batch.stage.use_case.drift.reference != "training_part":
        return []
    return [
        past_batch_from(commit.facts["effects"])
        for commit in _verdicts(batch)
        if commit.facts.get("made_by") == made_by and not commit.facts["answered"]
    ]


def _verdicts(batch: Batch) -> list[Commit]:
    """Verdicts on earlier batches against the same reference, oldest first."""
    commits = _earlier(batch, "traffic_drift" if batch.live else "drift", MOST_BATCHES)
    return [each for each in commits if _is_alike(batch, each)]


def _is_alike(batch: Batch, verdict: Commit) -> bool:
    """Whether an earlier batch was held against the same.

    Against the training part that is the same release; else it is the same kind of reference.
    """
    mode, version = batch.stage.use_case.drift.reference, batch.champion.release.version
    if verdict.facts["reference"] != mode:
        return False
    return mode != "training_part" or bool(verdict.facts["version"] == version)
