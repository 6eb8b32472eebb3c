"""A run whose process is dead is reported failed; one whose process works is left alone.

Runs of `leeway run` name their process. Runs that the daemon launched are tried with a real
daemon in test_dev_kills.py.
"""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator, Mapping

import dagster as dg
import psutil
import pytest

from orchestration.sensors import reaper_sensor
from resources.instance import open_instance
from resources.postgres import transaction
from resources.reaper import HOST, LAUNCH_SECONDS, PID, STARTED, anything_unfinished, reap
from resources.reaper import worker_tags as tags_of_this_process
from resources.settings import Settings
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
    began = psutil.Process(process.pid).create_time()
    return {PID: str(process.pid), HOST: socket.gethostname(), STARTED: f"{began:.2f}"}


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
    mine = dict(tags_of_this_process())
    run = add(instance, mine | {STARTED: f"{float(mine[STARTED]) - 60:.2f}"})
    assert reap(instance) == [run.run_id]


def test_a_process_of_another_machine_is_not_judged(instance: dg.DagsterInstance) -> None:
    add(instance, gone() | {HOST: "another"})
    assert reap(instance) == []


@pytest.mark.parametrize(("seconds", "late"), [(LAUNCH_SECONDS - 30, False), (181, True)])
def test_a_run_that_no_worker_began_is_reported_when_it_is_late(
    instance: dg.DagsterInstance, settings: Settings, seconds: float, late: bool
) -> None:
    run = add(instance, {}, "STARTING")
    with transaction(settings, "dagster") as cursor:
        cursor.execute(
            "update runs set update_timestamp = (now() at time zone 'utc') - %s * interval '1 s'",
            (seconds,),
        )
    assert reap(instance) == ([run.run_id] if late else [])


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
