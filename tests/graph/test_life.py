"""The life of a model: first release, a batch like the others, a batch that drifted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from assets.release import INCIDENT_TAG
from orchestration.sensors import retraining_tick
from tests.batches import penguins
from tests.graph.conftest import LONGER_BY_MM, NAME, Graph, Kept, check_results


def tick(graph: Graph, now: datetime | None = None) -> dg.RunRequest | dg.SkipReason:
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
    assert isinstance(tick(graph), dg.SkipReason)

    # A batch like those before it: processed, judged, and nothing follows.
    graph.write("2010", penguins(first_key=2001, year=[2009]))
    judged = ["drift", "damage", "predictions", "performance", "report"]
    batch_nodes = ["raw", "staged", "clean", *judged]
    quiet = graph.materialize(["2010"], batch_nodes)
    assert quiet.success
    assert check_results(quiet)["no_drift"].passed
    assert check_results(quiet)["no_damage"].passed
    assert isinstance(tick(graph, after_cooldown()), dg.SkipReason)

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
    refused = check_results(moved)["no_damage"]
    assert not refused.passed
    assert "undefined" in (refused.description or ""), "no penguin had such a bill"
    assert isinstance(tick(graph), dg.SkipReason), "the cool-down since the first release holds"

    request = tick(graph, after_cooldown())
    assert isinstance(request, dg.RunRequest)
    again = tick(graph, after_cooldown())
    assert isinstance(again, dg.RunRequest)
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
    assert isinstance(tick(graph, after_cooldown()), dg.SkipReason)
    assert isinstance(tick(graph, after_cooldown() + timedelta(days=30)), dg.SkipReason)
