"""What the controller makes of incidents about live traffic, which no training takes.

Does not belong here: incidents of batches (test_controller.py).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from leeway.controller.facts import Facts, Incident, Look, Outcome, Verdict
from leeway.controller.machine import Decision, confirmed_incidents, decide
from leeway.controller.words import LOOK_AGAIN, TRAIN
from leeway.spec import Retraining
from tests.unit.test_controller import DAY, HOUR, NOW, POLICY, training

WINDOW = "traffic-2026-11-21T09"
UNSEEN = ("2010", NOW - HOUR)


def live(digest: str = "w1", window: str = WINDOW, **other: Any) -> Incident:
    return Incident(digest, window, ("bill_length_mm",), NOW, live=True, **other)


def decided(policy: Retraining = POLICY, **facts: Any) -> Decision:
    return decide(Facts(**{"incidents": [live()], **facts}), policy, NOW)


def test_without_a_batch_that_no_model_has_seen_a_training_would_bring_nothing() -> None:
    found = decided()
    assert (found.state, found.action, found.until) == ("confirmed", "wait", None)
    assert f"in window {WINDOW} waits for a batch that no model has seen" in found.reason
    assert found.diagnosis == TRAIN["drift"]


def test_it_is_trained_for_once_such_a_batch_is_there() -> None:
    found = decided(unseen=UNSEEN)
    assert (found.action, found.attempt, found.incident) == ("retrain", 1, "w1")
    answered = decided(unseen=UNSEEN, trainings=[training("w1", "held")])
    assert answered.action == "nothing"


@pytest.mark.parametrize("outcome", ["held", "rejected", "unchanged"])
def test_a_batch_that_a_training_could_take_and_did_not_is_no_reason_for_another(
    outcome: Outcome,
) -> None:
    """It may have too many rejects, so that it stays unseen for good; windows come each hour."""
    before = training("w0", outcome, ago=timedelta())
    assert before.started_at == UNSEEN[1]
    found = decided(Retraining(cooldown="0s"), unseen=UNSEEN, trainings=[before])
    assert found.action == "wait"
    assert "no model has seen" in found.reason
    later = (UNSEEN[0], UNSEEN[1] + HOUR / 60)
    assert decided(Retraining(cooldown="0s"), unseen=later, trainings=[before]).action == "retrain"


def test_switches_and_waits_hold_for_it_as_for_a_batch() -> None:
    trained = [training(None, "promoted")]
    assert "cool-down" in decided(unseen=UNSEEN, trainings=trained).reason
    assert decided(unseen=UNSEEN, switched_off=True).action == "wait"
    assert decided(POLICY.model_copy(update={"enabled": False}), unseen=UNSEEN).action == "wait"
    assert decided(POLICY.model_copy(update={"on": ("damage",)}), unseen=UNSEEN).action == "nothing"


def test_windows_in_a_row_are_counted_apart_from_batches() -> None:
    policy = POLICY.model_copy(update={"confirm_after": 2})
    looks = [Look("2009", "confirmed")]
    one = Facts(incidents=[live()], looks=looks, windows=[Look(WINDOW, "confirmed")])
    assert confirmed_incidents(one, policy) == []
    assert decide(one, policy, NOW).state == "suspect"
    before = "traffic-2026-11-21T08"
    both = [live("w0", before), live()]
    row = [Look(before, "confirmed"), Look(WINDOW, "confirmed")]
    two = Facts(incidents=both, looks=looks, windows=row)
    assert confirmed_incidents(two, policy) == both[1:]


@pytest.mark.parametrize(("verdict", "state"), [("suspect", "suspect"), ("none", "healthy")])
def test_a_suspect_window_is_told(verdict: Verdict, state: str) -> None:
    found = decided(incidents=[], windows=[Look(WINDOW, verdict)])
    assert found.state == state
    if state == "suspect":
        assert found.diagnosis == LOOK_AGAIN
        assert f"Window {WINDOW} is suspect." in found.reason


def test_an_incident_of_a_batch_that_came_before_is_trained_for_with_it() -> None:
    """The batch is one that no model has seen: nothing waits for ever behind a window."""
    older = Incident("b1", "2010", ("sex",), NOW - DAY)
    found = decided(incidents=[older, live()], unseen=UNSEEN)
    assert (found.action, found.incident) == ("retrain", "w1")
