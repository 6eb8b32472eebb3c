"""What a model was trained on, as what later batches are compared with.

Belongs here: putting the training part and its batches together. Does not belong here: reading them
(`assets.reference_profile`), or what is usual of them (`leeway.drift.usual`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace

from leeway.drift.history import MOST_BATCHES
from leeway.drift.profile import Profile
from leeway.drift.stored import Stored, merged
from leeway.drift.usual import history_of


def reference_stored(train: Profile, members: Iterable[Stored]) -> Stored:
    """The training part as `train`, its batches at each layer, and what is usual of them.

    Args:
        train: profile of the rows that the model was fitted on.
        members: what is kept of each batch, oldest first; they are read once, a few at a time.

    Raises:
        ValueError: when there is no batch.
    """
    newest: deque[Profile] = deque(maxlen=MOST_BATCHES)
    rows = 0

    def noted() -> Iterator[Stored]:
        nonlocal rows
        for each in members:
            clean = each.profiles["clean"]
            newest.append(clean)
            rows += clean.rows
            yield each

    together = merged(noted())
    history = history_of(train, list(newest), rows)
    return replace(together, profiles={"train": train, **together.profiles}, history=history)
