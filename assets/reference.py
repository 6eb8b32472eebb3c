"""What a batch is compared with: the champion's reference, and what is known of batches before it.

Belongs here: reading the reference profile of a release, earlier verdicts and profiles. Does not
belong here: comparing (`leeway.drift.verdict`).
"""

from dataclasses import dataclass, replace

from assets.released import Batch
from leeway.drift.history import MOST_BATCHES, past_batch_from
from leeway.drift.profile import Profile
from leeway.drift.stored import Stored, from_bytes
from resources.ledger import Commit


@dataclass(frozen=True)
class Before:
    """The batch before one: its profile unless it is to be left out, and when it ended."""

    profile: Profile | None
    until: float | None


def reference_of(batch: Batch) -> Stored:
    """What the champion was trained on; the batches that came since and did not drift are usual."""
    champion = batch.champion
    entry = champion.manifest["files"]["reference_profile"]
    stored = from_bytes(batch.platform.store.get(str(entry["uri"]), str(entry["digest"])))
    since = [
        past_batch_from(commit.facts["effects"])
        for commit in _verdicts(batch)
        if commit.facts["verdict"] != "confirmed" and not commit.facts["trained_on"]
    ]
    return replace(stored, history=[*stored.history, *since])


def before(batch: Batch) -> Before | None:
    """The batch before this one; without its profile when it drifted, or was trained on."""
    ledger, name = batch.platform.ledger, batch.stage.name
    found = ledger.earlier(name, "profile", batch.name, 1)
    if not found:
        return None
    until = found[0].facts["until"]
    judged = [commit for commit in _verdicts(batch)[-1:] if commit.batch == found[0].batch]
    quiet = judged and judged[0].facts["verdict"] != "confirmed"
    if not quiet or judged[0].facts["trained_on"]:
        return Before(None, until)
    data = batch.platform.store.get(found[0].uri, found[0].digest)
    return Before(from_bytes(data).profiles["clean"], until)


def _verdicts(batch: Batch) -> list[Commit]:
    """Verdicts on earlier batches against the same release, oldest first."""
    commits = batch.platform.ledger.earlier(batch.stage.name, "drift", batch.name, MOST_BATCHES)
    version = batch.champion.release.version
    return [each for each in commits if each.facts["version"] == version]
