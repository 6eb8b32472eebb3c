"""Why nothing was trained, and why no version is champion, as real ticks of the controller left it.

Belongs here: answers about what did not happen. Does not belong here: what did
(tests/graph/test_why.py).
"""

from __future__ import annotations

from dataclasses import replace

import dagster as dg
import pytest

from assets.stage import stage_of
from leeway.why.statement import Answer
from resources.platform import Platform
from resources.trainings import Asked
from resources.why.answers import why_version
from tests.graph.history import DAY, History


def asked(history: History) -> Answer:
    return why_version(history.platform.settings, history.platform.store, history.stage.name, None)


def text(answer: Answer, topic: str) -> str:
    return "\n".join(each.text for each in answer.statements if each.topic == topic)


def after_tick(history: History, days: float) -> str:
    """What is said of retraining after a tick so many days after the first release."""
    history.tick(days * DAY)
    return text(asked(history), "retraining")


def test_nothing_has_been_decided_yet(history: History) -> None:
    assert "unknown, the controller has decided nothing yet" in text(asked(history), "retraining")


def test_a_quiet_and_a_suspect_batch_call_for_nothing(history: History) -> None:
    history.look("b2")
    assert "does nothing (healthy" in after_tick(history, 2)
    history.look("b3", "suspect")
    told = after_tick(history, 2)
    assert "Batch b3 is suspect. Diagnosis: it may have changed" in told
    assert "(healthy; this decision was made" in told, "what was decided before is told, too"


def test_a_cool_down_is_told_with_its_end(history: History) -> None:
    history.drift("b2", "x")
    told = after_tick(history, 0.5)
    assert "The controller waits (confirmed" in told
    assert "the cool-down of 1d ends at" in told


def test_a_budget_that_is_used_up_is_told(history: History) -> None:
    spent = history.with_policy(budget=1, cooldown="1s", window="30d")
    spent.drift("b2", "x")
    assert "The budget of 1 training in 30d is used up until" in after_tick(spent, 2)


def test_the_switch_of_the_installation_is_told(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEEWAY_RETRAINING", "off")
    history.drift("b2", "x")
    told = after_tick(history, 2)
    assert "LEEWAY_RETRAINING is off. The drift of x in batch b2 waits." in told


def test_a_fault_of_our_own_pipeline_is_an_alert(history: History) -> None:
    history.drift("b2", "x", origin="pipeline")
    told = after_tick(history, 2)
    assert "raised an alert and trains nothing" in told
    assert "comes from our own pipeline" in told


def test_a_training_that_was_refused_says_why(history: History) -> None:
    history.drift("b2", "x")
    asking = history.request()
    incident = Asked(asking.tags["leeway/incident"], 1)
    history.platform.trainings.claim(history.stage.name, incident, "some run")
    history.platform.trainings.refuse(history.stage.name, incident, "retraining.enabled is false")
    told = text(asked(history), "retraining")
    assert "asked for a training" in told
    assert f"Attempt 1 at incident {incident.incident} was refused" in told
    assert "retraining.enabled is false." in told


def test_without_a_champion_the_versions_and_what_is_missing_are_told(
    shared: tuple[dg.DagsterInstance, Platform], history: History
) -> None:
    instance, platform = shared
    never = History(stage_of("never_released", history.stage.use_case), platform, instance)
    never.arrive("b1")
    (found,) = asked(never).statements
    assert not found.known
    assert "came no further than clean; `leeway run never_released` trains one" in found.text
    manual = never.stage.use_case.model_copy(update={"promotion": "manual"})
    replace(never, stage=replace(never.stage, use_case=manual)).release("hold", "", None)
    answer = asked(never)
    assert (answer.about["version"], answer.about["champion"]) == (None, False)
    assert "Version 1 was held" in text(answer, "champion")
    assert "`leeway promote never_released 1` makes it the champion." in text(answer, "champion")


def test_of_records_that_lack_all_but_the_ledger_the_rest_is_unknown(history: History) -> None:
    """A release without files, whose run is known to Dagster."""
    answer = asked(history)
    assert answer.about["version"] == 1
    lost = [each.text for each in answer.statements if not each.known]
    assert any(each.startswith("Gates and comparison: unknown, the object") for each in lost)
    assert any(each.startswith("The rows of training set") for each in lost)
    assert "Leeway itself promoted it" in text(answer, "champion")
