"""The retraining policy trains once per incident, waits, gives up, and never storms."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from leeway.drift.column import DriftVerdict
from leeway.retraining import (
    MAX_ATTEMPTS,
    Incident,
    Outcome,
    Training,
    decide_retraining,
    incident_digest,
)
from leeway.spec import Retraining

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
POLICY = Retraining(cooldown="1d")
OUTCOMES: tuple[Outcome, ...] = ("promoted", "held", "rejected", "failed", "failed")


def incident(digest: str = "i1", verdict: DriftVerdict = "confirmed") -> Incident:
    return Incident(digest, "2009", verdict, ("bill_length_mm",), NOW)


def training(of: str | None, outcome: Outcome, ago: timedelta = 2 * HOUR) -> Training:
    finished = None if outcome == "running" else NOW - ago
    return Training(of, NOW - ago - HOUR, finished, outcome)


def test_a_confirmed_incident_is_trained_for_at_once() -> None:
    decision = decide_retraining([incident()], [], POLICY, NOW)
    assert (decision.action, decision.incident, decision.attempt) == ("retrain", "i1", 1)
    assert decision.run_key == "i1:1"
    assert decision.reason == "Attempt 1 of 3: drift of bill_length_mm in batch 2009 is confirmed."
    assert decision.as_dict()["action"] == "retrain"


@pytest.mark.parametrize("verdict", ["none", "suspect", "undefined"])
def test_nothing_but_confirmed_drift_trains(verdict: DriftVerdict) -> None:
    decision = decide_retraining([incident(verdict=verdict)], [], POLICY, NOW)
    assert (decision.action, decision.incident, decision.attempt) == ("nothing", None, 0)
    assert decision.reason == "No drift calls for a training."


def test_a_policy_without_drift_never_trains_on_drift() -> None:
    policy = Retraining(on=("freshness",))
    decision = decide_retraining([incident()], [], policy, NOW)
    assert decision.action == "nothing"
    assert decision.reason == "No freshness calls for a training."


@pytest.mark.parametrize("outcome", ["promoted", "held", "proposed to a person", "rejected"])
def test_an_incident_that_came_to_a_result_is_never_trained_for_again(outcome: Outcome) -> None:
    done = [training("i1", outcome, 100 * 24 * HOUR)]
    decision = decide_retraining([incident()], done, POLICY, NOW)
    assert (decision.action, decision.incident, decision.attempt) == ("nothing", "i1", 0)
    assert decision.reason.endswith(f"has been trained for: the model was {outcome}.")


def test_of_several_results_for_one_incident_the_last_is_told() -> None:
    done = [training("i1", "rejected"), training("i1", "held")]
    assert "was held" in decide_retraining([incident()], done, POLICY, NOW).reason


@pytest.mark.parametrize("of", ["i1", "other", None])
def test_nothing_starts_while_any_training_runs(of: str | None) -> None:
    decision = decide_retraining([incident()], [training(of, "running")], POLICY, NOW)
    assert decision.action == "wait"
    assert "running since 2026-11-21T07:00:00+00:00" in decision.reason


@pytest.mark.parametrize("outcome", ["promoted", "held", "proposed to a person", "rejected"])
@pytest.mark.parametrize("of", ["other", None])
def test_the_cool_down_counts_from_the_last_result_to_the_second(
    of: str | None, outcome: Outcome
) -> None:
    """Of several trainings the latest counts, wherever it stands in the list."""
    past = [training(of, outcome, 5 * HOUR), training(of, outcome, 90 * HOUR)]
    ready = NOW - 5 * HOUR + timedelta(days=1)
    just_before = decide_retraining([incident()], past, POLICY, ready - timedelta(seconds=1))
    assert just_before.action == "wait"
    assert just_before.reason.startswith("The last training finished at 2026-11-21T05:00:00+00:00;")
    assert "cool-down of 1d ends at 2026-11-22T05:00:00+00:00" in just_before.reason
    assert decide_retraining([incident()], past, POLICY, ready).action == "retrain"


def test_a_failed_training_is_tried_again_without_cool_down_and_then_given_up() -> None:
    keys = []
    past: list[Training] = []
    for _ in range(MAX_ATTEMPTS):
        decision = decide_retraining([incident()], past, POLICY, NOW)
        assert decision.action == "retrain"
        keys.append(decision.run_key)
        past.append(training("i1", "failed", timedelta(seconds=1)))
    assert keys == ["i1:1", "i1:2", "i1:3"]
    decision = decide_retraining([incident()], past, POLICY, NOW)
    assert (decision.action, decision.attempt) == ("nothing", 0)
    assert "failed 3 times, so Leeway gave up" in decision.reason


def test_failures_of_another_incident_do_not_use_up_attempts() -> None:
    past = [training("other", "failed")] * 3
    assert decide_retraining([incident()], past, POLICY, NOW).attempt == 1


def test_the_newest_incident_stands_for_those_recorded_before_it() -> None:
    backlog = [incident(f"i{n}") for n in range(5)] + [incident("s", "suspect")]
    assert decide_retraining(backlog, [], POLICY, NOW).incident == "i4"
    later = NOW + timedelta(days=9)
    done = [training("i4", "held")]
    assert decide_retraining(backlog, done, POLICY, later).action == "nothing"
    assert decide_retraining([*backlog, incident("i9")], done, POLICY, later).incident == "i9"


def test_a_clock_that_goes_backwards_waits_and_loses_no_incident() -> None:
    past = [training("other", "promoted")]
    early = replace(incident(), at=NOW - timedelta(days=365))
    for back in (1, 30, 365):
        now = NOW - timedelta(days=back)
        assert decide_retraining([early], past, POLICY, now).action == "wait"
    assert decide_retraining([early], past, POLICY, NOW + timedelta(days=2)).action == "retrain"


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
    ]
    assert len({digest, *others}) == 6


@pytest.mark.parametrize("seed", range(4))
def test_thousands_of_ticks_never_start_a_storm(seed: int) -> None:
    """A sensor that ticks every minute or so, drift that lasts, failing runs, a jumping clock."""
    rng = random.Random(seed)
    now, real_minutes = NOW, 0
    incidents: list[Incident] = []
    trainings: list[Training] = []
    keys: list[str] = []
    for tick in range(3000):
        now += timedelta(minutes=1)
        real_minutes += 1
        if rng.random() < 0.002:
            now -= timedelta(minutes=rng.randint(1, 600))
        if tick % 100 == 0:
            incidents.append(replace(incident(f"i{len(incidents)}"), at=now))
        running = [n for n, one in enumerate(trainings) if one.outcome == "running"]
        if running and rng.random() < 0.1:
            outcome = rng.choice(OUTCOMES)
            ended = replace(trainings[running[0]], finished_at=now, outcome=outcome)
            trainings[running[0]] = ended
        decision = decide_retraining(incidents, trainings, Retraining(cooldown="2h"), now)
        if decision.action == "retrain":
            assert not any(one.outcome == "running" for one in trainings)
            keys.append(decision.run_key)
            trainings.append(Training(decision.incident, now, None, "running"))
    results = [one for one in trainings if one.outcome in ("promoted", "held", "rejected")]
    assert len(keys) == len(set(keys))
    assert max(int(key.rsplit(":")[-1]) for key in keys) <= MAX_ATTEMPTS
    assert len({one.incident for one in results}) == len(results)
    assert 3 <= len(results) <= real_minutes // 120 + 1
    assert len(keys) <= MAX_ATTEMPTS * len(incidents)
