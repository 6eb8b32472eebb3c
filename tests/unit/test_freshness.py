"""How fresh data is at a given moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from leeway.freshness import FreshnessState, freshness_state
from leeway.spec import Freshness

POLICY = Freshness(warn_after="1d", fail_after="36h")
NOW = datetime(2026, 3, 29, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("age", "state"),
    [
        (timedelta(0), "pass"),
        (timedelta(hours=24), "pass"),
        (timedelta(hours=24, microseconds=1), "warn"),
        (timedelta(hours=36), "warn"),
        (timedelta(hours=36, microseconds=1), "fail"),
        (timedelta(days=3650), "fail"),
        (timedelta(hours=-1), "pass"),
    ],
)
def test_data_is_late_only_after_its_bound(age: timedelta, state: FreshnessState) -> None:
    assert freshness_state(POLICY, NOW - age, NOW) == state


def test_an_age_is_the_same_in_every_zone() -> None:
    tokyo = (NOW - timedelta(hours=24)).astimezone(timezone(timedelta(hours=9)))
    assert freshness_state(POLICY, tokyo, NOW) == "pass"


@pytest.mark.parametrize(("policy", "newest"), [(None, NOW), (POLICY, None), (None, None)])
def test_without_a_policy_or_data_freshness_is_unknown(
    policy: Freshness | None, newest: datetime | None
) -> None:
    assert freshness_state(policy, newest, NOW) == "unknown"
