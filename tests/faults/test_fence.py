"""A process that was overtaken cannot commit.

The figure of the release: `LEEWAY_KILLS=50 .venv/bin/pytest -k fence`.
"""

from __future__ import annotations

import signal

import pytest

from resources.settings import Settings
from tests.faults.harness import (
    figure,
    hear,
    kill,
    start,
    stopped,
    times,
    until,
    zero,
)
from tests.faults.rows import NODE, visible

pytestmark = [pytest.mark.faults, pytest.mark.timeout(3600)]


def overtake(how: str, n: int, settings: Settings) -> tuple[int, int]:
    """Repeats: stops a process before its commit, commits a newer attempt, lets the old go on.

    Returns how many old ones were refused, and how often readers saw the old one's rows.
    """
    old = start("commit_rows", how, "1", str(n), LEEWAY_FAULTS=f"{NODE}.before_commit:wait")
    assert until(lambda: stopped(old.pid), 60) is not None  # its attempt is the older one
    new = start("commit_rows", "fenced", "1000", "0", LEEWAY_FAULTS=f"{NODE}.after_commit:wait")
    hear(old, "ready")
    hear(new, "ready")
    refused = overwritten = 0
    try:
        for trial in range(n):
            assert until(lambda: stopped(old.pid), 30) is not None
            if trial:
                new.send_signal(signal.SIGCONT)
                hear(new, "committed")
            assert until(lambda: stopped(new.pid), 30) is not None
            assert visible(settings) == 1000 + trial
            old.send_signal(signal.SIGCONT)
            refused += hear(old, "") == f"stale {trial + 1}"
            overwritten += visible(settings) != 1000 + trial
    finally:
        kill(old)
        kill(new)
    return refused, overwritten


def test_an_orphan_that_was_overtaken_is_refused(settings: Settings) -> None:
    n = times(12)
    refused, overwritten = overtake("fenced", n, settings)
    assert (refused, overwritten) == (n, 0)
    figure(f"fence: {refused} of {n} stale commits refused, {zero(n, 'overwrote the newer one')}")


def test_without_the_fence_the_orphan_would_win(settings: Settings) -> None:
    n = max(5, times(12) // 6)
    refused, overwritten = overtake("unfenced", n, settings)
    figure(f"fence, control: without it {overwritten} of {n} stale commits overwrote the newer one")
    assert (refused, overwritten) == (0, n)
