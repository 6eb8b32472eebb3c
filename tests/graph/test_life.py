"""The life of a model: first release, a batch like the others, a batch that drifted."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast

import dagster as dg
import pytest

from assets.requested import ATTEMPT_TAG, CAUSE_TAG, INCIDENT_TAG, ROOT_TAG
from leeway.controller.facts import Incident
from leeway.controller.machine import Decision
from leeway.spec import Retraining
from orchestration.jobs import LOOKED, graph_job_name
from orchestration.retraining import retraining_tick
from orchestration.sensors import sensors_of
from resources.postgres import transaction
from resources.releases import insert_incident
from resources.trainings import Asked
from tests.batches import penguins
from tests.graph.conftest import (
    LONGER_BY_MM,
    NAME,
    SECOND,
    Graph,
    Kept,
    check_results,
    opened,
)
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
    nodes = ["raw", "staged", "clean", "predictions", "performance"]
    for looked in (nodes, nodes[-1:]):  # looked at again, it is the same evidence
        found = complete.materialize(["2012"], looked)
        assert found.success
        assert not check_results(found)["keeps_gates"].passed
    (broken,) = [each for each in incidents(complete) if each.cause == "performance"]
    assert (broken.batch, broken.columns, broken.origin) == ("2012", ("macro_f1",), "unknown")
    policy = Retraining(on=("performance",))
    use_case = complete.stage.use_case.model_copy(update={"retraining": policy})
    stage = replace(complete.stage, use_case=use_case)
    told = retraining_tick(stage, complete.instance, complete.platform, after_cooldown())
    assert asked_by(told).tags[CAUSE_TAG] == "performance"
    complete.write("2012", penguins(first_key=5001, year=[2008]))
    assert complete.materialize(["2012"], nodes).success
    assert incidents(complete) == [], "the labels were corrected"


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


def planted(graph: Graph, incident: str) -> dg.RunRequest:
    """What a decision to train asks for."""
    decisions = graph.platform.decisions
    decision = Decision("confirmed", "retrain", "planted", "planted", incident, 1, "drift")
    assert decisions.record(
        NAME, decision, "sha256:p", datetime.now(UTC), since=decisions.position(NAME)
    )
    tags = {INCIDENT_TAG: incident, ATTEMPT_TAG: "1"}
    return dg.RunRequest(job_name=f"{NAME}_retrain", partition_key=SECOND, tags=tags)


def refused(graph: Graph, request: dg.RunRequest, *nodes: str, root: str = "first") -> str:
    """Why a run for a request fails; of nodes alone it is one that Dagster makes again."""
    selection = [graph.stage.key(node) for node in nodes] or None
    tags = {**request.tags, ROOT_TAG: root}
    ended = graph.carry_out(request._replace(tags=tags, asset_selection=selection))
    assert not ended.success
    failed = [each for each in ended.all_events if each.is_step_failure]
    return str(failed[0].step_failure_data.error)


def test_a_request_that_is_not_wanted_any_more_trains_nothing(complete: Graph) -> None:
    before = complete.platform.ledger.require(NAME, "training_set")
    old = planted(complete, "sha256:old")
    planted(complete, "sha256:new")
    assert "another training was decided after this one" in refused(complete, old)
    assert complete.platform.ledger.require(NAME, "training_set") == before


def test_of_two_runs_for_one_attempt_the_first_trains_and_keeps_its_right_to_each_node(
    complete: Graph,
) -> None:
    """Regression: the second passed until the first had come to a release, and both trained."""
    platform, request = complete.platform, planted(complete, "sha256:twice")
    assert platform.trainings.claim(NAME, Asked("sha256:twice", 1), "first") == "first"
    begun = platform.decisions.position(NAME).token
    assert "run first trains for this incident" in refused(complete, request, root="second")
    assert platform.decisions.position(NAME).token == begun, "the first may still commit"
    training = ["model_selection", "tuned_model"]
    tags = {**request.tags, ROOT_TAG: "first"}
    selection = [complete.stage.key(node) for node in training]
    assert complete.carry_out(request._replace(tags=tags, asset_selection=selection)).success


@pytest.mark.parametrize("node", ["training_set", "model_selection", "tuned_model", "release"])
def test_each_switch_stops_a_run_that_dagster_makes_again_from_any_node(
    complete: Graph, monkeypatch: pytest.MonkeyPatch, node: str
) -> None:
    """Regression: it went on from the node that a crash had ended, and only the first one asked."""
    request = planted(complete, f"sha256:{node}")
    off = complete.stage.use_case.model_copy(update={"retraining": Retraining(enabled=False)})
    with opened(NAME, off, complete.folder) as graph:
        assert "retraining.enabled is false" in refused(graph, request, node)
    monkeypatch.setenv("LEEWAY_RETRAINING", "off")
    assert "LEEWAY_RETRAINING is off" in refused(complete, request, node)
    (told,) = complete.platform.recorded.results(NAME, 0, [f"sha256:{node}"])[-1:]
    assert (told.incident, told.outcome) == (f"sha256:{node}", "refused")


def test_what_our_pipeline_did_meanwhile_is_not_learnt(complete: Graph) -> None:
    champion = complete.platform.releases.champion(NAME)
    assert champion is not None
    request = planted(complete, "sha256:meanwhile")
    with transaction(complete.platform.settings) as cursor:
        insert_incident(
            cursor, NAME, "sha256:own", "2013", ["sex"], champion.digest, "", origin="pipeline"
        )
    for node in ("training_set", "release"):
        assert "batch 2013 has a fault of our own pipeline" in refused(complete, request, node)
    with transaction(complete.platform.settings) as cursor:
        cursor.execute("delete from leeway.incidents where digest = 'sha256:own'")


def test_a_batch_that_came_while_a_model_was_trained_is_held_against_it(complete: Graph) -> None:
    """And its drift is then about the model that serves."""
    fitted = ["model_selection", "tuned_model", "explainers", "reference_profile", "release"]
    complete.write("2014", penguins(first_key=6001, year=[2008]))
    assert complete.materialize(["2014"], ["raw", "staged", "clean", "profile"]).success
    assert complete.materialize(["2014"], ["training_set"]).success
    drifted = penguins(first_key=7001, year=[2009])
    drifted["flipper_length_mm"] += 3 * LONGER_BY_MM
    complete.write("2015", drifted)
    looked = ["raw", "staged", "clean", "profile", *LOOKED]
    assert complete.materialize(["2015"], looked).success
    (before,) = [each for each in incidents(complete) if each.batch == "2015"]
    assert complete.materialize(["2014"], fitted).success
    newest = complete.platform.releases.every(NAME)[-1]
    complete.platform.releases.move(NAME, "promote", "a test", "planted", lambda *_: newest.version)
    assert incidents(complete) == [], "what was found is about the model before"
    with dg.build_sensor_context(
        instance=complete.instance, resources={"platform": complete.platform}
    ) as context:
        asked = cast("dg.SensorResult", sensors_of(complete.stage)[2](context))
    (request,) = [each for each in asked.run_requests or [] if each.partition_key == "2015"]
    job = graph_job_name(NAME)
    assert complete.carry_out(request._replace(job_name=job)).success
    (after,) = [each for each in incidents(complete) if each.batch == "2015"]
    assert (after.columns, after.digest != before.digest) == (before.columns, True)


def test_a_batch_that_was_corrected_is_no_incident_any_more(complete: Graph) -> None:
    """Regression: what its source had sent wrong was trained for as long as the champion served."""
    nodes = ["raw", "staged", "clean", "profile", *LOOKED]
    wrong = penguins(first_key=8001, year=[2007])
    wrong["bill_depth_mm"] *= 2
    for table, drifted in ((wrong, True), (penguins(first_key=8001, year=[2007]), False)):
        complete.write("2016", table)
        assert complete.materialize(["2016"], nodes).success
        found = {each.cause for each in incidents(complete) if each.batch == "2016"}
        assert ("drift" in found) == bool(found) == drifted
