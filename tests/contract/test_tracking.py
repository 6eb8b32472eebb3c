"""What MLflow holds of a Dagster run: one run, its trials, one version per training key.

Belongs here: `resources.tracking` against a real MLflow store. Does not belong here: what the
stages log.
"""

from __future__ import annotations

import logging
import uuid

import pytest

from resources.settings import Settings
from resources.tracking import TRAINING_KEY, Tracking

CHOICE = {
    "metric": "macro_f1",
    "winner": "decision_tree",
    "candidates": [
        {"name": "decision_tree", "mean": 0.9},
        {"name": "random_forest", "mean": None},
    ],
}
TRIALS = [
    {"number": 0, "state": "complete", "value": 0.8, "parameters": {"max_depth": 2}},
    {"number": 1, "state": "pruned", "value": None, "parameters": {"max_depth": 9}},
]
TUNED = {"metric": "macro_f1", "value": 0.8, "parameters": {"max_depth": 2}, "trials": TRIALS}


@pytest.fixture
def name() -> str:
    """A use case that no other test uses."""
    return f"u{uuid.uuid4().hex[:8]}"


def tracking(settings: Settings, name: str, run_id: str) -> Tracking:
    return Tracking(settings, name, run_id, logging.getLogger(__name__))


def tags(key: str) -> dict[str, str]:
    return {TRAINING_KEY: key, "algorithm": "decision_tree"}


def test_each_dagster_run_has_its_own_mlflow_run_in_one_process(
    shared: Settings, name: str
) -> None:
    first, second = (tracking(shared, name, str(uuid.uuid4())) for _ in range(2))
    assert first.run_id != second.run_id
    first.log_selection(CHOICE)
    data = first.client.get_run(first.run_id).data
    assert data.params == {"algorithm": "decision_tree"}
    assert data.metrics == {"selection/decision_tree/macro_f1": 0.9}
    assert second.client.get_run(second.run_id).data.metrics == {}


def test_a_dagster_run_that_goes_on_elsewhere_finds_its_mlflow_run(
    shared: Settings, name: str
) -> None:
    run_id = str(uuid.uuid4())
    assert tracking(shared, name, run_id).run_id == tracking(shared, name, run_id).run_id


def test_nothing_stays_active_that_a_fluent_call_would_write_to(
    shared: Settings, name: str
) -> None:
    import mlflow

    assert tracking(shared, name, str(uuid.uuid4())).run_id
    assert mlflow.active_run() is None


def test_each_trial_is_a_child_run_with_its_state(shared: Settings, name: str) -> None:
    mine = tracking(shared, name, str(uuid.uuid4()))
    mine.log_tuning(TUNED, (100, 6))
    children = mine.client.search_runs(
        [mine.experiment_id], f"tags.`mlflow.parentRunId` = '{mine.run_id}'"
    )
    found = {child.data.tags["state"]: child.data.metrics for child in children}
    assert found == {"complete": {"macro_f1": 0.8}, "pruned": {}}
    assert mine.client.get_run(mine.run_id).data.params["dataset/train_rows"] == "100"


def test_a_training_key_has_one_version_however_often_it_is_released(
    shared: Settings, name: str
) -> None:
    first, again = (tracking(shared, name, str(uuid.uuid4())) for _ in range(2))
    version = first.log_release("a", tags("k1"), {"test/macro_f1": 0.9}, "file:///model")
    assert again.log_release("b", tags("k1"), {}, "file:///model") == version
    other = again.log_release("c", tags("k2"), {}, "file:///model")
    assert other != version
    assert first.client.get_model_version(name, str(version)).description == "b"
    assert first.client.get_run(first.run_id).info.status == "FINISHED"
