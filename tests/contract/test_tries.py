"""A run that failed is asked for again, a few times, by another key."""

from __future__ import annotations

import dagster as dg
from dagster import DagsterRunStatus

from orchestration.tries import MOST, next_try


@dg.op
def fails() -> None:
    raise ValueError("always")


@dg.op
def succeeds() -> None:
    return None


@dg.job
def failing() -> None:
    fails()


@dg.job
def fine() -> None:
    succeeds()


def test_a_run_that_failed_is_asked_for_again_and_one_that_went_well_is_not() -> None:
    with dg.DagsterInstance.ephemeral() as instance:

        def run(job: dg.JobDefinition, key: str) -> DagsterRunStatus:
            done = job.execute_in_process(
                instance=instance, tags={"dagster/run_key": key}, raise_on_error=False
            )
            return done.dagster_run.status

        keys = []
        for _ in range(MOST):
            keys.append(next_try(instance, "cause"))
            assert next_try(instance, "cause") == keys[-1]
            assert run(failing, keys[-1]) == DagsterRunStatus.FAILURE
        assert keys == ["cause", "cause:2", "cause:3"]
        assert next_try(instance, "cause") == "cause:3", "which Dagster has had"
        assert run(fine, "other") == DagsterRunStatus.SUCCESS
        assert next_try(instance, "other") == "other"
