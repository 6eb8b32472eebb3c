"""How long the next training waits: cool-down, back-off and budget.

Belongs here: when a training may start, from those before it. Does not belong here: whether there
is anything to train for (`leeway.controller.machine`).

Times are compared, never subtracted from a clock: where the clock goes backwards a wait gets
longer, and nothing starts twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from leeway.controller.facts import RESULTS, WITHOUT_BENEFIT, Facts, Intent, Training
from leeway.spec import Retraining, as_timedelta


@dataclass(frozen=True)
class Wait:
    """No training may start before `until`."""

    until: datetime
    reason: str


def wait_of(facts: Facts, policy: Retraining, now: datetime, start: tuple[str, int]) -> Wait | None:
    """The longest wait that has not ended, or None.

    Args:
        facts: trainings and intents.
        policy: of the use case.
        now: of the same awareness of time zones as the recorded times.
        start: incident and attempt that would start, which do not hold themselves up where that was
            decided before and not carried out.
    """
    others = [each for each in facts.intents if (each.incident, each.attempt) != start]
    waits = [_cooldown(facts.trainings, policy), _budget(facts.trainings, others, policy)]
    ahead = [wait for wait in waits if wait is not None and now < wait.until]
    return max(ahead, key=lambda wait: wait.until, default=None)


def without_benefit(trainings: Sequence[Training]) -> int:
    """How many incidents were trained for in a row, up to now, and the champion stayed.

    A promotion ends the row, whoever trained; a training that no incident caused does not add to
    it, and neither does a proposal that nobody has answered.
    """
    row: set[str] = set()
    for training in reversed(trainings):
        if training.outcome == "promoted":
            break
        if training.incident is not None and training.outcome in WITHOUT_BENEFIT:
            row.add(training.incident)
    return len(row)


def _cooldown(trainings: Sequence[Training], policy: Retraining) -> Wait | None:
    """From the last result on; each training without benefit doubles it."""
    finished = [
        training.finished_at
        for training in trainings
        if training.finished_at is not None and training.outcome in RESULTS
    ]
    if not finished:
        return None
    last, row = max(finished), without_benefit(trainings)
    until = last + _doubled(policy, row)
    told = f"The last training finished at {last.isoformat()}; "
    if row:
        told += f"{row} in a row brought no benefit, so the cool-down of {policy.cooldown} became "
        told += f"{until - last} and ends at {until.isoformat()}."
    else:
        told += f"the cool-down of {policy.cooldown} ends at {until.isoformat()}."
    return Wait(until, told)


def _doubled(policy: Retraining, row: int) -> timedelta:
    """The cool-down, doubled so often, but never beyond the longest wait."""
    cooldown, longest = as_timedelta(policy.cooldown), as_timedelta(policy.longest_wait)
    # In seconds, since a product of time spans may be too long for one.
    seconds = min(cooldown.total_seconds() * 2**row, longest.total_seconds())
    return max(cooldown, timedelta(seconds=seconds))


def _budget(
    trainings: Sequence[Training], intents: Sequence[Intent], policy: Retraining
) -> Wait | None:
    """Until the oldest of as many starts as the budget allows is a window ago.

    A start counts from when it was decided or from when its run was made, whichever is later: a
    decision may be carried out long after a crash. Whoever started it, it counts.
    """
    decided: dict[tuple[str, int], datetime] = {}
    starts: list[datetime] = []
    for training in trainings:
        if training.incident is None:
            starts.append(training.started_at)
        else:
            key = (training.incident, training.attempt)
            decided[key] = max(training.started_at, decided.get(key, training.started_at))
    for each in intents:
        key = (each.incident, each.attempt)
        decided[key] = max(each.at, decided.get(key, each.at))
    starts = sorted([*starts, *decided.values()])
    if len(starts) < policy.budget:
        return None
    until = starts[-policy.budget] + as_timedelta(policy.window)
    many = f"{policy.budget} training{'s' if policy.budget > 1 else ''}"
    return Wait(
        until,
        f"The budget of {many} in {policy.window} is used up until {until.isoformat()}.",
    )
