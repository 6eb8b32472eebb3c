"""The life of a model: first release, a batch like the others, a batch that drifted."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from assets.requested import ATTEMPT_TAG, CAUSE_TAG, INCIDENT_TAG
from leeway.controller.facts import Incident
from leeway.controller.machine import Decision
from leeway.spec import Retraining
from orchestration.retraining import retraining_tick
from resources.postgres import transaction
from tests.batches import penguins
from tests.graph.conftest import LONGER_BY_MM, NAME, SECOND, Graph, Kept, check_results
from tests.graph.history import asked_by


def tick(graph: Graph, now: datetime | None = None) -> dg.SensorResult:
    return retraining_tick(graph.stage, graph.instance, graph.platform, now or datetime.now(UTC))


def after_cooldown() -> datetime:
    return datetime.now(UTC) + timedelta(days=2)


@pytest.mark.timeout(600)
def test_a_model_lives_through_first_release_quiet_batch_and_drift(
    complete: Graph, kept: Kept
) -> None:
    graph = complete
    assert kept.passed
    assert all(kept.passed.values())
    champion = graph.platform.releases.champion(NAME)
    assert champion is not None
    assert champion.version == 1
    assert champion.facts["metrics"]["macro_f1"]["value"] >= 0.9
    assert tick(graph).skip_reason

    # A batch like those before it: processed, judged, and nothing follows.
    graph.write("2010", penguins(first_key=2001, year=[2009]))
    judged = ["drift", "damage", "predictions", "performance", "report"]
    batch_nodes = ["raw", "staged", "clean", "profile", *judged]
    quiet = graph.materialize(["2010"], batch_nodes)
    assert quiet.success
    assert check_results(quiet)["no_drift"].passed
    assert check_results(quiet)["no_damage"].passed
    assert tick(graph, after_cooldown()).skip_reason

    # A batch with bills ten millimetres longer: the check fails and one training is asked for.
    drifted = penguins(first_key=3001, year=[2009])
    drifted["bill_length_mm"] += LONGER_BY_MM
    graph.write("2011", drifted)
    moved = graph.materialize(["2011"], batch_nodes)
    assert moved.success
    check = check_results(moved)["no_drift"]
    assert not check.passed
    assert check.severity is dg.AssetCheckSeverity.ERROR
    assert "bill_length_mm" in (check.description or "")
    judged_facts = graph.platform.ledger.require(NAME, "drift", "2011").facts
    assert (judged_facts["origin"], judged_facts["reference"]) == ("world", "training_part")
    said = graph.platform.ledger.require(NAME, "predictions", "2011").facts["drift"]
    assert said["verdict"] in ("suspect", "confirmed"), "and so do the predictions"
    refused = check_results(moved)["no_damage"]
    assert not refused.passed
    assert "undefined" in (refused.description or ""), "no penguin had such a bill"
    assert tick(graph).skip_reason, "the cool-down since the first release holds"

    request = asked_by(tick(graph, after_cooldown()))
    again = asked_by(tick(graph, after_cooldown()))
    assert again.run_key == request.run_key, "the same evidence asks for the same run"
    retrained = graph.carry_out(request)
    assert retrained.success
    releases = graph.platform.releases.every(NAME)
    assert [release.version for release in releases] == [1, 2]
    assert releases[1].incident == request.tags[INCIDENT_TAG]
    assert releases[1].verdict in ("promote", "hold")
    assert releases[1].reason
    trained = graph.platform.ledger.require(NAME, "training_set")
    assert "2011" in trained.facts["batches"]

    # Made again, a release says what it said: the champion's as the first, the other as it was.
    # How long its training took, this time, is beside the digest and not within.
    before = graph.platform.releases.every(NAME)
    assert graph.materialize(["2011"], ["model_selection", "tuned_model", "release"]).success
    assert [release.digest for release in graph.platform.releases.every(NAME)] == [
        release.digest for release in before
    ]

    # The incident has been trained for: nothing more is asked for, however often one looks.
    assert tick(graph, after_cooldown()).skip_reason
    assert tick(graph, after_cooldown() + timedelta(days=30)).skip_reason

    # The change lasts, and the model knows it, although most of what it was trained on is older.
    lasting = penguins(first_key=4001, year=[2008])
    lasting["bill_length_mm"] += LONGER_BY_MM
    graph.write("2012", lasting)
    assert graph.materialize(["2012"], batch_nodes[:5]).success
    told = graph.platform.ledger.require(NAME, "drift", "2012").facts
    assert (told["verdict"], told["answered"]) == ("none", ["bill_length_mm"])
    assert incidents(graph) == []


def incidents(graph: Graph) -> list[Incident]:
    champion = graph.platform.releases.champion(NAME)
    assert champion is not None
    return graph.platform.releases.incidents(NAME, champion.digest, 50)


def test_labels_that_prove_a_gate_broken_are_an_incident_once(complete: Graph) -> None:
    """Two species change their names, which no feature shows."""
    wrong = penguins(first_key=5001, year=[2008])
    renamed = {"Adelie": "Gentoo", "Gentoo": "Adelie"}
    wrong["species"] = wrong["species"].replace(renamed)
    complete.write("2012", wrong)
    for _ in range(2):  # looked at again, it is the same evidence
        nodes = ["raw", "staged", "clean", "predictions", "performance"]
        found = complete.materialize(["2012"], nodes)
        assert found.success
        assert not check_results(found)["keeps_gates"].passed
    (broken,) = [each for each in incidents(complete) if each.cause == "performance"]
    assert (broken.batch, broken.columns, broken.origin) == ("2012", ("macro_f1",), "unknown")
    policy = Retraining(on=("performance",))
    use_case = complete.stage.use_case.model_copy(update={"retraining": policy})
    stage = replace(complete.stage, use_case=use_case)
    told = retraining_tick(stage, complete.instance, complete.platform, after_cooldown())
    assert asked_by(told).tags[CAUSE_TAG] == "performance"


def test_a_batch_that_the_champion_was_fitted_on_is_no_incident(
    complete: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its held-out rows may look bad, and another training would see what the last one saw."""
    monkeypatch.setattr("leeway.performance.broken_gates", lambda *_: ["macro_f1 is low."])
    before = incidents(complete)
    found = complete.materialize([SECOND], ["performance"])
    assert found.success
    assert not check_results(found)["keeps_gates"].passed
    assert incidents(complete) == before


def test_a_request_that_is_not_wanted_any_more_trains_nothing(
    complete: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    decisions, ledger = complete.platform.decisions, complete.platform.ledger
    before = ledger.require(NAME, "training_set")
    decision = Decision("confirmed", "retrain", "planted", "planted", "sha256:new", 1, "drift")
    assert decisions.record(
        NAME, decision, "sha256:p", datetime.now(UTC), since=decisions.position(NAME)
    )

    def refused(incident: str) -> str:
        tags = {INCIDENT_TAG: incident, ATTEMPT_TAG: "1"}
        job = f"{NAME}_retrain"
        ended = complete.carry_out(dg.RunRequest(job_name=job, partition_key=SECOND, tags=tags))
        assert not ended.success
        (failure,) = [each for each in ended.all_events if each.is_step_failure][:1]
        return str(failure.step_failure_data.error)

    assert "another training was decided after this one" in refused("sha256:old")
    with transaction(complete.platform.settings) as cursor:
        cursor.execute("update leeway.releases set incident = 'sha256:new'")
    champion = complete.platform.releases.champion(NAME)
    assert champion is not None
    assert f"run {champion.run_id} has trained for this incident" in refused("sha256:new")
    monkeypatch.setenv("LEEWAY_RETRAINING", "off")
    assert "LEEWAY_RETRAINING is off" in refused("sha256:new")
    assert ledger.require(NAME, "training_set") == before
