"""Which run `leeway status` calls the last one, and what it says of it."""

import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg
import pytest
from dagster._core.remote_origin import (  # noqa: TID251  # there is no public way to say it
    RegisteredCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)

from cli import status
from orchestration.jobs import CHECKS_TAG, COMMAND_TAG, USE_CASE_TAG
from resources.ledger import WHOLE, Commit


@dg.op(config_schema={"fails": bool})
def node(context: dg.OpExecutionContext) -> None:
    if context.op_config["fails"]:
        raise ValueError("as asked for")


@dg.job(tags={USE_CASE_TAG: "boats"}, executor_def=dg.in_process_executor)
def boats_graph() -> None:
    node()


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as found:
        yield found


def ran(instance: dg.DagsterInstance, *, fails: bool = False, **tags: str) -> str:
    """Carries out a run; returns its id."""
    done = boats_graph.execute_in_process(
        instance=instance,
        run_config={
            "ops": {"node": {"config": {"fails": fails}}},
            "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
        },
        tags={{"command": COMMAND_TAG, "checks": CHECKS_TAG}[name]: tags[name] for name in tags},
        raise_on_error=False,
    )
    return done.run_id


def released_by(run_id: str) -> dict[tuple[str, str], Commit]:
    made = Commit(
        "boats", "release", WHOLE, "i", "sha256:0", "u", 1, {"verdict": "hold"}, run_id,
        datetime.now(UTC), told=True,
    )  # fmt: skip
    return {("release", WHOLE): made}


def test_what_one_command_was_cut_into_is_one_run(instance: dg.DagsterInstance) -> None:
    """Regression: what was decided in one part was forgotten when another came after it."""
    ran(instance, command="other")
    first = ran(instance, command="one")
    time.sleep(0.2)
    last = ran(instance, command="one")
    found = status._last_run("boats", released_by(first), instance)
    began, ended = (instance.get_run_record_by_id(each) for each in (first, last))
    assert began is not None
    assert ended is not None
    assert began.start_time is not None
    assert ended.end_time is not None
    seconds = round(ended.end_time - began.start_time, 1)
    assert found == {"id": last, "status": "success", "seconds": seconds, "decision": "held"}
    assert ended.start_time is not None
    assert seconds > round(ended.end_time - ended.start_time, 1), "of both"


def test_a_command_failed_when_a_part_of_it_did(instance: dg.DagsterInstance) -> None:
    ran(instance, fails=True, command="one")
    last = ran(instance, command="one")
    found = status._last_run("boats", {}, instance)
    assert found is not None
    assert (found["id"], found["status"], found["decision"]) == (last, "failure", None)


def test_runs_of_checks_are_passed_over_however_many_there_are(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status, "RUNS_AT_ONCE", 2)
    assert status._last_run("boats", {}, instance) is None
    failed = ran(instance, fails=True)
    for _ in range(3):
        ran(instance, checks="alone")
    found = status._last_run("boats", {}, instance)
    assert found is not None
    assert (found["id"], found["status"]) == (failed, "failure")


def test_a_run_that_the_ui_makes_again_of_one_is_no_part_of_its_command(
    instance: dg.DagsterInstance,
) -> None:
    """It has all its tags, and may come days later."""
    failed = ran(instance, fails=True, command="one")
    place = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("leeway"), "__repository__")
    again = dg.DagsterRun(
        "boats_graph", str(uuid.uuid4()), status=dg.DagsterRunStatus.STARTED,
        tags={USE_CASE_TAG: "boats", COMMAND_TAG: "one"},
        remote_job_origin=RemoteJobOrigin(place, "boats_graph"),
    )  # fmt: skip
    instance.add_run(again)
    found = status._last_run("boats", released_by(failed), instance)
    now = {"id": again.run_id, "status": "running", "seconds": None, "decision": None}
    assert found == now
