"""MLflow: one run per Dagster run, a child run per trial, and the registered model.

Belongs here: every call to MLflow, through dagster-mlflow and MLflow's client with explicit run
ids. Does not belong here: what is logged, which the stages know, or reading models back: a release
is read from the object store (docs/adr/0004).

MLflow's own defaults wait for minutes on a server that is gone; the limits below are set before it
is imported. It creates tables, experiments and versions without a thought for other processes: a
lock or a second look stands around each.
"""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from resources.faults import fault
from resources.locks import one_at_a_time
from resources.postgres import dsn, transaction
from resources.settings import Settings

if TYPE_CHECKING:
    import logging

    from mlflow import MlflowClient
    from mlflow.entities import Run

_LIMITS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}
TRAINING_KEY = "leeway.training_key"
MODEL_URI = "leeway.model_uri"
DAGSTER_RUN_ID = "dagster_run_id"  # the tag that dagster-mlflow finds a run by
_ENDS = {"SUCCESS": "FINISHED", "FAILURE": "FAILED", "CANCELED": "KILLED"}  # of Dagster, of MLflow


def registry_lock(use_case: str) -> str:
    """Name of the lock that whoever reads and then changes the registered model holds."""
    return f"registry.{use_case}"


def load_mlflow() -> None:
    """Imports MLflow, which reads its limits from the environment while it is imported."""
    os.environ.update({k: v for k, v in _LIMITS.items() if k not in os.environ})
    import logging

    logging.getLogger("alembic").setLevel(logging.WARNING)
    import mlflow  # noqa: F401


def server_address(settings: Settings) -> str | None:
    """Of MLflow's server, as people may see it: without user, password and parameters."""
    if settings.mlflow_tracking_uri is None:
        return None
    parts = urlsplit(settings.mlflow_tracking_uri)
    shown = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="")
    return shown.geturl()


def client_of(settings: Settings) -> MlflowClient:
    """MLflow's client; makes the tables that are missing, where they are ours."""
    load_mlflow()
    import mlflow

    uri = uri_of(settings)
    with one_at_a_time(settings, "mlflow.tables"):  # it creates those that are missing
        return mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)


def uri_of(settings: Settings) -> str:
    """The tracking server, or the database that plays it."""
    return settings.mlflow_tracking_uri or dsn("mlflow", settings)


class Tracking:
    """What one Dagster run tells MLflow about one use case."""

    def __init__(
        self, settings: Settings, use_case: str, dagster_run_id: str, log: logging.Logger
    ) -> None:
        self.settings = settings
        self.use_case = use_case
        self.dagster_run_id = dagster_run_id
        self.log = log

    @cached_property
    def client(self) -> MlflowClient:
        """MLflow's client."""
        return client_of(self.settings)

    @cached_property
    def experiment_id(self) -> str:
        """The experiment of the use case, created when there is none."""
        from mlflow.exceptions import MlflowException

        folder = None  # a server has its own
        if self.settings.mlflow_tracking_uri is None:
            folder = (self.settings.store_root / "mlflow" / self.use_case).as_uri()
        found = self.client.get_experiment_by_name(self.use_case)
        if found is not None:
            return str(found.experiment_id)
        try:
            return str(self.client.create_experiment(self.use_case, artifact_location=folder))
        except MlflowException as error:
            found = self.client.get_experiment_by_name(self.use_case)
            if found is None:
                raise error from None
            return str(found.experiment_id)  # another process was faster

    @cached_property
    def run_id(self) -> str:
        """The MLflow run of this Dagster run, begun when there is none.

        dagster-mlflow finds or starts it and leaves it active for the whole process. Here it is
        taken off again at once, so that a second Dagster run in the process gets its own.
        """
        self.end_abandoned([self.experiment_id])  # made here: dagster-mlflow gives another address
        import mlflow
        from dagster_mlflow.resources import MlFlow

        context = SimpleNamespace(
            log=self.log,
            dagster_run=SimpleNamespace(job_name=self.use_case),
            run_id=self.dagster_run_id,
            resource_config={
                "experiment_name": self.use_case,
                "mlflow_tracking_uri": uri_of(self.settings),
            },
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # dagster-mlflow calls itself beta
            MlFlow(context)  # type: ignore[no-untyped-call]  # dagster-mlflow has no types
        active = mlflow.active_run()
        if active is None:
            raise RuntimeError("MLflow started no run")
        mlflow.end_run(status="RUNNING")
        return str(active.info.run_id)

    def log_selection(self, choice: Mapping[str, Any], pictures: Mapping[str, bytes]) -> None:
        """Logs the mean score of each candidate, the winner, and what was chosen before it."""
        scores = {
            f"selection/{c['name']}/{choice['metric']}": c["mean"]
            for c in choice["candidates"]
            if c["mean"] is not None
        }
        parameters = {"algorithm": choice["winner"]}
        for filled in choice["imputation"]:
            column, best = filled["column"], filled["winner"]
            parameters[f"imputation/best_method/{column}"] = best
            if filled["rmse"]:
                scores[f"imputation/best_rmse/{column}"] = filled["rmse"][best]["value"]
        for clusters in choice["clusters"]:
            feature, k = clusters["feature"], clusters["k"]
            parameters[f"optimization/optimal_k/{feature}"] = k
            silhouette = next(s["silhouette"] for s in clusters["scores"] if s["k"] == k)
            if silhouette is not None:
                scores[f"optimization/silhouette/{feature}"] = silhouette
        self._log(self.run_id, parameters, scores)
        self.keep({f"{name}.png": picture for name, picture in pictures.items()})

    def log_tuning(self, result: Mapping[str, Any], shape: Sequence[int], readable: str) -> None:
        """Logs the best parameters, also as a file to read, and each trial as a child run."""
        gained = {name: result[name] for name in ("gain", "gain_error")}
        self._log(
            self.run_id,
            {f"hyperparameters/{k}": v for k, v in result["parameters"].items()}
            | {"dataset/train_rows": shape[0], "dataset/features": shape[1]},
            {f"cross_validation/{result['metric']}": result["value"]}
            | {f"cross_validation/{k}": v for k, v in gained.items() if v is not None},
        )
        self.keep({"best_params.yaml": readable.encode()})
        for trial in result["trials"]:
            child = self.client.create_run(
                self.experiment_id,
                run_name=f"trial {trial['number']}",
                tags={"mlflow.parentRunId": self.run_id, "state": trial["state"]}
                | ({"error": trial["error"]} if "error" in trial else {}),
            ).info.run_id
            value = trial["value"]
            metrics = {} if value is None else {result["metric"]: value}
            self._log(child, trial["parameters"], metrics)
            self.client.set_terminated(child)

    def log_release(
        self, description: str, tags: Mapping[str, str], metrics: Mapping[str, float], uri: str
    ) -> int:
        """Registers the release once per training key; returns MLflow's version."""
        self._log(self.run_id, {}, metrics)
        with one_at_a_time(self.settings, registry_lock(self.use_case)):
            version = self.register(description, tags, uri, self.run_id)
            for name, value in tags.items():
                self.client.set_model_version_tag(self.use_case, version, name, value)
            self.client.update_model_version(self.use_case, version, description)
        return int(version)

    def register(
        self, description: str, tags: Mapping[str, str], uri: str, run_id: str | None
    ) -> str:
        """The version with the training key of `tags`, created when there is none.

        The caller holds the lock of the registry.
        """
        from mlflow.exceptions import MlflowException

        try:
            self.client.create_registered_model(self.use_case)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        found = self.versions().get(tags[TRAINING_KEY])
        fault("tracking.before_version")
        if found is not None:
            return found
        created = self.client.create_model_version(
            self.use_case,
            source_of(uri),
            run_id=run_id,
            # In the call that creates it, so that no version is without its key.
            tags={**tags, MODEL_URI: uri},
            description=description,
        )
        return str(created.version)

    def versions(self) -> dict[str | None, str]:
        """MLflow's version by training key."""
        found = self.client.search_model_versions(f"name = '{self.use_case}'")
        return {each.tags.get(TRAINING_KEY): str(each.version) for each in found}

    def project_aliases(self, aliases: Mapping[str, str | None]) -> None:
        """Gives each alias to the version with the training key; takes it away for None.

        Raises:
            KeyError: when there is no version with a training key.
        """
        versions = self.versions()
        for alias, key in aliases.items():
            if key is not None:
                self.client.set_registered_model_alias(self.use_case, alias, versions[key])
            elif versions:
                self.client.delete_registered_model_alias(self.use_case, alias)

    @property
    def has_begun(self) -> bool:
        """Whether there is an MLflow run of this Dagster run, begun or found by this object."""
        return "run_id" in self.__dict__

    def end(self, *, failed: bool) -> None:
        """Ends the MLflow run. Where MLflow is away, `end_abandoned` does it later."""
        with _at_least_warned(self.log):
            self._end(self.client.get_run(self.run_id), "FAILED" if failed else "FINISHED")

    def end_abandoned(self, experiments: Sequence[str] | None = None) -> None:
        """Ends the MLflow runs whose Dagster run has ended without ending them.

        Args:
            experiments: ids of those to look through; None: all of them.
        """
        if experiments is None:
            experiments = [each.experiment_id for each in self.client.search_experiments()]
        running = self.client.search_runs([*experiments], "attributes.status = 'RUNNING'")
        by_id = {
            run.data.tags[DAGSTER_RUN_ID]: run for run in running if DAGSTER_RUN_ID in run.data.tags
        }
        for dagster_run_id, status in self._ended(by_id).items():
            self._end(by_id[dagster_run_id], _ENDS[status])

    def _ended(self, dagster_run_ids: Collection[str]) -> dict[str, str]:
        """How those of the Dagster runs ended that did, asked without importing Dagster.

        Other installations may use the same MLflow: their runs are not known here, and are not
        judged.
        """
        if not dagster_run_ids:
            return {}
        with transaction(self.settings, "dagster") as cursor:
            cursor.execute("select to_regclass('runs')")
            if cursor.fetchone() == (None,):
                return {}
            cursor.execute(
                "select run_id, status from runs where run_id = any(%s) and status = any(%s)",
                ([*dagster_run_ids], [*_ENDS]),
            )
            return dict(cursor.fetchall())

    def _end(self, run: Run, status: str) -> None:
        """Ends a run and the trials below it that were cut off."""
        trials = self.client.search_runs(
            [run.info.experiment_id],
            f"tags.`mlflow.parentRunId` = '{run.info.run_id}' and attributes.status = 'RUNNING'",
        )
        for each in (*trials, run):
            self.client.set_terminated(each.info.run_id, status)

    def keep(self, files: Mapping[str, bytes]) -> None:
        """Keeps files among the artifacts of the run, each at its path."""
        with tempfile.TemporaryDirectory() as folder:
            for name, data in files.items():
                path = Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
                folder_there = str(PurePosixPath(name).parent).removeprefix(".")
                self.client.log_artifact(self.run_id, str(path), folder_there or None)

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


def source_of(uri: str) -> str:
    """What MLflow is told a version's source is: the object's place within the store.

    A server refuses the address of a file outside of its own artifacts, and resolves links in any
    path. The whole address is in a tag.
    """
    return "leeway://" + "/".join(uri.split("/")[-3:])


def end_abandoned_runs(settings: Settings, log: logging.Logger) -> None:
    """Ends every MLflow run whose Dagster run has ended without ending it; warns when it cannot."""
    with _at_least_warned(log):
        Tracking(settings, "", "", log).end_abandoned()


@contextmanager
def _at_least_warned(log: logging.Logger) -> Iterator[None]:
    """Around what may be left out while MLflow is away, since the next run makes up for it."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError) as error:
        log.warning("MLflow was not told that a run ended: %s", error)
