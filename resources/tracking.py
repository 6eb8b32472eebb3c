"""MLflow: one run per Dagster run, a child run per trial, and the registered model.

Belongs here: every call to MLflow, through dagster-mlflow and MLflow's client with explicit run
ids. Does not belong here: what is logged, which the stages know, or reading models back: a release
is read from the object store (docs/adr/0004).

MLflow's own defaults wait for minutes on a server that is gone; the limits below are set before it
is imported.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from functools import cached_property
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from resources.faults import fault
from resources.postgres import dsn
from resources.settings import Settings

if TYPE_CHECKING:
    import logging

    from mlflow import MlflowClient

_LIMITS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}
TRAINING_KEY = "leeway.training_key"


class Tracking:
    """What one Dagster run tells MLflow about one use case."""

    def __init__(
        self, settings: Settings, use_case: str, dagster_run_id: str, log: logging.Logger
    ) -> None:
        self.settings = settings
        self.use_case = use_case
        self.dagster_run_id = dagster_run_id
        self.log = log

    @property
    def uri(self) -> str:
        """The tracking server, or the database that plays it."""
        return self.settings.mlflow_tracking_uri or dsn("mlflow", self.settings)

    @cached_property
    def client(self) -> MlflowClient:
        """MLflow's client."""
        os.environ.update({k: v for k, v in _LIMITS.items() if k not in os.environ})
        import logging

        logging.getLogger("alembic").setLevel(logging.WARNING)
        import mlflow

        return mlflow.MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)

    @cached_property
    def experiment_id(self) -> str:
        """The experiment of the use case, created when there is none."""
        found = self.client.get_experiment_by_name(self.use_case)
        if found is not None:
            return str(found.experiment_id)
        folder = self.settings.store_root / "mlflow" / self.use_case
        return str(self.client.create_experiment(self.use_case, artifact_location=folder.as_uri()))

    @cached_property
    def run_id(self) -> str:
        """The MLflow run of this Dagster run, begun when there is none.

        dagster-mlflow finds or starts it and leaves it active for the whole process. Here it is
        taken off again at once, so that a second Dagster run in the process gets its own.
        """
        self.experiment_id  # noqa: B018  # else dagster-mlflow creates it, with another address
        import mlflow
        from dagster_mlflow.resources import MlFlow

        context = SimpleNamespace(
            log=self.log,
            dagster_run=SimpleNamespace(job_name=self.use_case),
            run_id=self.dagster_run_id,
            resource_config={"experiment_name": self.use_case, "mlflow_tracking_uri": self.uri},
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # dagster-mlflow calls itself beta
            MlFlow(context)  # type: ignore[no-untyped-call]  # dagster-mlflow has no types
        active = mlflow.active_run()
        if active is None:
            raise RuntimeError("MLflow started no run")
        mlflow.end_run(status="RUNNING")
        return str(active.info.run_id)

    def log_selection(self, choice: Mapping[str, Any]) -> None:
        """Logs the mean score of each candidate and the winner."""
        scores = {
            f"selection/{c['name']}/{choice['metric']}": c["mean"]
            for c in choice["candidates"]
            if c["mean"] is not None
        }
        self._log(self.run_id, {"algorithm": choice["winner"]}, scores)

    def log_tuning(self, result: Mapping[str, Any], shape: Sequence[int]) -> None:
        """Logs the best parameters, and each trial as a child run."""
        self._log(
            self.run_id,
            {f"hyperparameters/{k}": v for k, v in result["parameters"].items()}
            | {"dataset/train_rows": shape[0], "dataset/features": shape[1]},
            {f"cross_validation/{result['metric']}": result["value"]},
        )
        for trial in result["trials"]:
            child = self.client.create_run(
                self.experiment_id,
                run_name=f"trial {trial['number']}",
                tags={"mlflow.parentRunId": self.run_id, "state": trial["state"]},
            ).info.run_id
            value = trial["value"]
            metrics = {} if value is None else {result["metric"]: value}
            self._log(child, trial["parameters"], metrics)
            self.client.set_terminated(child)

    def log_release(
        self, description: str, tags: Mapping[str, str], metrics: Mapping[str, float], source: str
    ) -> int:
        """Registers the release once per training key; returns MLflow's version."""
        from mlflow.exceptions import MlflowException

        self._log(self.run_id, {}, metrics)
        self.client.set_terminated(self.run_id)
        try:
            self.client.create_registered_model(self.use_case)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        key = tags[TRAINING_KEY]
        found = [
            version
            for version in self.client.search_model_versions(f"name = '{self.use_case}'")
            if version.tags.get(TRAINING_KEY) == key
        ]
        fault("tracking.before_version")
        version = found[0] if found else self._create_version(source, tags, description)
        for name, value in tags.items():
            self.client.set_model_version_tag(self.use_case, version.version, name, value)
        self.client.update_model_version(self.use_case, version.version, description)
        return int(version.version)

    def _create_version(self, source: str, tags: Mapping[str, str], description: str) -> Any:
        return self.client.create_model_version(
            self.use_case,
            source,
            run_id=self.run_id,
            tags=dict(tags),  # in the call that creates it, so that no version is without its key
            description=description,
        )

    def project_aliases(self, aliases: Mapping[str, str | None]) -> None:
        """Gives each alias to the version with the training key; takes it away for None."""
        versions = {
            version.tags.get(TRAINING_KEY): version.version
            for version in self.client.search_model_versions(f"name = '{self.use_case}'")
        }
        for alias, key in aliases.items():
            if key is None and versions:
                self.client.delete_registered_model_alias(self.use_case, alias)
            elif key in versions:
                self.client.set_registered_model_alias(self.use_case, alias, versions[key])

    def _log(
        self, run_id: str, parameters: Mapping[str, Any], metrics: Mapping[str, float]
    ) -> None:
        import time

        from mlflow.entities import Metric, Param

        now = int(time.time() * 1000)
        self.client.log_batch(
            run_id,
            params=[Param(name, str(value)) for name, value in parameters.items()],
            metrics=[Metric(name, float(value), now, 0) for name, value in metrics.items()],
        )
