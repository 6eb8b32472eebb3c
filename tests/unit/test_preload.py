"""What a run imports while dbt works: in time for the next step, and only for training."""

import json
import subprocess
import sys

import pytest

# Two steps as in a run: dbt's, during which this process waits, and the one after.
PROGRAM = """
import json, sys, time
import dagster as dg
from cli.preload import Preload

early = sys.modules.keys() & {"mlflow", "sklearn", "skops"}
late = {}

@dg.op(name="penguins_dbt", out=dg.Out(dg.Nothing))
def dbt(): time.sleep(0.01)

@dg.op(ins={"after": dg.In(dg.Nothing)})
def training(): late.update(dict.fromkeys(sys.modules.keys() & {"mlflow", "sklearn", "skops"}))

@dg.job
def run(): training(dbt())

with dg.DagsterInstance.ephemeral() as instance:
    run_id = "b4c1cd1e-0000-4000-8000-000000000001"
    instance.add_event_listener(run_id, Preload(sys.argv[1:]).notice)
    run.execute_in_process(instance=instance, run_id=run_id)
print(json.dumps([sorted(early), sorted(late)]))
"""


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        (["raw", "staged", "tuned_model"], ["mlflow", "skops", "sklearn"]),
        (["raw", "staged", "clean"], []),
    ],
)
def test_libraries_are_there_when_the_step_after_dbt_begins(
    nodes: list[str], expected: list[str]
) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM, *nodes],
        capture_output=True,
        text=True,
        check=True,
    )
    early, late = json.loads(done.stdout.splitlines()[-1])
    assert early == []
    assert set(late) == set(expected)
