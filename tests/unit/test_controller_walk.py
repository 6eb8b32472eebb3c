"""Every sequence of a few events, to a depth: the controller's promises hold in each state."""

from __future__ import annotations

import pytest

from leeway.controller import machine
from tests.unit.controller_walk import EVENTS, walk
from tests.unit.controller_world import Broken

DEPTH = 7


def test_no_sequence_of_seven_events_breaks_a_promise_or_leaves_an_incident_open() -> None:
    """12^7, 35.8 million sequences, lead to 12,966 states; `make proof` goes on to eight events."""
    assert len(EVENTS) == 12
    count, states = walk(DEPTH)
    assert count == 12_966
    assert sum(states.values()) == count - 1
    assert states.keys() >= {
        "healthy",
        "confirmed",
        "training",
        "promoted",
        "no benefit",
        "back-off",
    }


def test_the_walk_finds_what_a_safeguard_keeps_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: without the waits a training comes too early."""
    monkeypatch.setattr(machine, "wait_of", lambda *_: None)
    with pytest.raises(Broken):
        walk(DEPTH)
