"""A release that is tried beside the champion first, through the whole graph.

Belongs here: what the node `release`, the sensor and `leeway run` make of a trial. Does not belong
here: requests (tests/service/test_trial.py), or the ledger alone (tests/contract/test_trials.py).
"""

from __future__ import annotations

import json
import time
import uuid

import dagster as dg
import pytest

from assets.requested import CAUSE_TAG
from leeway.served.tried import Request, as_copied
from leeway.spec import Trial
from leeway.trial.verdict import LEAST_REQUESTS
from orchestration.jobs import RETRAINED, retrain_job_name
from orchestration.sensors import sensors_of
from resources import trials, tried
from resources.registry import untold
from resources.releases import Release
from tests.batches import penguins
from tests.graph.conftest import LONGER_BY_MM, NAME, Graph, opened

pytestmark = pytest.mark.timeout(600)
HOURS = 0.0001


def tick(graph: Graph) -> dg.SensorResult | dg.SkipReason:
    sensor = next(each for each in sensors_of(graph.stage) if each.name.endswith("_trial"))
    with dg.build_sensor_context(
        instance=graph.instance, resources={"platform": graph.platform}
    ) as context:
        found = sensor(context)
    assert isinstance(found, dg.SensorResult | dg.SkipReason)
    return found


def train(graph: Graph, batch: str) -> Release:
    """Trains after a change that the champion does not know; the newest release."""
    drifted = penguins(first_key=3001, year=[2009])
    drifted["bill_length_mm"] += LONGER_BY_MM
    graph.write(batch, drifted)
    assert graph.materialize([batch], ["raw", "staged", "clean", "profile"]).success
    request = dg.RunRequest(
        job_name=retrain_job_name(NAME),
        partition_key=batch,
        asset_selection=[graph.stage.key(node) for node in RETRAINED[:6]],
        tags={CAUSE_TAG: "drift"},
    )
    assert graph.carry_out(request).success
    return graph.platform.releases.every(NAME)[-1]


def test_a_release_that_would_be_promoted_is_tried_and_then_is(complete: Graph) -> None:
    use_case = complete.stage.use_case
    update = {"trial": Trial(hours=HOURS)}
    settings = complete.platform.settings
    with opened(NAME, use_case.model_copy(update=update), complete.folder) as graph:
        releases = graph.platform.releases
        assert "no release is tried" in str(tick(graph))
        made = train(graph, "2011")
        assert (made.version, made.verdict) == (2, "hold")
        assert made.reason.endswith("better than the champion. It is tried beside version 1 first.")
        manifest = json.loads(graph.platform.store.get(str(made.facts["uri"]), made.digest))
        assert manifest["decision"]["verdict"] == "promote", "what the held-out rows say"
        champion = releases.champion(NAME)
        assert champion is not None
        assert champion.version == 1
        trial = trials.running_of(settings, NAME)
        assert trial is not None
        assert (trial.version, trial.release, trial.champion) == (2, made.digest, 1)

        time.sleep(3600 * HOURS)
        waits = tick(graph)
        assert isinstance(waits, dg.SkipReason)
        assert "goes on: it had 0 of 20 requests" in str(waits.skip_message)
        rows = [
            Request(trial.id, time.time(), "shadow", 0.01, [uuid.uuid4().hex], None, b"[{}]")
            for _ in range(LEAST_REQUESTS)
        ]
        tried.write(settings, as_copied(rows))
        done = tick(graph)
        assert isinstance(done, dg.SensorResult)
        assert done.asset_events
        seen = done.asset_events[0]
        assert isinstance(seen, dg.AssetObservation)
        assert "promoted: 0 of 20 requests failed" in str(seen.description)
        champion = releases.champion(NAME)
        assert champion is not None
        assert (champion.version, champion.digest) == (2, made.digest)
        assert untold(settings) == [], "and MLflow knows"
        assert "no release is tried" in str(tick(graph))

        # Made again, it is what it was, and nothing is tried a second time.
        assert graph.materialize(["2011"], ["release"]).success
        again = releases.every(NAME)[-1]
        assert (again.version, again.digest) == (2, made.digest)
        assert trials.running(settings) == {}
        assert len(releases.moves(NAME)) == 2
