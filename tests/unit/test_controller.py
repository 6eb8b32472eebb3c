"""The controller trains once per incident, waits, gives up, says why, and never storms.

Belongs here: what follows from given facts. Does not belong here: histories that no one thought of
(test_controller_world.py and test_controller_walk.py), or collecting facts (test_ticks.py).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest

from leeway.controller.facts import (
    RESULTS,
    WITHOUT_BENEFIT,
    Cause,
    Facts,
    Incident,
    Intent,
    Look,
    Outcome,
    Training,
    Verdict,
    incident_digest,
)
from leeway.controller.machine import MAX_ATTEMPTS, Decision, decide
from leeway.controller.words import (
    FAILING,
    LOOK_AGAIN,
    NO_HELP,
    NOTHING,
    OWN_FAULT,
    PERSON,
    TRAIN,
    TRIAL,
)
from leeway.spec import Retraining

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
POLICY = Retraining(cooldown="1d")


def incident(digest: str = "i1", batch: str = "2009", **other: Any) -> Incident:
    return Incident(digest, batch, ("bill_length_mm",), NOW, **other)


def training(
    of: str | None, outcome: Outcome, ago: timedelta = 2 * HOUR, attempt: int = 1
) -> Training:
    finished = None if outcome == "running" else NOW - ago
    return Training(of, attempt if of else 0, NOW - ago - HOUR, finished, outcome)


def decided(policy: Retraining = POLICY, now: datetime = NOW, **facts: Any) -> Decision:
    return decide(Facts(**{"incidents": [incident()], **facts}), policy, now)


def test_a_confirmed_incident_is_trained_for_at_once() -> None:
    decision = decided()
    assert (decision.state, decision.action) == ("confirmed", "retrain")
    assert (decision.incident, decision.attempt, decision.cause) == ("i1", 1, "drift")
    assert decision.run_key == "i1:1"
    assert decision.reason == "Attempt 1 of 3: drift of bill_length_mm in batch 2009 is confirmed."
    assert decision.diagnosis == "the world changed: train"
    assert decision.as_dict()["action"] == "retrain"


@pytest.mark.parametrize(
    ("verdict", "state", "diagnosis"),
    [
        ("none", "healthy", NOTHING),
        ("undefined", "healthy", NOTHING),
        ("suspect", "suspect", LOOK_AGAIN),
        ("confirmed", "healthy", NOTHING),  # of a cause that is not asked for
    ],
)
def test_a_look_alone_trains_nothing(verdict: Verdict, state: str, diagnosis: str) -> None:
    decision = decided(incidents=[], looks=[Look("2009", "suspect"), Look("2010", verdict)])
    assert (decision.state, decision.action, decision.incident) == (state, "nothing", None)
    assert decision.diagnosis == diagnosis
    assert decision.reason.startswith("No drift calls for a training.")
    assert (decision.reason.endswith("Batch 2010 is suspect.")) == (verdict == "suspect")


@pytest.mark.parametrize("cause", get_args(Cause))
def test_each_cause_trains_where_the_policy_names_it_and_nowhere_else(cause: Cause) -> None:
    found = [incident(cause=cause)]
    decision = decided(Retraining(on=(cause,)), incidents=found)
    assert (decision.action, decision.cause, decision.diagnosis) == ("retrain", cause, TRAIN[cause])
    assert f"{cause} of" in decision.reason
    others = tuple(each for each in get_args(Cause) if each != cause)
    decision = decided(Retraining(on=others), incidents=found)
    assert (decision.state, decision.action) == ("healthy", "nothing")
    assert decision.reason == f"No {' or '.join(others)} calls for a training."
    assert decided(Retraining(on=()), incidents=found).reason.startswith("No cause calls")


@pytest.mark.parametrize(
    ("outcome", "state", "diagnosis"),
    [
        ("promoted", "promoted", NOTHING),
        ("taken back", "no benefit", NO_HELP),
        ("held", "no benefit", NO_HELP),
        ("rejected", "no benefit", NO_HELP),
        ("unchanged", "no benefit", NO_HELP),
        ("proposed to a person", "trial", PERSON),
        ("on trial", "trial", TRIAL),
    ],
)
def test_an_incident_that_came_to_a_result_is_never_trained_for_again(
    outcome: Outcome, state: str, diagnosis: str
) -> None:
    assert outcome in RESULTS
    for known in (
        {"trainings": [training("i1", outcome, 100 * DAY)]},
        {"answers": {"i1": outcome}},  # of a later training that saw the batch
    ):
        decision = decided(**known)
        assert (decision.state, decision.action, decision.attempt) == (state, "nothing", 0)
        assert decision.diagnosis == diagnosis
        assert decision.reason.endswith(f"has been trained for: the model was {outcome}.")


def test_of_several_results_for_one_incident_the_last_is_told() -> None:
    done = [training("i1", "rejected"), training("i1", "held")]
    assert "was held" in decided(trainings=done).reason


@pytest.mark.parametrize("of", ["i1", "other", None])
def test_nothing_starts_while_any_training_runs(of: str | None) -> None:
    decision = decided(trainings=[training(of, "running")])
    assert (decision.state, decision.action, decision.incident) == ("training", "wait", "i1")
    assert "running since 2026-11-21T07:00:00+00:00" in decision.reason
    about = "drift of bill_length_mm in batch 2009"
    said = f"for the {about}." if of == "i1" else f"The {about} waits for its end."
    assert decision.reason.endswith(said)
    idle = decided(incidents=[], trainings=[training(of, "running")])
    assert (idle.state, idle.action, idle.incident) == ("training", "nothing", None)
    answered = [training("i1", "held"), training(None, "running")]
    assert decided(trainings=answered).incident is None


@pytest.mark.parametrize("outcome", ["promoted", "proposed to a person", "on trial"])
@pytest.mark.parametrize("of", ["other", None])
def test_the_cool_down_counts_from_the_last_result_to_the_second(
    of: str | None, outcome: Outcome
) -> None:
    """Of several trainings the latest counts, wherever it stands in the list."""
    past = [training(of, outcome, 5 * HOUR), training(of, outcome, 90 * HOUR)]
    ready = NOW - 5 * HOUR + DAY
    early = decided(trainings=past, now=ready - timedelta(seconds=1))
    assert (early.state, early.action, early.until) == ("confirmed", "wait", ready)
    assert early.reason.startswith("The last training finished at 2026-11-21T05:00:00+00:00;")
    assert early.reason.endswith("the cool-down of 1d ends at 2026-11-22T05:00:00+00:00.")
    assert decided(trainings=past, now=ready).action == "retrain"


def test_a_wait_says_the_same_at_every_tick() -> None:
    """Else each tick would be another decision to record."""
    past = [training("other", "held", 5 * HOUR)]
    assert decided(trainings=past) == decided(trainings=past, now=NOW + timedelta(seconds=30))


@pytest.mark.parametrize("outcome", WITHOUT_BENEFIT)
def test_each_training_without_benefit_doubles_the_wait_and_changes_the_diagnosis(
    outcome: Outcome,
) -> None:
    for row, days in enumerate([1, 2, 4, 8, 16, 30, 30, 30]):  # no longer than longest_wait
        past = [training(f"o{n}", outcome, 5 * HOUR) for n in range(row)]
        ready = NOW - 5 * HOUR + days * DAY
        past.insert(0, training(None, "promoted", 5 * HOUR))
        early = decided(trainings=past, now=ready - timedelta(seconds=1))
        late = decided(Retraining(budget=100), trainings=past, now=ready)
        assert early.state == ("back-off" if row else "confirmed")
        assert early.action == "wait"
        assert early.diagnosis == late.diagnosis == (NO_HELP if row else TRAIN["drift"])
        assert late.action == "retrain"
    assert f"{row} in a row brought no benefit, so the cool-down of 1d became 30 days" in (
        early.reason
    )
    own = [*past, training("i1", outcome, DAY)]
    assert decided(trainings=own).reason.endswith(f"So it was {row + 1} times in a row.")


@pytest.mark.parametrize(
    ("last", "row"),
    [
        (training("o3", "held"), 3),
        (training("o2", "held"), 2),  # the same incident again
        (training(None, "held"), 2),  # by hand, which asks for proof
        (training("o3", "proposed to a person"), 2),
        (training("o3", "failed"), 2),
        (training("o3", "promoted"), 0),
        (training(None, "promoted"), 0),
    ],
)
def test_what_ends_a_row_without_benefit_and_what_does_not(last: Training, row: int) -> None:
    past = [training("o1", "held"), training("o2", "rejected"), last]
    found = decided(trainings=past)
    assert found.until is not None
    finished = max(each.finished_at for each in past if each.finished_at)
    assert found.until - finished == DAY * 2**row


def test_a_cool_down_longer_than_the_longest_wait_is_kept() -> None:
    policy = Retraining(cooldown="60d", longest_wait="30d")
    found = decided(policy, trainings=[training("o", "held", HOUR)])
    assert found.until == NOW - HOUR + 60 * DAY
    far = Retraining(cooldown="999999d", longest_wait="999999d")
    assert decided(far, trainings=[training(f"{n}", "held") for n in range(20)]).action == "wait"


def test_the_budget_counts_every_start_in_its_window_to_the_second() -> None:
    """Who started it, and whether it came to a result, does not matter."""
    policy = Retraining(cooldown="0s", budget=3, window="7d")
    past = [
        training("o0", "promoted", 60 * DAY),
        training("o1", "promoted", 6 * DAY),
        training(None, "promoted", 3 * DAY),
        training("i1", "failed", DAY),
    ]
    ready = NOW - 6 * DAY - HOUR + 7 * DAY
    early = decided(policy, trainings=past, now=ready - timedelta(seconds=1))
    assert (early.state, early.action, early.until) == ("confirmed", "wait", ready)
    assert early.reason == f"The budget of 3 trainings in 7d is used up until {ready.isoformat()}."
    assert decided(policy, trainings=past, now=ready).attempt == 2
    assert decided(policy, trainings=[past[0], *past[2:]]).action == "retrain"
    one = Retraining(cooldown="0s", budget=1)
    assert "The budget of 1 training in 7d" in decided(one, trainings=past).reason


def test_a_decision_counts_from_when_it_was_carried_out() -> None:
    """Guards: decided, then a crash of a week; as soon as it ran, the budget seemed unused."""
    policy = Retraining(cooldown="0s", budget=1, window="7d")
    intents = [Intent("o", 1, NOW - 8 * DAY)]
    ran = [training("o", "promoted", DAY)]
    assert decided(policy, intents=intents, trainings=ran).action == "wait"
    assert decided(policy, intents=intents).action == "retrain"
    # Its run was deleted, which gives nothing back.
    assert decided(policy, intents=[Intent("o", 1, NOW - DAY)]).action == "wait"
    soon = [Intent("o", 1, NOW - 2 * DAY)]
    both = decided(Retraining(cooldown="0s", budget=2), intents=soon, trainings=ran)
    assert both.action == "retrain", "the decision and its run are one start"


def test_a_decision_that_has_no_run_is_made_again_and_does_not_hold_itself_up() -> None:
    begun = [Intent("i1", 1, NOW - HOUR)]
    again = decided(Retraining(budget=1), intents=begun)
    assert (again.action, again.run_key) == ("retrain", "i1:1")
    newer = [incident(), incident("i2", "2010")]
    assert decided(incidents=newer, intents=begun).incident == "i2"
    held_up = decided(Retraining(budget=1), incidents=newer, intents=begun)
    assert held_up.action == "wait", "its run may still be made"


def test_a_failed_training_is_tried_again_without_cool_down_and_then_given_up() -> None:
    keys = []
    past: list[Training] = []
    for attempt in range(1, MAX_ATTEMPTS + 1):
        decision = decided(trainings=past)
        assert decision.action == "retrain"
        keys.append(decision.run_key)
        past.append(training("i1", "failed", timedelta(seconds=1), attempt))
    assert keys == ["i1:1", "i1:2", "i1:3"]
    decision = decided(trainings=past)
    assert (decision.state, decision.action, decision.attempt) == ("given up", "alert", 0)
    assert "failed 3 times, so Leeway gave up" in decision.reason
    assert decision.diagnosis == FAILING
    newer = [incident(), incident("i2", "2010")]
    assert decided(incidents=newer, trainings=past).attempt == 1, "new evidence is a new start"
    assert decided(trainings=[*past, training(None, "running")]).incident is None


def test_an_attempt_that_dagster_made_again_is_one_and_what_was_refused_is_no_failure() -> None:
    again = [training("i1", "failed", HOUR, 1) for _ in range(MAX_ATTEMPTS)]
    assert decided(trainings=again).attempt == 2
    refused = [training("i1", "refused", HOUR, attempt) for attempt in (1, 2, 3)]
    decision = decided(trainings=refused)
    assert (decision.action, decision.attempt) == ("retrain", 4), "its key makes a run"
    assert decision.reason.startswith("Attempt 1 of 3:")
    both = [*refused, training("i1", "failed", HOUR, 4)]
    assert decided(trainings=both).reason.startswith("Attempt 2 of 3:")
    spent = decided(Retraining(budget=3), trainings=refused)
    assert spent.action == "wait", "what is refused again and again ends there, too"


def test_failures_of_another_incident_do_not_use_up_attempts() -> None:
    past = [training("other", "failed", attempt=n) for n in (1, 2, 3)]
    assert decided(trainings=past).attempt == 1


def test_the_newest_incident_stands_for_those_recorded_before_it() -> None:
    backlog = [incident(f"i{n}", str(n)) for n in range(5)]
    assert decided(incidents=backlog).incident == "i4"
    later = NOW + 9 * DAY
    done = [training("i4", "held")]
    assert decided(incidents=backlog, trainings=done, now=later).action == "nothing"
    newer = [*backlog, incident("i9", "9")]
    assert decided(incidents=newer, trainings=done, now=later).incident == "i9"


@pytest.mark.parametrize(
    ("confirmed", "chosen"),
    [
        (("1", "2"), None),
        (("1", "2", "3"), "3"),
        (("1", "3", "4"), None),
        (("1", "2", "3", "5"), "3"),
        (("2", "3", "4", "5"), "5"),
    ],
)
def test_hysteresis_asks_for_batches_in_a_row(
    confirmed: tuple[str, ...], chosen: str | None
) -> None:
    policy = Retraining(confirm_after=3)
    looks = [Look(str(n), "confirmed" if str(n) in confirmed else "none") for n in range(1, 6)]
    found = [incident(f"i{batch}", batch) for batch in confirmed]
    last = max(int(batch) for batch in confirmed)
    decision = decided(policy, incidents=found, looks=looks[:last])
    assert decision.incident == (f"i{chosen}" if chosen else None)
    if chosen is None:
        assert (decision.state, decision.action) == ("suspect", "nothing")
        assert decision.reason.endswith(f"Batch {last} has an incident; it takes 3 in a row.")
        assert decision.diagnosis == LOOK_AGAIN
        after = decided(policy, incidents=found, looks=[*looks[:last], Look("9", "none")])
        assert after.state == "healthy"


def test_two_causes_of_one_batch_are_one_batch_in_a_row() -> None:
    policy = Retraining(confirm_after=2, on=("drift", "damage"))
    found = [incident("a", "1"), incident("b", "1", cause="damage")]
    looks = [Look("1", "confirmed")]
    assert decided(policy, incidents=found, looks=looks).state == "suspect"
    found.append(incident("c", "2", cause="damage"))
    looks.append(Look("2", "suspect"))
    assert decided(policy, incidents=found, looks=looks).incident == "c"


def test_what_our_own_pipeline_did_raises_an_alert_and_never_trains() -> None:
    own = incident("own", "2010", origin="pipeline")
    looks = [Look("2009", "confirmed"), Look("2010", "confirmed")]
    decision = decided(incidents=[incident(), own], looks=looks)
    assert (decision.action, decision.incident, decision.attempt) == ("alert", "own", 0)
    assert decision.diagnosis == OWN_FAULT
    assert "2010 comes from our own pipeline" in decision.reason
    # Of the same batch, another cause: a training would learn the fault just the same.
    both = [own, incident("too", "2010", cause="damage")]
    policy = Retraining(on=("drift", "damage"))
    assert decided(policy, incidents=both, looks=looks).action == "alert"
    # Also where drift itself calls for no training: it is what knows who moved.
    policy = Retraining(on=("damage",))
    assert decided(policy, incidents=both, looks=looks).action == "alert"
    assert decided(policy, incidents=[own], looks=looks).action == "alert"
    # The world moves on, and looks as it should: a training would take that batch as well.
    newer = [own, incident("i3", "2012", origin="world")]
    looks += [Look("2011", "none"), Look("2012", "confirmed")]
    assert decided(incidents=newer, looks=looks).incident == "own"
    aged = replace(incident("old", "2012", cause="freshness"), columns=("the model",))
    assert decided(Retraining(on=("freshness",)), incidents=[own], overdue=aged).action == "alert"
    second = incident("own too", "2011", origin="pipeline")
    assert decided(incidents=[own, second]).incident == "own too"


def test_each_kill_switch_stops_at_once_and_says_which_it_is() -> None:
    past = [training("other", "promoted")]
    of_all = decided(switched_off=True, trainings=past)
    assert (of_all.action, of_all.incident) == ("wait", "i1")
    assert of_all.reason.startswith("LEEWAY_RETRAINING is off. The drift of bill_length_mm in")
    of_one = decided(Retraining(enabled=False))
    assert (of_one.state, of_one.action) == ("confirmed", "wait")
    assert of_one.reason.startswith("retraining.enabled is false. The drift of")
    own = [incident(origin="pipeline")]
    assert decided(incidents=own, switched_off=True).action == "alert"
    intents = [Intent("i1", 1, NOW)]
    assert decided(intents=intents, switched_off=True).action == "wait"


def test_the_age_of_the_champion_counts_while_nothing_else_is_open() -> None:
    policy = Retraining(on=("drift", "freshness"), budget=9)
    aged = replace(incident("old", "2010", cause="freshness"), columns=("the model",))
    assert decided(policy, overdue=aged).incident == "i1"
    done = [training("i1", "promoted", 5 * DAY)]
    assert decided(policy, overdue=aged, trainings=done).incident == "old"
    assert decided(policy, overdue=aged, incidents=[]).diagnosis == TRAIN["freshness"]
    assert decided(POLICY, overdue=aged, incidents=[]).action == "nothing"
    given_up = [training("i1", "failed", HOUR, attempt) for attempt in (1, 2, 3)]
    assert decided(policy, overdue=aged, trainings=given_up).state == "given up"
    twice = Retraining(on=("freshness",), confirm_after=2)
    assert decided(twice, incidents=[aged]).action == "retrain", "it is no batch"


def test_a_champion_that_was_trained_for_an_incident_is_told_until_a_batch_is_looked_at() -> None:
    decision = decided(incidents=[], trained_for="i1")
    assert (decision.state, decision.action, decision.incident) == ("promoted", "nothing", "i1")
    looks = [Look("2010", "none")]
    assert decided(incidents=[], trained_for="i1", looks=looks).state == "healthy"


def test_a_clock_that_goes_backwards_waits_and_loses_no_incident() -> None:
    past = [training("other", "promoted")]
    early = replace(incident(), at=NOW - timedelta(days=365))
    for back in (1, 30, 365):
        decision = decided(incidents=[early], trainings=past, now=NOW - back * DAY)
        assert decision.action == "wait"
    assert decided(incidents=[early], trainings=past, now=NOW + 2 * DAY).action == "retrain"


def test_the_same_evidence_is_the_same_incident() -> None:
    digest = incident_digest("penguins", "r1", "d1", ["a", "b"])
    assert digest == incident_digest("penguins", "r1", "d1", ["b", "a"])
    assert digest.startswith("sha256:")
    others = [
        incident_digest("churn", "r1", "d1", ["a", "b"]),
        incident_digest("penguins", "r2", "d1", ["a", "b"]),
        incident_digest("penguins", "r1", "d2", ["a", "b"]),
        incident_digest("penguins", "r1", "d1", ["a"]),
        incident_digest("penguins", "r1d1", "", ["a", "b"]),
        incident_digest("penguins", "r1", "d1", ["a", "b"], "damage"),
        incident_digest("penguins", "r1", "d1", ["a", "b"], "performance"),
    ]
    assert len({digest, *others}) == 8
