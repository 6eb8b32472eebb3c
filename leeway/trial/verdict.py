"""What follows from a trial: it goes on, or the challenger is promoted, or it goes.

Belongs here: that rule. Does not belong here: collecting the evidence, or carrying it out.

A challenger that is shown to fail too often goes at once, and none is promoted that has failed too
often so far: it goes on until it is one or the other. Where labels come, it is promoted when it is
shown to lose less and goes when it is shown to lose more, or when the labels are used up and
neither is shown: what is in place stays, as `docs/adr` has it everywhere. Where no labels are
waited for, the trial is of whether it works at all, and one that has worked for the time asked for
is promoted, on the evidence that its release rests on.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from leeway.spec.trial import Trial
from leeway.trial.rate import is_above
from leeway.trial.sequence import Floats, Sequential, sequential_mean

Action = Literal["wait", "promote", "back"]
# Probability that a trial ever shows a difference where there is none, and of its own that it shows
# too many failures where they are what is allowed.
ERROR = 0.05
LEAST_REQUESTS = 20  # of a challenger, before its failures are a rate


@dataclass(frozen=True)
class Evidence:
    """What is known of a trial now.

    `answered` and `failed` are requests of the challenger. `differences` are losses of the champion
    less those of the challenger, in the order in which the labels came; `unit` is theirs. `fewest`
    are the rows with labels that the challenger answered, where it did not answer all of them.
    """

    began_at: datetime
    answered: int
    failed: int
    differences: Floats
    unit: str
    fewest: int | None = None


@dataclass(frozen=True)
class TrialVerdict:
    """What is to be done, and why; `benefit` is the mean difference of the losses."""

    action: Action
    reason: str
    benefit: Sequential


def judge(evidence: Evidence, policy: Trial, now: datetime) -> TrialVerdict:
    """What follows from the evidence."""
    expected = policy.labelled_rows or len(evidence.differences) or 1
    benefit = sequential_mean(evidence.differences, ERROR, expected, evidence.fewest)
    asked = evidence.answered + evidence.failed
    allowed = policy.max_error_rate
    told = f"it failed on {evidence.failed} of {asked} requests, and {allowed:.0%} are allowed"
    if asked >= LEAST_REQUESTS and is_above(evidence.failed, asked, allowed, ERROR):
        return TrialVerdict("back", told, benefit)
    if policy.labelled_rows is None:
        found = _by_time(evidence, policy, asked, now, benefit)
    else:
        found = _by_labels(evidence, policy.labelled_rows, benefit)
    if found.action == "promote" and evidence.failed > allowed * asked:
        return TrialVerdict("wait", f"{told}, which may be by chance: {found.reason}", benefit)
    return found


def _by_time(
    evidence: Evidence, policy: Trial, asked: int, now: datetime, benefit: Sequential
) -> TrialVerdict:
    until = evidence.began_at + timedelta(hours=policy.hours)
    told = f"{evidence.failed} of {asked} requests failed"
    if now < until:
        return TrialVerdict("wait", f"{told}; it goes on until {until:%Y-%m-%d %H:%M} UTC", benefit)
    if asked < LEAST_REQUESTS:
        return TrialVerdict("wait", f"it had {asked} of {LEAST_REQUESTS} requests", benefit)
    return TrialVerdict("promote", f"{told} in {policy.hours:g} h", benefit)


def _by_labels(evidence: Evidence, wanted: int, benefit: Sequential) -> TrialVerdict:
    told = _told(benefit, evidence)
    if benefit.side > 0:
        return TrialVerdict("promote", f"it loses less: {told}", benefit)
    if benefit.side < 0:
        return TrialVerdict("back", f"it loses more: {told}", benefit)
    if benefit.rows >= wanted:
        return TrialVerdict("back", f"no benefit is shown: {told}", benefit)
    return TrialVerdict("wait", f"{benefit.rows} of {wanted} rows have labels: {told}", benefit)


def _told(benefit: Sequential, evidence: Evidence) -> str:
    unit = evidence.unit
    if benefit.mean is None:
        return "no row has a label yet"
    if benefit.low is None or benefit.high is None:
        if benefit.mean == 0 and not evidence.differences.any():
            return f"all answers to {benefit.rows} rows lose the same"
        return f"{benefit.mean:.4g} {unit} less on {benefit.rows} rows, too few for an interval"
    return (
        f"{benefit.mean:.4g} {unit} less ({benefit.low:.4g} to {benefit.high:.4g}) on "
        f"{benefit.rows} rows"
    )
