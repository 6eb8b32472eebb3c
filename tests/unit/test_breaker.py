"""Who failed five times in a row is left alone for a minute, and then tried once."""

from __future__ import annotations

from serving.breaker import FAILURES, OPEN_SECONDS, Breaker


def test_it_opens_after_five_failures_in_a_row_and_lets_one_try_through_after_a_minute() -> None:
    breaker = Breaker()
    for _ in range(FAILURES - 1):
        breaker.failed(0.0)
    breaker.succeeded()
    for _ in range(FAILURES - 1):
        breaker.failed(10.0)
    assert breaker.allows(10.0)
    breaker.failed(10.0)
    assert not breaker.allows(10.0 + OPEN_SECONDS - 0.1)
    assert breaker.allows(10.0 + OPEN_SECONDS)
    breaker.failed(80.0)
    assert not breaker.allows(80.0 + OPEN_SECONDS - 0.1)
    breaker.succeeded()
    assert breaker.allows(80.0)
