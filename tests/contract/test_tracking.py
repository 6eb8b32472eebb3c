"""What MLflow holds of a Dagster run: one run, its trials, one version per training key.

Belongs here: `resources.tracking` against a real MLflow store. Does not belong here: what the
stages log.
"""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Callable
from typing import Any

import dagster as dg
import pytest
from sqlalchemy.engine import make_url

from resources.instance import open_instance
from resources.platform import Platform
from resources.postgres import dsn, ensure_databases
from resources.settings import Settings, get_settings
from resources.tracking import MODEL_URI, TRAINING_KEY, Tracking

CHOICE = {
    "metric": "macro_f1",
    "winner": "decision_tree",
    "candidates": [
        {"name": "decision_tree", "mean": 0.9},
        {"name": "random_forest", "mean": None},
    ],
    "imputation": [],
    "clusters": [],
}
TRIALS = [
    {"number": 0, "state": "complete", "value": 0.8, "parameters": {"max_depth": 2}},
    {"number": 1, "state": "pruned", "value": None, "parameters": {"max_depth": 9}},
    {
        "number": 2,
        "state": "failed",
        "value": None,
        "parameters": {"max_depth": 8},
        "error": "E: x",
    },
]
MODEL = "file:///store/models/penguins/0a1b.skops"
TUNED = {
    "metric": "macro_f1",
    "value": 0.8,
    "gain": 0.1,
    "gain_error": None,
    "parameters": {"max_depth": 2},
    "trials": TRIALS,
}


@pytest.fixture
def name() -> str:
    """A use case that no other test uses."""
    return f"u{uuid.uuid4().hex[:8]}"


def tracking(settings: Settings, name: str, run_id: str) -> Tracking:
    return Tracking(settings, name, run_id, logging.getLogger(__name__))


def tags(key: str) -> dict[str, str]:
    return {TRAINING_KEY: key, "algorithm": "decision_tree"}


def test_each_dagster_run_has_its_own_mlflow_run_in_one_process(
    tracked: Settings, name: str
) -> None:
    first, second = (tracking(tracked, name, str(uuid.uuid4())) for _ in range(2))
    assert first.run_id != second.run_id
    first.log_selection(CHOICE, {})
    data = first.client.get_run(first.run_id).data
    assert data.params == {"algorithm": "decision_tree"}
    assert data.metrics == {"selection/decision_tree/macro_f1": 0.9}
    assert second.client.get_run(second.run_id).data.metrics == {}


def test_what_was_chosen_before_the_algorithm_is_logged_with_its_pictures(
    tracked: Settings, name: str
) -> None:
    mine = tracking(tracked, name, str(uuid.uuid4()))
    scores = [{"k": 5, "silhouette": 0.5}, {"k": 6, "silhouette": None}]
    clusters = [
        {"feature": "a", "k": 5, "scores": scores},
        {"feature": "b", "k": 6, "scores": scores},
    ]
    rmse = {"median": {"value": 0.78}, "knn": {"value": 0.52}}
    imputation = [
        {"column": "x", "winner": "knn", "rmse": rmse},
        {"column": "y", "winner": "median", "rmse": {}},
    ]
    choice = CHOICE | {"imputation": imputation, "clusters": clusters}
    mine.log_selection(choice, {"optimization/elbow_plot/a": b"png"})
    data = mine.client.get_run(mine.run_id).data
    assert data.params == {
        "algorithm": "decision_tree",
        "imputation/best_method/x": "knn",
        "imputation/best_method/y": "median",
        "optimization/optimal_k/a": "5",
        "optimization/optimal_k/b": "6",
    }
    assert data.metrics == {
        "selection/decision_tree/macro_f1": 0.9,
        "imputation/best_rmse/x": 0.52,
        "optimization/silhouette/a": 0.5,
    }
    (kept,) = mine.client.list_artifacts(mine.run_id, "optimization/elbow_plot")
    assert kept.path == "optimization/elbow_plot/a.png"


def test_a_dagster_run_that_goes_on_elsewhere_finds_its_mlflow_run(
    tracked: Settings, name: str
) -> None:
    run_id = str(uuid.uuid4())
    assert tracking(tracked, name, run_id).run_id == tracking(tracked, name, run_id).run_id


def test_nothing_stays_active_that_a_fluent_call_would_write_to(
    tracked: Settings, name: str
) -> None:
    import mlflow

    assert tracking(tracked, name, str(uuid.uuid4())).run_id
    assert mlflow.active_run() is None


def test_each_trial_is_a_child_run_with_its_state(tracked: Settings, name: str) -> None:
    mine = tracking(tracked, name, str(uuid.uuid4()))
    mine.log_tuning(TUNED, (100, 6), "algorithm: decision_tree\n")
    assert [each.path for each in mine.client.list_artifacts(mine.run_id)] == ["best_params.yaml"]
    children = mine.client.search_runs(
        [mine.experiment_id], f"tags.`mlflow.parentRunId` = '{mine.run_id}'"
    )
    found = {child.data.tags["state"]: child.data.metrics for child in children}
    assert found == {"complete": {"macro_f1": 0.8}, "pruned": {}, "failed": {}}
    errors = {child.data.tags["state"]: child.data.tags.get("error") for child in children}
    assert errors == {"complete": None, "pruned": None, "failed": "E: x"}
    data = mine.client.get_run(mine.run_id).data
    assert data.params == {
        "hyperparameters/max_depth": "2",
        "dataset/train_rows": "100",
        "dataset/features": "6",
    }
    assert data.metrics == {"cross_validation/macro_f1": 0.8, "cross_validation/gain": 0.1}


def test_a_training_key_has_one_version_however_often_it_is_released(
    tracked: Settings, name: str
) -> None:
    first, again = (tracking(tracked, name, str(uuid.uuid4())) for _ in range(2))
    version = first.log_release("a", tags("k1"), {"test/macro_f1": 0.9}, MODEL)
    assert again.log_release("b", tags("k1"), {}, MODEL) == version
    other = again.log_release("c", tags("k2"), {}, MODEL)
    assert other != version
    assert first.client.get_model_version(name, str(version)).description == "b"
    tags_of = first.client.get_model_version(name, str(version)).tags
    assert tags_of[MODEL_URI] == MODEL


def status(mine: Tracking) -> str:
    return str(mine.client.get_run(mine.run_id).info.status)


@pytest.mark.parametrize(("failed", "expected"), [(False, "FINISHED"), (True, "FAILED")])
def test_a_run_ends_with_the_trials_that_were_cut_off(
    tracked: Settings, name: str, failed: bool, expected: str
) -> None:
    mine = tracking(tracked, name, str(uuid.uuid4()))
    parent = {"mlflow.parentRunId": mine.run_id}
    trial = mine.client.create_run(mine.experiment_id, tags=parent).info.run_id
    assert (status(mine), mine.client.get_run(trial).info.status) == ("RUNNING", "RUNNING")
    mine.end(failed=failed)
    assert (status(mine), mine.client.get_run(trial).info.status) == (expected, expected)


def test_what_ended_without_a_word_is_ended_by_the_next_run(tracked: Settings, name: str) -> None:
    """A run that Dagster does not know may be of another installation, and is left alone."""
    instance = open_instance(tracked)
    ends = {"FAILURE": "FAILED", "CANCELED": "KILLED", "SUCCESS": "FINISHED", "STARTED": "RUNNING"}
    left = {}
    for end in ends:
        run = dg.DagsterRun(job_name="any", status=dg.DagsterRunStatus(end))
        left[end] = tracking(tracked, name, instance.add_run(run).run_id)
        assert status(left[end]) == "RUNNING"
    instance.dispose()
    foreign = tracking(tracked, name, str(uuid.uuid4()))
    assert status(foreign) == "RUNNING"
    assert status(tracking(tracked, name, str(uuid.uuid4()))) == "RUNNING"
    assert {end: status(each) for end, each in left.items()} == ends
    assert status(foreign) == "RUNNING"


# Several processes at once; each gets what it needs as arguments.


def there(url: str, server: str | None) -> Settings:
    return Settings(environment="test", database_url=url, mlflow_tracking_uri=server)


def release_once(url: str, server: str | None, name: str, worker: int) -> tuple[str, int]:
    mine = tracking(there(url, server), name, f"{name} {worker}")
    return mine.experiment_id, mine.log_release("at once", tags("k1"), {}, MODEL)


def test_processes_that_release_one_training_at_once_find_one_experiment_and_one_version(
    tracked: Settings, name: str, together: Callable[..., list[Any]]
) -> None:
    """Guards: search and creation without a lock made a version for each of them."""
    url, server = dsn("leeway", tracked), tracked.mlflow_tracking_uri
    found = together(release_once, [(url, server, name, worker) for worker in range(4)])
    assert found == [found[0]] * 4
    assert len(tracking(tracked, name, "").versions()) == 1


def open_everything(url: str) -> str:
    os.environ["LEEWAY_DATABASE_URL"] = url
    get_settings.cache_clear()
    assert Platform().optuna_storage().get_all_studies() == []
    return tracking(get_settings(), "fresh", str(uuid.uuid4())).experiment_id


def test_processes_that_begin_at_once_on_a_new_installation_find_every_table(
    tracked: Settings, together: Callable[..., list[Any]]
) -> None:
    """Guards: MLflow and Optuna each create their tables without a lock, and fail."""
    if tracked.mlflow_tracking_uri is not None:
        pytest.skip("a server creates its tables before it answers")
    url = make_url(dsn("leeway", tracked)).set(database=f"t{uuid.uuid4().hex[:12]}")
    address = url.render_as_string(hide_password=False)
    ensure_databases(there(address, None))
    found = together(open_everything, [(address,)] * 4)
    assert found == [found[0]] * 4
