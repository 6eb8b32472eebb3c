"""A circuit breaker: who failed often is left alone for a while.

Belongs here: that rule (M. Nygard, Release It!, 2nd ed., ch. 5). Does not belong here: what is
tried, or a clock.
"""

from __future__ import annotations

from dataclasses import dataclass

FAILURES = 5
OPEN_SECONDS = 60.0


@dataclass
class Breaker:
    """Closed until `FAILURES` in a row; then open for `OPEN_SECONDS`, and one try decides."""

    failures: int = 0
    opened_at: float | None = None

    def allows(self, now: float) -> bool:
        """Whether to try; `now` in seconds of a clock that is never set."""
        return self.opened_at is None or now - self.opened_at >= OPEN_SECONDS

    def succeeded(self) -> None:
        """Closes it."""
        self.failures, self.opened_at = 0, None

    def failed(self, now: float) -> None:
        """Counts a failure, which opens it when there were enough."""
        self.failures += 1
        if self.failures >= FAILURES:
            self.opened_at = now
