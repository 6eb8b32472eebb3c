"""The batches that a rehearsal begins with: what the installation stored, or else its source's.

Belongs here: which batches, how many rows of them, and where they came from. Does not belong here:
planting (`leeway.rehearsal`). What was stored comes first: it is what the user's model was trained
on, it is there when the source is not, and reading it asks no other system for anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from leeway.rehearsal.errors import CannotRehearse
from leeway.spec import UseCase
from resources.settings import Settings
from resources.stand_ins import forget_decision, reading_of
from resources.stored_batches import stored_batches

if TYPE_CHECKING:
    import pyarrow as pa

MOST_BATCHES = 20  # the newest ones
MOST_ROWS = 20_000  # of a batch, its first: a rehearsal is about checks, and takes minutes at most


@dataclass(frozen=True)
class Given:
    """Batches by id, oldest first; `algorithm` is the champion's where there is one."""

    batches: dict[str, pa.Table]
    read_from: str
    algorithm: str | None


def given_of(name: str, use_case: UseCase, users: Settings, copy: Settings) -> Given:
    """What there is of a use case, at most `MOST_BATCHES` and `MOST_ROWS`.

    Args:
        name: of the use case.
        use_case: its source, which is asked where the installation has stored nothing.
        users: the installation, of which nothing is changed.
        copy: the private one, in which a stand-in for the source is decided on where it needs one.

    Raises:
        CannotRehearse: when there is no batch yet.
        SourceError: when nothing is stored, and the source cannot be read.
    """
    stored = stored_batches(name, users, MOST_BATCHES)
    if stored.batches:
        return Given(_cut(stored.batches), "what this installation stored", stored.algorithm)
    if users.environment == "production":
        use_case = use_case.model_copy(update={"stand_in": None})
    reading = reading_of(name, use_case, copy)
    found = {each: reading.source.read(each) for each in reading.source.batches()[-MOST_BATCHES:]}
    forget_decision(name, copy)  # the graph reads what was found from files
    if not found:
        raise CannotRehearse(f"{name} has no batch yet: there is nothing to plant a fault into")
    return Given(_cut(found), reading.description, None)


def _cut(batches: dict[str, pa.Table]) -> dict[str, pa.Table]:
    return {batch: table.slice(0, MOST_ROWS) for batch, table in batches.items()}
