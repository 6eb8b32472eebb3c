"""What a run imports while dbt works: in time for the next step, and only what training needs."""

import json
import subprocess
import sys

# Two steps as in a run: dbt's, during which this process waits, and the one after.
PROGRAM = """
import json, sys, time
import dagster as dg
from cli.preload import Preload
from orchestration.use_cases import find_use_case

def heavy(): return sorted(sys.modules.keys() & {"mlflow", "sklearn", "skops", "xgboost"})

def having(candidates):
    use_case = find_use_case("penguins")
    search = use_case.search.model_copy(update={"candidates": candidates})
    return use_case.model_copy(update={"search": search})

seen = [heavy()]

@dg.op(name="penguins_dbt", out=dg.Out(dg.Nothing))
def dbt(): time.sleep(0.01)

@dg.op(ins={"after": dg.In(dg.Nothing)})
def training(): seen.append(heavy())

@dg.job
def run(): training(dbt())

with dg.DagsterInstance.ephemeral() as instance:
    for number, (nodes, candidates) in enumerate(json.loads(sys.argv[1])):
        run_id = f"b4c1cd1e-0000-4000-8000-00000000000{number}"
        instance.add_event_listener(run_id, Preload(nodes, having(candidates)).notice)
        run.execute_in_process(instance=instance, run_id=run_id)
print(json.dumps(seen))
"""


def test_libraries_are_there_when_the_step_after_dbt_begins_if_it_needs_them() -> None:
    """Regression: xgboost was imported whatever the candidates were."""
    training = ["raw", "staged", "tuned_model"]
    runs = [
        [["raw", "staged", "clean"], ["xgboost"]],
        [training, ["decision_tree", "random_forest"]],
        [training, ["decision_tree", "xgboost"]],
    ]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM, json.dumps(runs)],
        capture_output=True,
        text=True,
        check=True,
    )
    always = ["mlflow", "sklearn", "skops"]
    assert json.loads(done.stdout.splitlines()[-1]) == [[], [], always, [*always, "xgboost"]]
