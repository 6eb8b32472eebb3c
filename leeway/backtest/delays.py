"""How long after a known change a replay raised the first alarm on it.

Belongs here: which alarm is about a change, and when it came. Does not belong here: how an alarm
comes about (`leeway.backtest.walk`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from leeway.backtest.walked import Walked
from leeway.controller.facts import Cause

SECONDS_PER_DAY = 86_400


@dataclass(frozen=True)
class Delay:
    """How long after a known change the first alarm came, and its cause; None: none came."""

    change: str
    alarmed: str | None
    cause: Cause | None
    batches: int | None
    days: float | None

    def as_dict(self) -> dict[str, object]:
        """For JSON; 0 batches: the batch that brought the change raised the alarm."""
        return {
            "change": self.change,
            "alarm": self.alarmed,
            "cause": self.cause,
            "batches": self.batches,
            "days": self.days,
        }


def delays_of(walked: Walked, changes: Sequence[str]) -> list[Delay]:
    """For each known change, the first alarm on a batch from it on and before the next.

    Args:
        walked: what was replayed.
        changes: batches of it that are known to have changed.
    """
    order = [step.batch.name for step in walked.steps]
    positions = sorted(order.index(change) for change in changes)
    ends = [*positions[1:], len(order)]  # one more where there is no change
    return [_delay(walked, order, begin, end) for begin, end in zip(positions, ends, strict=False)]


def _delay(walked: Walked, order: Sequence[str], begin: int, end: int) -> Delay:
    """Until the moment of the alarm: a batch may be found to have changed long after it came.

    The age of the champion is no sign of a change.

    Args:
        walked: what was replayed.
        order: its batches.
        begin: place of the change among them.
        end: place of the next one.
    """
    about = order[begin:end]
    raised = (each for each in walked.incidents if each.batch in about)
    first = next((each for each in raised if each.cause != "freshness"), None)
    if first is None:
        return Delay(order[begin], None, None, None, None)
    days = (first.at - walked.steps[begin].batch.at).total_seconds() / SECONDS_PER_DAY
    after = order.index(walked.newest[first.digest]) - begin
    return Delay(order[begin], first.batch, first.cause, after, round(days, 3))
