"""Deep health: each dependency is looked at once in a while, in a bounded time, one by one."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from serving import dependencies
from serving.dependencies import Dependencies, Seen


def seen_of(found: Dependencies) -> dict[str, Seen]:
    return asyncio.run(found.seen())


def test_one_that_hangs_is_told_in_time_and_hides_none_of_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dependencies, "TIMEOUT_SECONDS", 0.2)
    hanging, looks = threading.Event(), []

    def hangs() -> None:
        looks.append("hangs")
        hanging.wait(30)

    def fails() -> None:
        raise OSError("refused")

    found = Dependencies({"hangs": hangs, "fails": fails, "answers": lambda: None})
    started = time.monotonic()
    seen = seen_of(found)
    assert time.monotonic() - started < 2
    assert seen["hangs"].problem == "no answer within 0.2 s"
    assert seen["fails"].problem == "OSError: refused"
    assert seen["answers"].problem is None
    monkeypatch.setattr(dependencies, "FRESH_SECONDS", 0.0)
    seen_of(found)
    assert looks == ["hangs"], "never twice at once"
    hanging.set()


def test_what_was_found_counts_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    found = Dependencies({"one": lambda: looks.append(1)})
    for _ in range(10):
        seen_of(found)
    assert len(looks) == 1
    monkeypatch.setattr(dependencies, "FRESH_SECONDS", 0.0)
    seen_of(found)
    assert len(looks) == 2
