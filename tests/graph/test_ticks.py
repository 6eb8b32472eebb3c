"""The retraining sensor, tick by tick: what it asks for, and what it does not ask for again.

Belongs here: ticks over a history, with a given time. Does not belong here: the decision as a
function (tests/unit/test_controller.py), new batches (test_arrivals.py), or the training that a
tick asks for (test_life.py).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import cast

import dagster as dg
import pytest

from assets.requested import INCIDENT_TAG
from leeway.controller.machine import MAX_ATTEMPTS
from leeway.spec import Freshness
from orchestration.jobs import CHECKS_TAG, graph_job_name, retrain_job_name
from orchestration.sensors import sensors_of
from resources.trainings import Asked
from tests.graph.conftest import FIRST, SECOND
from tests.graph.history import DAY, History, Verdict, asked_by

OUTCOMES: dict[Verdict, str] = {"promote": "promoted", "hold": "held", "reject": "rejected"}


def test_without_a_release_nothing_is_asked_for(history: History) -> None:
    empty = replace(history, stage=replace(history.stage, name="nobody"))
    assert empty.reason() == "No drift calls for a training."


def test_a_batch_without_drift_asks_for_nothing(history: History) -> None:
    history.arrive(SECOND)
    history.commit("drift", SECOND, facts={"verdict": "none"})
    assert history.reason() == "No drift calls for a training."


def test_a_confirmed_drift_asks_for_one_run_under_one_key(history: History) -> None:
    history.arrive(SECOND)
    history.drift(SECOND, "bill_length_mm")
    asked = history.request()
    assert asked.job_name == retrain_job_name(history.stage.name)
    assert asked.partition_key == SECOND
    assert asked.run_key == f"{asked.tags[INCIDENT_TAG]}:1"
    assert "bill_length_mm in batch 2009" in asked.tags["leeway/reason"]
    # A tick that is repeated, whenever that is, names the same run, and Dagster starts it once.
    assert {history.request(2 * DAY * n).run_key for n in (1, 2, 30)} == {asked.run_key}


def test_the_declared_sensor_asks_for_the_same_run_when_its_tick_is_repeated(
    history: History,
) -> None:
    history.arrive(SECOND)
    history.drift(SECOND, "bill_length_mm")
    at_once = history.with_policy(cooldown="0s")
    sensor = sensors_of(at_once.stage)[1]
    asked = []
    for _ in range(2):
        with dg.build_sensor_context(
            instance=history.instance, resources={"platform": history.platform}
        ) as context:
            asked.append(asked_by(cast("dg.SensorResult", sensor(context))))
            assert context.cursor is None, (
                "nothing but the key stands between a repeat and a second run"
            )
    assert asked[0].run_key == asked[1].run_key == at_once.request(DAY).run_key


@pytest.mark.parametrize("status", ["QUEUED", "NOT_STARTED", "STARTING", "STARTED", "CANCELING"])
def test_nothing_is_asked_for_while_a_training_waits_or_runs(history: History, status: str) -> None:
    history.arrive(SECOND)
    history.drift(SECOND, "bill_length_mm")
    run = history.enqueue(history.request(), dg.DagsterRunStatus[status])
    assert history.reason().startswith("A training has been running since")
    history.drift("2010", "body_mass_g")
    assert history.reason().startswith("A training has been running since"), "of another incident"
    history.instance.report_run_canceled(run)
    assert history.request().partition_key == "2010"


@pytest.mark.parametrize("job", ["__ASSET_JOB", "{name}_graph"])
def test_a_training_by_hand_holds_the_next_one_up_and_a_run_of_other_nodes_does_not(
    history: History, job: str
) -> None:
    """Regression: what was started from the lineage in the UI was not seen as a training."""
    history.arrive(SECOND)
    history.drift(SECOND, "bill_length_mm")
    name = job.format(name=history.stage.name)
    data = history.enqueue(dg.RunRequest(job_name=name), dg.DagsterRunStatus.STARTED, "raw")
    assert history.request().partition_key == SECOND
    nodes = ("training_set", "model_selection", "tuned_model")
    run = history.enqueue(dg.RunRequest(job_name=name), dg.DagsterRunStatus.STARTED, *nodes)
    assert history.reason().startswith("A training has been running since")
    for ended in (data, run):
        history.instance.report_run_canceled(ended)
    assert history.request().partition_key == SECOND


def test_a_training_by_hand_is_seen_behind_a_large_backfill(history: History) -> None:
    """Regression: the newest hundred runs of a job that all use cases share hid it."""
    history.arrive(SECOND)
    history.drift(SECOND, "bill_length_mm")
    asked, started = dg.RunRequest(job_name="__ASSET_JOB"), dg.DagsterRunStatus.STARTED
    runs = [history.enqueue(asked, started, "tuned_model")]
    runs += [history.enqueue(asked, dg.DagsterRunStatus.QUEUED, "raw") for _ in range(110)]
    assert history.reason().startswith("A training has been running since")
    for run in runs:
        history.instance.delete_run(run.run_id)


def test_checks_that_run_are_no_training(history: History) -> None:
    """Regression: `leeway check`, whose runs select no asset, held a training back."""
    history.arrive(SECOND)
    history.drift(SECOND, "bill_length_mm")
    asked = dg.RunRequest(job_name=graph_job_name(history.stage.name), tags={CHECKS_TAG: "alone"})
    run = history.enqueue(asked, dg.DagsterRunStatus.STARTED)
    assert history.request().partition_key == SECOND
    history.instance.report_run_canceled(run)


@pytest.mark.parametrize("verdict", ["hold", "reject"])
def test_the_same_evidence_is_trained_for_once_whatever_came_out(
    history: History, verdict: Verdict
) -> None:
    history.arrive(SECOND)
    history.drift(SECOND, "bill_length_mm")
    assert history.carry_out(history.request(), verdict).success
    done = f"trained for: the model was {OUTCOMES[verdict]}."
    assert history.reason(30 * DAY).endswith(done)
    history.drift(SECOND, "bill_length_mm")  # the batch is looked at again, with the same result
    champion = history.platform.releases.champion(history.stage.name)
    assert champion is not None
    assert len(history.platform.releases.incidents(history.stage.name, champion.digest, 9)) == 1
    assert history.reason(30 * DAY).endswith(done)


def test_what_waits_for_a_person_is_not_trained_for_again_and_says_so(history: History) -> None:
    use_case = history.stage.use_case.model_copy(update={"promotion": "manual"})
    manual = replace(history, stage=replace(history.stage, use_case=use_case))
    manual.arrive(SECOND)
    manual.drift(SECOND, "bill_length_mm")
    assert manual.carry_out(manual.request(), "hold").success
    assert manual.reason(30 * DAY).endswith("the model was proposed to a person.")


def test_drift_from_a_champion_of_the_past_asks_for_nothing(history: History) -> None:
    history.arrive(SECOND)
    history.drift(SECOND, "bill_length_mm")
    assert history.carry_out(history.request(), "promote").success
    assert history.reason(30 * DAY).startswith("No drift calls for a training. The champion was ")
    # Taken back, the first version has drifted again; that was trained for, and is not again.
    releases = history.platform.releases
    releases.move(history.stage.name, "rollback", "a test", "planted", lambda _, line: line[0])
    assert history.reason(30 * DAY).endswith("has been trained for: the model was taken back.")


def test_drift_of_another_batch_is_another_incident(history: History) -> None:
    history.drift(SECOND, "bill_length_mm")
    first = history.request()
    assert history.carry_out(first, "hold").success
    history.drift("2010", "bill_length_mm")
    second = history.request(4 * DAY)
    assert second.partition_key == "2010"
    assert second.run_key != first.run_key
    assert second.tags["leeway/attempt"] == "1"


def test_a_release_that_is_made_again_by_hand_does_not_reopen_its_incident(
    history: History,
) -> None:
    """Guards: the second run took the release over, and the retraining counted as failed."""
    history.arrive(SECOND)
    history.drift(SECOND, "bill_length_mm")
    assert history.carry_out(history.request(), "hold", key="same").success
    assert history.carry_out(None, "hold", key="same").success
    assert "has been trained for" in history.reason(30 * DAY)


def test_the_cool_down_holds_to_the_second(history: History) -> None:
    history.drift(SECOND, "bill_length_mm")
    second = timedelta(seconds=1)
    for early in (DAY - second, timedelta(0), -30 * DAY):  # the last: a clock that went back
        assert "the cool-down of 1d ends at" in history.reason(early)
    assert history.request(DAY).tags["leeway/attempt"] == "1"


def test_a_failed_training_is_tried_again_under_a_new_key_and_then_given_up(
    history: History,
) -> None:
    history.drift(SECOND, "bill_length_mm")
    keys = []
    for attempt in range(1, MAX_ATTEMPTS + 1):
        asked = history.request()
        assert asked.tags["leeway/attempt"] == str(attempt)
        keys.append(asked.run_key)
        if attempt == 1:  # canceled while it waited, which comes to no result either
            run = history.enqueue(asked, dg.DagsterRunStatus.QUEUED)
            history.instance.report_run_canceled(run)
        else:
            assert not history.carry_out(asked, None).success
    assert len(set(keys)) == MAX_ATTEMPTS
    for days in (2, 3, 300):
        assert history.reason(days * DAY).endswith("failed 3 times, so Leeway gave up.")
    history.drift("2010", "bill_length_mm")
    assert history.request().tags["leeway/attempt"] == "1", "new evidence is a new start"


def test_what_dagster_made_again_is_one_attempt(history: History) -> None:
    """Regression: an attempt that crashed and was made again twice was given up."""
    history.drift(SECOND, "bill_length_mm")
    asked = history.request()
    for _ in range(MAX_ATTEMPTS):
        history.enqueue(asked, dg.DagsterRunStatus.FAILURE)
    assert history.request().tags["leeway/attempt"] == "2"


def test_what_was_refused_is_no_failure_and_is_asked_for_under_another_key(
    history: History,
) -> None:
    """Regression: three runs that the kill switch refused, and Leeway gave up."""
    history = history.with_policy(budget=9)
    history.drift(SECOND, "bill_length_mm")
    name, trainings = history.stage.name, history.platform.trainings
    for attempt in range(1, MAX_ATTEMPTS + 1):
        asked = Asked(history.request().tags[INCIDENT_TAG], attempt)
        run = history.enqueue(history.request(), dg.DagsterRunStatus.FAILURE)
        assert trainings.claim(name, asked, run.run_id) == run.run_id
        trainings.refuse(name, asked, "LEEWAY_RETRAINING is off")
    last = history.request()
    assert last.tags["leeway/attempt"] == "4"
    assert last.tags["leeway/reason"].startswith("Attempt 1 of 3:")
    assert history.carry_out(last, "hold").success
    assert history.reason().endswith("has been trained for: the model was held.")


def test_batches_that_came_while_the_champion_was_trained_are_looked_at_once(
    history: History,
) -> None:
    """Regression: an incident that was found meanwhile was about the model before, and lost."""
    looks = sensors_of(history.stage)[2]

    def asked() -> dict[str, str]:
        with dg.build_sensor_context(
            instance=history.instance, resources={"platform": history.platform}
        ) as context:
            found = looks(context)
        if isinstance(found, dg.SkipReason):
            return {}
        assert isinstance(found, dg.SensorResult)
        nodes = ["damage", "drift", "performance", "predictions", "report"]
        for each in found.run_requests or []:
            assert each.job_name in (None, graph_job_name(history.stage.name))
            assert sorted(key.path[-1] for key in each.asset_selection or []) == nodes
        return {str(each.partition_key): str(each.run_key) for each in found.run_requests or []}

    history.arrive(SECOND)
    history.drift(SECOND, "bill_length_mm")
    request = history.request()
    assert asked() == {}, "each was held against the champion"
    history.drift("2010", "bill_length_mm")
    history.look("2011")
    assert history.carry_out(request, "promote", batches=[FIRST, SECOND]).success
    first = asked()
    assert list(first) == ["2010", "2011"]
    assert asked() == first, "one key, also where the state of the sensor is lost"
    history.drift("2010", "bill_length_mm")
    assert list(asked()) == ["2011"]
    assert history.request().partition_key == "2010"
    history.look("2011")
    assert asked() == {}
    releases = history.platform.releases
    releases.move(history.stage.name, "rollback", "a test", "planted", lambda _, line: line[0])
    back = asked()
    assert list(back) == ["2010", "2011"], "they were held against the other model"
    for batch in back:
        history.look(batch)
    releases.move(history.stage.name, "promote", "a test", "planted", lambda *_: 2)
    again = asked()
    assert list(again) == ["2010", "2011"]
    assert not set(again.values()) & set(first.values()), "another look, another run"


def test_a_model_that_is_too_old_is_trained_again_when_newer_batches_are_there(
    history: History,
) -> None:
    freshness = Freshness(warn_after="5d", fail_after="10d")
    use_case = history.stage.use_case.model_copy(update={"freshness": freshness})
    history.stage = replace(history.stage, use_case=use_case)
    both = history.with_policy(on=["drift", "freshness"])
    overdue = 11 * DAY
    nothing = "No drift or freshness calls for a training."
    assert both.reason(overdue) == nothing, "old, but no batch has come that it has not seen"
    history.arrive(SECOND)
    assert both.reason(9 * DAY) == nothing, "not old yet"
    assert history.reason(overdue) == "No drift calls for a training.", "not asked for by policy"
    asked = both.request(overdue)
    assert asked.partition_key == SECOND
    assert "freshness of the model" in asked.tags["leeway/reason"]
    assert both.request(2 * overdue).run_key == asked.run_key, "older is not another cause"
    assert not both.carry_out(asked, None).success
    again = both.request(3 * overdue)
    assert again.tags["leeway/attempt"] == "2", "it made a training set, but no model was judged"
    assert both.carry_out(again, "hold").success
    answered = "The freshness of the model in batch 2009 has been trained for: the model was held."
    assert both.reason(3 * overdue) == answered, "it has seen every batch, and was not better"
    history.arrive("2010")
    assert both.request(3 * overdue).run_key != asked.run_key, "another batch that it has not seen"


def test_one_training_answers_drift_and_age_of_the_same_batches(history: History) -> None:
    """Guards: the drift came up again when the age was trained for, with nothing new to learn."""
    freshness = Freshness(warn_after="5d", fail_after="10d")
    use_case = history.stage.use_case.model_copy(update={"freshness": freshness})
    history.stage = replace(history.stage, use_case=use_case)
    both = history.with_policy(on=["drift", "freshness"])
    history.arrive(SECOND)
    history.drift(SECOND, "bill_length_mm")
    asked = both.request(11 * DAY)
    assert "drift of bill_length_mm" in asked.tags["leeway/reason"]
    assert both.carry_out(asked, "hold").success
    assert both.reason(30 * DAY).endswith("has been trained for: the model was held.")
    history.arrive("2010")
    assert "freshness of the model in batch 2010" in both.request(30 * DAY).tags["leeway/reason"]
