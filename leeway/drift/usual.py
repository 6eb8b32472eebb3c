"""What is usual of the batches that a model was trained on.

Belongs here: the effects on each of them, compared with all. Does not belong here: how that widens
an interval (`leeway.drift.history`).
"""

from __future__ import annotations

from collections.abc import Sequence

from leeway.drift.history import MOST_BATCHES, PastBatch, PastEffect
from leeway.drift.measured import effects_of, sides_of
from leeway.drift.profile import Profile

MOST_OF_ALL = 0.5  # a batch that is more than that of the rows is hardly compared with others
MIN_ROWS = 30  # with fewer, an effect tells nothing


def history_of(reference: Profile, newest: Sequence[Profile], rows: int) -> list[PastBatch]:
    """How far each of the newest batches is from the others, oldest first.

    A batch is a part of the reference, and by that share closer to it than to the others. Batches
    that are more than half of all are left out.

    Args:
        reference: of all batches together.
        newest: of the batches that it is made of, oldest first; those before the last
            `MOST_BATCHES` are not asked for.
        rows: of all batches that it is made of.
    """
    shares = [(batch, batch.rows / max(rows, 1)) for batch in newest[-MOST_BATCHES:]]
    return [_past(reference, batch, share) for batch, share in shares if share <= MOST_OF_ALL]


def _past(reference: Profile, batch: Profile, share: float) -> PastBatch:
    """The effects on a batch, from the other batches: from all they are less by its own share."""
    found: dict[str, dict[str, PastEffect]] = {}
    for name in reference.columns:
        sides = sides_of(name, reference, batch)
        if sides is not None and min(sides.rows) >= MIN_ROWS:
            found[name] = {
                raw.measure: PastEffect(min(1.0, raw.estimate / (1 - share)), raw.expected_square)
                for raw in effects_of(sides, MIN_ROWS)
            }
    return found
