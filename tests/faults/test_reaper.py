"""A run whose process is dead is reported failed; one whose process works is left alone.

Runs of `leeway run` name their process. Runs that the daemon launched are tried with a real
daemon in test_dev_kills.py.
"""

from __future__ import annotations

import logging
import os
import socket
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import dagster as dg
import psutil
import pytest
from dagster._core.events import (  # noqa: TID251  # as a step records it; nothing public does
    DagsterEventType,
    StepMaterializationData,
)

from orchestration.sensors import reaper_sensor
from resources.instance import open_instance
from resources.ledger import Ledger
from resources.postgres import transaction
from resources.reaper import (
    HOST,
    LAUNCH_SECONDS,
    PID,
    STARTED,
    anything_unfinished,
    identity_of,
    reap,
)
from resources.reaper import worker_tags as tags_of_this_process
from resources.settings import Settings, get_settings
from resources.tracking import Tracking
from tests.faults.harness import alive, figure, until

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def opened(shared: Settings) -> Iterator[dg.DagsterInstance]:
    found = open_instance(shared)
    yield found
    found.dispose()


@pytest.fixture
def instance(opened: dg.DagsterInstance) -> dg.DagsterInstance:
    """The instance without a run."""
    for run in opened.get_runs():
        opened.delete_run(run.run_id)
    return opened


def add(
    instance: dg.DagsterInstance, tags: Mapping[str, str], status: str = "STARTED"
) -> dg.DagsterRun:
    run = dg.DagsterRun(
        job_name="penguins_graph", status=dg.DagsterRunStatus(status), tags=dict(tags)
    )
    return instance.add_run(run)


def status(instance: dg.DagsterInstance, run: dg.DagsterRun) -> str:
    found = instance.get_run_by_id(run.run_id)
    assert found is not None
    return str(found.status.value)


def tags_of(process: subprocess.Popen[bytes]) -> dict[str, str]:
    began = str(identity_of(process.pid))
    return {PID: str(process.pid), HOST: socket.gethostname(), STARTED: began}


def tags_of_parent() -> Mapping[str, str]:
    return {STARTED: str(identity_of(os.getppid()))}


def killed() -> tuple[subprocess.Popen[bytes], dict[str, str]]:
    """A process that was killed and not waited for, which makes it a zombie; and its tags."""
    process = subprocess.Popen(["sleep", "600"])
    tags = tags_of(process)
    process.kill()
    assert until(lambda: not alive(process.pid), 10) is not None
    return process, tags


def gone() -> dict[str, str]:
    """The tags of a process that is no more."""
    process, tags = killed()
    process.wait()
    return tags


def test_a_run_whose_process_was_killed_is_reported_failed(
    instance: dg.DagsterInstance, settings: Settings
) -> None:
    tags = gone()
    run = add(instance, tags)
    assert anything_unfinished(settings)
    assert status(instance, run) == "STARTED", "the control: without the reaper it stays"
    assert reap(instance) == [run.run_id]
    assert status(instance, run) == "FAILURE"
    (said,) = [
        entry.dagster_event.message
        for entry in instance.all_logs(run.run_id)
        if entry.dagster_event and entry.dagster_event.is_failure
    ]
    assert said is not None
    assert tags[PID] in said
    assert not anything_unfinished(settings)
    assert reap(instance) == [], "a second time there is nothing to report"
    figure("reaper: 1 of 1 dead runs reported failed; control: without it 1 of 1 stays STARTED")


def test_a_process_that_ended_and_was_not_waited_for_is_dead(instance: dg.DagsterInstance) -> None:
    process, tags = killed()
    run = add(instance, tags)
    assert reap(instance) == [run.run_id]
    process.wait()


def test_a_run_whose_process_works_is_left_alone(instance: dg.DagsterInstance) -> None:
    run = add(instance, tags_of_this_process())
    assert reap(instance) == []
    assert status(instance, run) == "STARTED"


def test_a_process_that_was_given_the_number_of_a_dead_one_does_not_hide_it(
    instance: dg.DagsterInstance,
) -> None:
    run = add(instance, {**tags_of_this_process(), STARTED: tags_of_parent()[STARTED]})
    assert reap(instance) == [run.run_id]


def test_a_process_of_another_machine_is_not_judged(instance: dg.DagsterInstance) -> None:
    add(instance, gone() | {HOST: "another"})
    assert reap(instance) == []


@pytest.fixture
def one_machine(server_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The settings of an installation whose database is the embedded one."""
    monkeypatch.delenv("LEEWAY_DATABASE_URL")
    monkeypatch.setenv("LEEWAY_HOME", str(server_home))
    get_settings.cache_clear()
    open_instance(get_settings()).dispose()
    yield
    get_settings.cache_clear()


@pytest.mark.usefixtures("one_machine")
def test_the_embedded_database_has_one_machine_whatever_it_is_called(
    instance: dg.DagsterInstance,
) -> None:
    """Guards: a machine that was given another name never judged its own dead runs."""
    dead, _ = add(instance, gone() | {HOST: "its old name"}), add(instance, tags_of_this_process())
    assert reap(instance) == [dead.run_id]


def test_a_clock_that_is_set_makes_no_process_another_one(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, began = add(instance, tags_of_this_process()), psutil.Process().create_time()
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: began + 3600)
    assert reap(instance) == []
    assert status(instance, run) == "STARTED"


def launched(instance: dg.DagsterInstance, settings: Settings, seconds: float) -> dg.DagsterRun:
    """A run that was launched so many seconds ago and has no worker."""
    run = add(instance, {}, "STARTING")
    with transaction(settings, "dagster") as cursor:
        cursor.execute(
            "update runs set update_timestamp = (now() at time zone 'utc') - %s * interval '1 s'",
            (seconds,),
        )
    return run


@pytest.mark.usefixtures("one_machine")
@pytest.mark.parametrize(("seconds", "late"), [(LAUNCH_SECONDS - 30, False), (46, True)])
def test_a_run_that_no_worker_began_is_reported_when_it_is_late(
    instance: dg.DagsterInstance, settings: Settings, seconds: float, late: bool
) -> None:
    run = launched(instance, settings, seconds)
    assert reap(instance) == ([run.run_id] if late else [])


def test_where_there_are_several_machines_a_worker_may_take_its_time(
    instance: dg.DagsterInstance, settings: Settings
) -> None:
    launched(instance, settings, 179)
    assert reap(instance) == []


def test_the_sensor_reports_the_dead_and_requests_nothing(instance: dg.DagsterInstance) -> None:
    dead, working = (
        add(instance, gone()),
        add(instance, tags_of_this_process()),
    )
    with dg.build_sensor_context(instance=instance) as context:
        tick = reaper_sensor()(context)
    assert isinstance(tick, dg.SkipReason)
    assert "1 runs" in str(tick.skip_message)
    assert (status(instance, dead), status(instance, working)) == ("FAILURE", "STARTED")


def commit(run: dg.DagsterRun, node: str, batch: str) -> None:
    ledger = Ledger()
    ledger.commit(
        ledger.begin("penguins", node, batch, run.run_id),
        input_digest=f"of {node} {batch}", digest="sha256:1", uri="file:///1", rows=1, facts={},
    )  # fmt: skip


def tell(instance: dg.DagsterInstance, run: dg.DagsterRun, *key: str, batch: str | None) -> None:
    """What Dagster records when a step has materialized its node."""
    told = dg.AssetMaterialization(dg.AssetKey(key), partition=batch)
    instance.report_dagster_event(
        dg.DagsterEvent(
            DagsterEventType.ASSET_MATERIALIZATION.value,
            job_name=run.job_name,
            event_specific_data=StepMaterializationData(told),
        ),
        run.run_id,
    )


def untold() -> set[tuple[str, str]]:
    return {key for key, found in Ledger().every_current("penguins").items() if not found.told}


@pytest.mark.parametrize("end", ["FAILURE", "CANCELED"])
def test_what_a_failed_run_committed_and_did_not_tell_is_marked(
    instance: dg.DagsterInstance, settings: Settings, end: str
) -> None:
    """Guards: only what killed runs had committed was looked at; `leeway run` had nothing to do."""
    run, other = add(instance, {}, end), add(instance, {}, "SUCCESS")
    for batch in ("1", "2"):
        commit(run, "raw", batch)
    commit(run, "training_set", "")
    commit(other, "raw", "3")
    assert anything_unfinished(settings)
    tell(instance, run, "penguins", "raw", batch="1")
    tell(instance, run, "penguins", "training_set", batch=None)
    tell(instance, run, "an", "asset", "of", "somebody", "else", batch=None)
    assert reap(instance) == []
    assert untold() == {("raw", "2")}
    assert not anything_unfinished(settings), "it was looked at"
    commit(add(instance, {}, "SUCCESS"), "raw", "2")
    assert untold() == set()
    assert not anything_unfinished(settings)


def test_what_a_dead_run_did_not_tell_is_marked(
    instance: dg.DagsterInstance, settings: Settings
) -> None:
    commit(add(instance, gone()), "raw", "1")
    assert len(reap(instance)) == 1
    assert untold() == {("raw", "1")}


def test_the_mlflow_run_of_a_dead_run_is_ended_as_failed(
    instance: dg.DagsterInstance, settings: Settings
) -> None:
    dead, working = add(instance, gone()), add(instance, tags_of_this_process())
    log = logging.getLogger(__name__)
    mlflow = [Tracking(settings, "penguins", run.run_id, log) for run in (dead, working)]
    assert [each.run_id for each in mlflow]
    assert reap(instance) == [dead.run_id]
    found = [each.client.get_run(each.run_id).info.status for each in mlflow]
    assert found == ["FAILED", "RUNNING"]
