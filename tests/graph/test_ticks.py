"""Sensors and conditions, tick by tick: what each asks for, and what it does not ask for again.

Belongs here: ticks over a history that is written through the ledger and into Dagster's instance,
with a given time where the code takes one. Does not belong here: the decision as a function
(tests/unit/test_retraining.py) or the training that a tick asks for (test_life.py).
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Literal, cast

import dagster as dg
import psycopg2.extensions
import pytest

# A queued run must say where its job is loaded from, and there is no public way to say it.
from dagster._core.remote_origin import (  # noqa: TID251
    RegisteredCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)

from assets.release import INCIDENT_TAG
from assets.stage import Stage, stage_of
from leeway.retraining import MAX_ATTEMPTS, incident_digest
from leeway.spec import FileSource, Freshness, Retraining
from orchestration.jobs import graph_job_name, retrain_job_name
from orchestration.sensors import retraining_tick, sensors_of
from orchestration.use_cases import load_use_cases
from resources.files import SourceError
from resources.instance import open_instance
from resources.platform import Platform
from resources.releases import Release, insert_incident, promote_in
from tests.conftest import installation
from tests.graph.conftest import NAME, Graph, penguins

Verdict = Literal["promote", "hold", "reject"]
OUTCOMES: dict[Verdict, str] = {"promote": "promoted", "hold": "held", "reject": "rejected"}
DAY = timedelta(days=1)
FIRST, SECOND = "2007-2008", "2009"
_numbers = count(1)


@dataclass
class History:
    """One use case of its own, and what has happened to it so far."""

    stage: Stage
    platform: Platform
    instance: dg.DagsterInstance
    trained_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def with_policy(self, **policy: Any) -> History:
        """The same history under another retraining policy."""
        use_case = self.stage.use_case.model_copy(update={"retraining": Retraining(**policy)})
        return replace(self, stage=replace(self.stage, use_case=use_case))

    def tick(self, after: timedelta = 2 * DAY) -> dg.RunRequest | dg.SkipReason:
        """A tick so long after the first release."""
        return retraining_tick(self.stage, self.instance, self.platform, self.trained_at + after)

    def reason(self, after: timedelta = 2 * DAY) -> str:
        """Why a tick asks for nothing."""
        skipped = self.tick(after)
        assert isinstance(skipped, dg.SkipReason), f"asked for {skipped}"
        return str(skipped.skip_message)

    def request(self, after: timedelta = 2 * DAY) -> dg.RunRequest:
        """What a tick asks for."""
        found = self.tick(after)
        assert isinstance(found, dg.RunRequest), f"asked for nothing: {found.skip_message}"
        return found

    def commit(
        self,
        node: str,
        batch: str = "",
        run_id: str = "",
        facts: dict[str, Any] | None = None,
        also: Callable[[psycopg2.extensions.cursor], None] | None = None,
    ) -> None:
        """A node's result in the ledger."""
        attempt = self.platform.ledger.begin(self.stage.name, node, batch, run_id)
        digest = f"sha256:{next(_numbers)}"
        self.platform.ledger.commit(attempt, input_digest=digest, digest=digest, uri="file:///none",
                                    rows=1, facts=facts or {}, also=also)  # fmt: skip

    def arrive(self, batch: str) -> None:
        """A batch is clean."""
        self.platform.ledger.register_batches(self.stage.name, [batch])
        self.commit("clean", batch)

    def drift(self, batch: str, *columns: str) -> None:
        """A batch is found to have drifted from the champion, as the asset `drift` records it."""
        champion = self.platform.releases.champion(self.stage.name)
        assert champion is not None
        digest = incident_digest(self.stage.name, champion.digest, batch, columns)
        self.commit(
            "drift",
            batch,
            also=partial(insert_incident, use_case=self.stage.name, digest=digest, batch=batch,
                         columns=columns, release_digest=champion.digest, run_id=""),
        )  # fmt: skip

    def release(self, verdict: Verdict, run_id: str, incident: str | None, key: str = "") -> None:
        """Every clean batch is trained on and judged, as the asset `release` records it."""
        name, releases = self.stage.name, self.platform.releases
        key = key or f"key-{next(_numbers)}"
        champion = releases.champion(name)
        made = Release(
            use_case=name, version=releases.next_version(name, key), digest=f"sha256:of-{key}",
            training_key=key, algorithm="decision_tree", verdict=verdict, reason="planted",
            facts={
                "batches": self.platform.ledger.batches(name),
                "awaits_person": self.stage.use_case.promotion == "manual",
            },
            incident=incident,
            run_id=run_id, released_at=self.trained_at,
        )  # fmt: skip

        def record(cursor: psycopg2.extensions.cursor) -> None:
            releases.record(cursor, made)
            if verdict == "promote":
                judged = champion.version if champion else None
                promote_in(cursor, name, made.version, judged, "planted")

        self.commit("release", run_id=run_id, also=record)

    def carry_out(
        self, request: dg.RunRequest | None, verdict: Verdict | None, key: str = ""
    ) -> dg.ExecuteInProcessResult:
        """A run of Dagster for a request, or by hand; without a verdict it fails."""
        tags = dict(request.tags) if request else {}
        run_id = str(uuid.uuid4())

        @dg.op
        def train() -> None:
            batches = self.platform.ledger.batches(self.stage.name)
            self.commit("training_set", facts={"batches": batches})
            if verdict is None:
                raise RuntimeError("planted")
            self.release(verdict, run_id, tags.get(INCIDENT_TAG), key)

        name = retrain_job_name if request else graph_job_name

        @dg.job(name=name(self.stage.name), executor_def=dg.in_process_executor)
        def training() -> None:
            train()

        return training.execute_in_process(
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            instance=self.instance, tags=tags, run_id=run_id, raise_on_error=False,
        )  # fmt: skip

    def enqueue(
        self,
        request: dg.RunRequest,
        status: dg.DagsterRunStatus,
        *nodes: str,
    ) -> dg.DagsterRun:
        """A run that Dagster made of a request and that has not ended; of some nodes alone."""
        assert request.job_name is not None
        place = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("leeway"), "__repository__")
        run = dg.DagsterRun(
            request.job_name, str(uuid.uuid4()), status=status, tags=request.tags,
            remote_job_origin=RemoteJobOrigin(place, request.job_name),
            asset_selection=frozenset(map(self.stage.key, nodes)) if nodes else None,
        )  # fmt: skip
        return self.instance.add_run(run)


@pytest.fixture(scope="module")
def shared(server_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One installation for all histories: each has a name of its own."""
    with installation(server_home, tmp_path_factory.mktemp("home")):
        instance = open_instance()
        yield instance, Platform()
        instance.dispose()


@pytest.fixture
def history(shared: tuple[dg.DagsterInstance, Platform], tmp_path: Path) -> History:
    """A use case with a first release that was trained on the first batch."""
    source = FileSource(kind="file", path=str(tmp_path))
    use_case = load_use_cases()[NAME].model_copy(update={"source": source})
    instance, platform = shared
    found = History(stage_of(f"ticks_{next(_numbers)}", use_case), platform, instance)
    found.arrive(FIRST)
    assert found.carry_out(None, "promote").success
    return found


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
            asked.append(cast("dg.RunRequest", sensor(context)))
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
    assert len(history.platform.releases.incidents(history.stage.name)) == 1
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
    assert history.reason(30 * DAY) == "No drift calls for a training."
    # Taken back, the first version has drifted again; that was trained for, and is not again.
    releases = history.platform.releases
    releases.move(history.stage.name, "rollback", "a test", "planted", lambda _, line: line[0])
    assert history.reason(30 * DAY).endswith("has been trained for: the model was promoted.")


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
    (run,) = history.instance.get_run_records(
        dg.RunsFilter(job_name=graph_job_name(history.stage.name))
    )
    ready = datetime.fromtimestamp(run.end_time or 0, UTC) + DAY - history.trained_at
    second = timedelta(seconds=1)
    for early in (ready - second, timedelta(0), -30 * DAY):  # the last: a clock that went back
        assert "the cool-down of 1d ends at" in history.reason(early)
    assert history.request(ready + second).tags["leeway/attempt"] == "1"


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
    assert both.reason(3 * overdue) == nothing, "it has seen every batch, and was not better"
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


# New batches: the sensor registers them, and conditions ask for their nodes.


def added(sensor: dg.SensorDefinition, instance: dg.DagsterInstance) -> list[str]:
    """What a tick of the sensor registers, which is then done as the daemon does it."""
    found = sensor.evaluate_tick(
        dg.build_sensor_context(instance=instance, sensor_name=sensor.name)
    )
    assert not found.run_requests, "conditions ask for runs, or each batch would run twice"
    batches: list[str] = []
    for request in found.dynamic_partitions_requests or []:
        keys = list(request.partition_keys)
        instance.add_dynamic_partitions(request.partitions_def_name, keys)
        batches += keys
    return batches


def test_a_new_batch_is_registered_exactly_once(history: History, tmp_path: Path) -> None:
    sensor = sensors_of(history.stage)[0]
    assert added(sensor, history.instance) == []
    for batch in (SECOND, FIRST):
        (tmp_path / f"{batch}.csv").write_text("penguin_id\n1\n")
    assert added(sensor, history.instance) == [FIRST, SECOND], "in the order of the source"
    (tmp_path / "notes.txt").write_text("not a batch")
    (tmp_path / f"{SECOND}.csv").write_text("penguin_id\n2\n")  # written again: no new batch
    assert added(sensor, history.instance) == []
    (tmp_path / "2010.csv").write_text("penguin_id\n3\n")
    assert added(sensor, history.instance) == ["2010"]
    assert added(sensor, history.instance) == []


def test_a_source_that_is_gone_is_an_error_and_not_a_batch(
    history: History, tmp_path: Path
) -> None:
    """Guards: a folder that was not there was read as a file, and its name registered."""
    sensor = sensors_of(history.stage)[0]
    shutil.rmtree(tmp_path)
    with pytest.raises(SourceError, match=f"{tmp_path}: no such file or folder; check source.path"):
        added(sensor, history.instance)
    tmp_path.mkdir()
    assert history.instance.get_dynamic_partitions(f"{history.stage.name}_batches") == []


@dataclass
class Conditions:
    """The daemon's evaluations of a graph's conditions, one after the other."""

    graph: Graph
    cursor: Any = None

    def requested(self) -> dict[str, list[str]]:
        """Batches by node that a tick asks for."""
        found = dg.evaluate_automation_conditions(
            self.graph.definitions, self.graph.instance, cursor=self.cursor
        )
        self.cursor = found.cursor
        return {
            result.key.path[-1]: sorted(map(str, found.get_requested_partitions(result.key)))
            for result in found.results
            if isinstance(result.key, dg.AssetKey) and found.get_num_requested(result.key)
        }

    def materialized(self, batch: str | None, *nodes: str) -> None:
        """Tells Dagster that nodes were materialized."""
        for node in nodes:
            event = dg.AssetMaterialization(dg.AssetKey([NAME, node]), partition=batch)
            self.graph.instance.report_runless_asset_event(event)


DATA, JUDGED = ("raw", "staged", "clean"), ("drift", "predictions", "performance", "report")


@pytest.mark.timeout(300)
def test_each_node_of_a_new_batch_is_asked_for_once(graph: Graph) -> None:
    conditions = Conditions(graph)
    sensor = sensors_of(graph.stage)[0]
    graph.write(FIRST, penguins(year=[2007, 2008]))
    added(sensor, graph.instance)
    assert conditions.requested() == {}, "what was there when the daemon first looked"
    conditions.materialized(FIRST, *DATA)

    graph.write(SECOND, penguins(first_key=1001, year=[2009]))
    added(sensor, graph.instance)
    asked = conditions.requested()
    assert asked == {node: [SECOND] for node in DATA}, "no release yet: nothing to predict with"
    assert conditions.requested() == {}, "asked for, and perhaps failing: not again"
    conditions.materialized(SECOND, *DATA)
    conditions.materialized(None, "training_set", "release")
    assert conditions.requested() == {node: [SECOND] for node in JUDGED}
    conditions.materialized(SECOND, *JUDGED)
    assert conditions.requested() == {}, "and no training for a batch like the others"

    for batch in ("2010", "2011"):
        graph.write(batch, penguins(first_key=2001, year=[2009]))
    added(sensor, graph.instance)
    both = {node: ["2010", "2011"] for node in (*DATA, *JUDGED)}
    assert conditions.requested() == both, "two at once, each with all of its nodes in one run"
    conditions.materialized(None, "training_set", "release")
    assert conditions.requested() == {}, "a new release is no reason to go through old batches"
