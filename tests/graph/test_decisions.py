"""What the controller decides is in the ledger before it is carried out, once, and is shown.

Belongs here: decisions through the real ledger and Dagster's runs. Does not belong here: the
decision as a function (tests/unit/test_controller.py), or what ticks ask for (test_ticks.py).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import dagster as dg
import pytest

from assets.requested import CAUSE_TAG, INCIDENT_TAG
from leeway.controller.facts import Cause, Facts
from leeway.controller.words import NO_HELP, OWN_FAULT, TRAIN
from orchestration import retraining
from orchestration.history import RETRIED_BY, WILL_RETRY, facts_of
from orchestration.jobs import retrain_job_name
from resources.faults import FaultInjected
from resources.postgres import transaction
from tests.graph.conftest import SECOND
from tests.graph.history import DAY, History, Verdict, asked_by

MINUTE = timedelta(minutes=1)


def rows(history: History, columns: str = "state, action") -> list[tuple[Any, ...]]:
    """Every recorded decision of the use case, oldest first."""
    with transaction(history.platform.settings) as cursor:
        cursor.execute(
            f"select {columns} from leeway.decisions where use_case = %s order by seq",  # noqa: S608
            (history.stage.name,),
        )
        return cursor.fetchall()


def test_a_decision_is_recorded_and_shown_when_it_differs_from_the_last(history: History) -> None:
    told = [history.tick(n * MINUTE) for n in range(3)]
    assert rows(history) == [("healthy", "nothing")]
    assert [len(each.asset_events) for each in told] == [1, 0, 0]
    history.arrive(SECOND)
    history.drift(SECOND, "bill_length_mm")
    for n in range(3):
        history.tick(n * MINUTE)
    asked = history.tick(2 * DAY)
    again = history.tick(2 * DAY + MINUTE)
    assert rows(history)[1:] == [("confirmed", "wait"), ("confirmed", "retrain")]
    assert len(again.asset_events) == 0
    (shown,) = asked.asset_events
    assert isinstance(shown, dg.AssetObservation)
    assert shown.asset_key == history.stage.key("release")
    told_of = {name: value.value for name, value in shown.metadata.items()}
    ((incident, attempt, cause, reason, diagnosis),) = rows(
        history, "incident, attempt, cause, reason, diagnosis"
    )[2:]
    assert asked_by(asked).run_key == f"{incident}:{attempt}"
    assert (cause, diagnosis) == ("drift", TRAIN["drift"])
    assert told_of == {
        "state": "confirmed", "action": "retrain", "reason": reason, "diagnosis": diagnosis,
        "incident": incident, "attempt": attempt, "cause": cause,
    }  # fmt: skip


def test_the_observation_reaches_dagster(history: History) -> None:
    """As the daemon would: an event without a run."""
    (event,) = history.tick().asset_events
    history.instance.report_runless_asset_event(event)
    (found,) = history.instance.fetch_observations(history.stage.key("release"), limit=1).records
    assert found.asset_observation is not None
    assert found.asset_observation.metadata["state"].value == "healthy"


def test_another_policy_is_another_decision(history: History) -> None:
    history.tick()
    history.with_policy(cooldown="2d").tick()
    assert rows(history) == [("healthy", "nothing")] * 2
    assert len(set(rows(history, "policy"))) == 2


@pytest.mark.parametrize(
    ("point", "recorded"),
    [("before_record", 0), ("in_record", 0), ("after_record", 1)],
)
def test_a_tick_that_crashes_is_made_up_for_by_the_next(
    history: History, monkeypatch: pytest.MonkeyPatch, point: str, recorded: int
) -> None:
    history.drift(SECOND, "bill_length_mm")
    monkeypatch.setenv("LEEWAY_FAULTS", f"decision.{point}:raise")
    with pytest.raises(FaultInjected):
        history.tick()
    assert rows(history) == [("confirmed", "retrain")] * recorded
    monkeypatch.delenv("LEEWAY_FAULTS")
    first, second = history.request(), history.request()
    assert first.run_key == second.run_key
    assert rows(history) == [("confirmed", "retrain")]


def meanwhile(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """Something happens while the next tick reads."""

    def read(*arguments: Any, **options: Any) -> Facts:
        monkeypatch.setattr(retraining, "facts_of", facts_of)
        found = facts_of(*arguments, **options)
        happens()
        return found

    monkeypatch.setattr(retraining, "facts_of", read)


def test_of_two_ticks_at_once_one_decides(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    history.drift(SECOND, "bill_length_mm")
    asked: list[dg.RunRequest] = []
    meanwhile(monkeypatch, lambda: asked.append(history.request()))
    assert history.reason() == "another tick decided, or a training began, meanwhile"
    assert len(asked) == len(rows(history)) == 1


def test_a_training_that_begins_while_a_tick_reads_makes_its_decision_be_refused(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    history.drift(SECOND, "bill_length_mm")
    ledger, name = history.platform.ledger, history.stage.name
    meanwhile(monkeypatch, lambda: ledger.begin(name, "training_set", "", "by hand"))
    assert "a training began, meanwhile" in history.reason()
    assert rows(history) == []
    assert history.request().run_key, "the run by hand is unknown to Dagster: nothing runs"


def test_the_switch_of_the_installation_works_at_once_and_back(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    history.drift(SECOND, "bill_length_mm")
    assert history.tick().run_requests
    monkeypatch.setenv("LEEWAY_RETRAINING", "off")
    assert history.reason().startswith("LEEWAY_RETRAINING is off. The drift of bill_length_mm")
    monkeypatch.setenv("LEEWAY_RETRAINING", "on")
    assert history.tick().run_requests
    assert rows(history) == [
        ("confirmed", "retrain"), ("confirmed", "wait"), ("confirmed", "retrain"),
    ]  # fmt: skip
    disabled = history.with_policy(enabled=False)
    assert disabled.reason().startswith("retraining.enabled is false.")


def test_what_our_pipeline_did_raises_an_alert_until_it_is_mended(history: History) -> None:
    history.drift(SECOND, "bill_length_mm")
    history.drift("2010", "body_mass_g", origin="pipeline")
    assert "batch 2010 comes from our own pipeline" in history.reason()
    assert rows(history, "action, attempt, diagnosis") == [("alert", 0, OWN_FAULT)]
    history.look("2011")
    history.drift("2012", "bill_length_mm", origin="world")
    assert "batch 2010 comes from our own" in history.reason(), "a training would take it as well"
    for number in range(60):  # more than are read of what is newest
        history.drift(f"b{number}", "bill_length_mm", origin="world")
    assert "batch 2010 comes from our own" in history.reason()
    history.look("2010")  # mended, and taken in again
    assert history.request().partition_key == "b59", "what the world did is still to be learnt"


def test_a_mended_batch_in_which_another_column_moved_is_trained_for(history: History) -> None:
    history.drift(SECOND, "body_mass_g", origin="pipeline")
    assert "comes from our own pipeline" in history.reason()
    history.drift(SECOND, "bill_length_mm", origin="world")
    assert "bill_length_mm in batch 2009" in history.request().tags["leeway/reason"]


@pytest.mark.parametrize("cause", ["drift", "damage", "performance"])
def test_an_incident_stands_as_long_as_the_node_that_found_it_says_so(
    history: History, cause: Cause
) -> None:
    """Regression: what a source had sent wrong, and then corrected, was trained for."""
    history = history.with_policy(on=[cause])
    history.drift(SECOND, "x", cause=cause)
    asked = history.request()
    others = {"drift", "damage", "performance"} - {cause}
    for other in others:
        history.look(SECOND, node=other)
    assert history.request().run_key == asked.run_key, "another node knows nothing of it"
    history.look(SECOND, node=cause)
    assert history.reason() == f"No {cause} calls for a training."
    history.drift(SECOND, "x", cause=cause)
    assert history.request().run_key == asked.run_key, "the same evidence is the same incident"


def test_a_batch_that_was_corrected_does_not_count_as_one_in_a_row(history: History) -> None:
    twice = history.with_policy(confirm_after=2)
    twice.drift(SECOND, "bill_length_mm")
    twice.look(SECOND, "suspect")
    twice.drift("2010", "bill_length_mm")
    assert twice.reason().endswith("Batch 2010 has an incident; it takes 2 in a row.")


def test_an_incident_of_which_its_node_says_nothing_stands(history: History) -> None:
    """As in an installation from before nodes named their incidents."""
    history.drift(SECOND, "bill_length_mm")
    history.commit("drift", SECOND, facts={"verdict": "none", "version": 1, "trained_on": False})
    assert history.request().partition_key == SECOND


def test_what_another_model_saw_in_a_batch_does_not_end_an_incident(history: History) -> None:
    """A champion that was taken back: what our pipeline did to its batch is still there."""
    history.drift("2010", "body_mass_g", origin="pipeline")
    assert history.carry_out(None, "promote").success
    history.look("2010")
    assert "calls for a training" in history.reason()
    releases = history.platform.releases
    releases.move(history.stage.name, "rollback", "a test", "planted", lambda _, line: line[0])
    assert "batch 2010 comes from our own pipeline" in history.reason()


def test_hysteresis_asks_for_batches_in_a_row_in_the_order_of_their_coming(
    history: History,
) -> None:
    twice = history.with_policy(confirm_after=2)
    twice.drift(SECOND, "bill_length_mm")
    assert twice.reason().endswith("Batch 2009 has an incident; it takes 2 in a row.")
    twice.look("2010")
    twice.drift("2011", "bill_length_mm")
    assert twice.reason().endswith("Batch 2011 has an incident; it takes 2 in a row.")
    twice.look("2012", "suspect")
    assert twice.reason().endswith("Batch 2012 is suspect.")
    twice.drift("2013", "bill_length_mm")
    twice.drift("2014", "bill_length_mm")
    assert twice.request().partition_key == "2014"


def test_a_cause_beside_drift_is_told_to_the_training(history: History) -> None:
    labelled = history.with_policy(on=["performance", "damage"])
    labelled.drift(SECOND, "bill_length_mm")
    assert labelled.reason() == "No performance or damage calls for a training."
    labelled.drift(SECOND, "macro_f1", cause="performance")
    asked = labelled.request()
    assert asked.tags[CAUSE_TAG] == "performance"
    assert "performance of macro_f1 in batch 2009" in asked.tags["leeway/reason"]


def test_a_training_without_benefit_doubles_the_wait_and_changes_the_diagnosis(
    history: History,
) -> None:
    history = history.with_policy(budget=9)
    for row, batch in enumerate(("b1", "b2", "b3")):
        history.drift(batch, "bill_length_mm")
        asked = history.request(400 * DAY)
        assert rows(history, "diagnosis")[-1] == ((NO_HELP,) if row else (TRAIN["drift"],))
        assert history.carry_out(asked, "hold").success
    history.drift("b4", "bill_length_mm")
    assert "3 in a row brought no benefit, so the cool-down of 1d became 8 days" in (
        history.reason(5 * DAY)
    )
    assert rows(history)[-1] == ("back-off", "wait")
    assert history.carry_out(None, "promote").success
    history.drift("b5", "bill_length_mm")
    assert "the cool-down of 1d ends at" in history.reason(MINUTE)


def test_a_training_that_gives_the_champion_again_was_of_no_use(history: History) -> None:
    """Of a batch that training leaves out, for one: the same rows give the same model."""
    champion = history.platform.releases.champion(history.stage.name)
    assert champion is not None
    history.drift(SECOND, "bill_length_mm")
    assert history.carry_out(history.request(), "promote", key=champion.training_key).success
    assert history.reason().endswith("has been trained for: the model was unchanged.")
    assert rows(history, "state, diagnosis")[-1] == ("no benefit", NO_HELP)
    history.drift("2010", "bill_length_mm")
    assert "1 in a row brought no benefit" in history.reason(DAY)


def test_each_training_that_gives_the_champion_again_doubles_the_wait_and_leaves_its_cause(
    history: History,
) -> None:
    """Regression: of several the ledger knew the last one, and the wait never grew."""
    history = history.with_policy(budget=9)
    history.drift(SECOND, "bill_length_mm")
    first = history.request()
    assert history.carry_out(first, "promote", key="same").success
    for batch in ("b1", "b2", "b3"):
        history.drift(batch, "bill_length_mm")
        assert history.carry_out(history.request(400 * DAY), "promote", key="same").success
    history.drift("b4", "bill_length_mm")
    assert "3 in a row brought no benefit, so the cool-down of 1d became 8 days" in (
        history.reason(5 * DAY)
    )
    champion = history.platform.releases.champion(history.stage.name)
    assert champion is not None
    assert champion.incident == first.tags[INCIDENT_TAG]


def test_a_later_training_that_saw_the_batch_answers_its_incident(history: History) -> None:
    history.arrive(SECOND)
    history.drift(SECOND, "bill_length_mm")
    assert history.carry_out(None, "hold").success
    assert history.reason(30 * DAY).endswith("has been trained for: the model was held.")
    history.drift("2010", "bill_length_mm")
    assert history.request(30 * DAY).partition_key == "2010", "nobody has seen that one"


def test_what_a_person_promotes_later_was_of_use(history: History) -> None:
    history.drift(SECOND, "bill_length_mm")
    assert history.carry_out(history.request(), "hold").success
    history.platform.releases.move(history.stage.name, "promote", "a test", "planted", lambda *_: 2)
    history.drift("2010", "bill_length_mm")
    assert "the cool-down of 1d ends at" in history.reason(MINUTE)


def test_the_budget_of_a_window_holds_and_says_until_when(history: History) -> None:
    one = history.with_policy(cooldown="0s", budget=2, window="7d")
    one.drift(SECOND, "bill_length_mm")
    assert one.carry_out(one.request(DAY), "hold").success
    one.drift("2010", "bill_length_mm")
    assert "The budget of 2 trainings in 7d is used up until" in one.reason(6 * DAY)
    assert one.request(8 * DAY).partition_key == "2010", "the first release was eight days ago"


@pytest.mark.parametrize("verdict", ["promote", None])
def test_the_budget_counts_a_training_by_hand_also_where_it_failed(
    history: History, verdict: Verdict | None
) -> None:
    one = history.with_policy(cooldown="0s", budget=2, window="7d")
    assert one.carry_out(None, verdict).success == (verdict is not None)
    one.drift(SECOND, "bill_length_mm")
    assert "The budget of 2 trainings in 7d is used up until" in one.reason(6 * DAY)
    assert one.request(8 * DAY).partition_key == SECOND


@pytest.mark.parametrize(
    ("tags", "says"),
    [
        ({WILL_RETRY: "true"}, "A training has been running since"),
        ({WILL_RETRY: "false"}, None),
        ({WILL_RETRY: "true", RETRIED_BY: "another"}, None),
    ],
)
def test_a_run_that_dagster_will_make_again_still_runs(
    history: History, tags: dict[str, str], says: str | None
) -> None:
    """Else the next attempt and Dagster's own would train at once."""
    at_once = history.with_policy(cooldown="0s")
    at_once.drift(SECOND, "bill_length_mm")
    asked = at_once.request(MINUTE)
    ended = dg.RunRequest(job_name=asked.job_name, tags={**asked.tags, **tags})
    at_once.enqueue(ended, dg.DagsterRunStatus.FAILURE)
    if says:
        assert at_once.reason(MINUTE).startswith(says)
    later = at_once.request(60 * MINUTE)
    assert later.tags["leeway/attempt"] == "2", "nor does it wait for ever"


def test_a_thousand_decisions_and_runs_later_a_tick_reads_as_much_as_before(
    history: History,
) -> None:
    """Only the newest of each is read, and that is enough."""
    for number in range(60):
        history.drift(f"b{number}", "bill_length_mm")
    facts = facts_of(
        history.stage.name, history.stage.use_case, history.instance, history.platform,
        history.trained_at,
    )  # fmt: skip
    assert len(facts.incidents) == len(facts.looks) == 50
    assert facts.incidents[-1].batch == facts.looks[-1].batch == "b59"
    assert history.request().partition_key == "b59"
    assert history.request().job_name == retrain_job_name(history.stage.name)
