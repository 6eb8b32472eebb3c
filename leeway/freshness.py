"""Whether a use case's newest data is as fresh as it should be.

Belongs here: the comparison of an age with the policy. Does not belong here: reading the clock or
the ledger, or Dagster's own daemon, which is given the same policy.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from leeway.spec import Freshness, as_timedelta

FreshnessState = Literal["pass", "warn", "fail", "unknown"]


def freshness_state(
    policy: Freshness | None, newest: datetime | None, now: datetime
) -> FreshnessState:
    """The state at `now` of data whose newest batch came at `newest`.

    Unknown without a policy or without data: something that never came is not fresh.
    """
    if policy is None or newest is None:
        return "unknown"
    age = now - newest
    if age > as_timedelta(policy.fail_after):
        return "fail"
    return "warn" if age > as_timedelta(policy.warn_after) else "pass"
