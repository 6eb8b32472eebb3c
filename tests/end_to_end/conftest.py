"""An installation that is used as a person uses it: by commands, each a process of its own.

Belongs here: its batches, and reading what commands recorded. Does not belong here: carrying out a
command (tests/installed.py), or what it should say.

Its use case has files as its source, so that batches can come.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import pandas as pd
import pytest

from resources.instance import open_instance
from resources.ledger import Ledger
from resources.releases import Releases
from resources.settings import Settings, get_settings
from resources.tracking import Tracking
from tests.embedded import stop_embedded
from tests.graph.conftest import penguins
from tests.installed import Installed
from tests.project_copy import NAME, THEIRS, copy_project

if TYPE_CHECKING:
    from mlflow import MlflowClient


@dataclass(frozen=True)
class WithBatches(Installed):
    """An installation whose source is a folder of files."""

    batches: Path

    @classmethod
    def below(cls, folder: Path) -> WithBatches:
        """Copies the project, and writes two batches."""
        project, batches = folder / "project", folder / "batches"
        copy_project(project, source={"kind": "file", "path": str(batches)})
        batches.mkdir()
        found = cls(project, folder / "home", batches)
        table = penguins()
        found.write("2007-2008", table[table["year"] < 2009])
        found.write("2009", table[table["year"] == 2009])
        return found

    def write(self, batch: str, table: pd.DataFrame) -> Path:
        """Writes a batch into the source."""
        path = self.batches / f"{batch}.csv"
        table.to_csv(path, index=False)
        return path


@dataclass(frozen=True)
class Recorded:
    """What the commands recorded, read by the libraries themselves."""

    settings: Settings
    ledger: Ledger
    releases: Releases
    instance: dg.DagsterInstance
    mlflow: MlflowClient

    def counts(self) -> dict[str, Any]:
        """How much there is of everything that a command could add to."""
        experiments = [e.experiment_id for e in self.mlflow.search_experiments()]
        return {
            "commits": self.ledger.every_current(NAME),
            "releases": len(self.releases.every(NAME)),
            "moves": len(self.releases.moves(NAME)),
            "Dagster runs": self.instance.get_runs_count(),
            "MLflow runs": len(self.mlflow.search_runs(experiments, max_results=1000)),
            "MLflow versions": len(self.mlflow.search_model_versions(f"name = '{NAME}'")),
        }


@pytest.fixture(scope="module")
def installed() -> Iterator[WithBatches]:
    """One fresh installation for the commands of a module."""
    folder = Path(tempfile.mkdtemp(prefix="leeway-"))  # short, for the socket of PostgreSQL
    found = WithBatches.below(folder)
    yield found
    if (found.home / "postgres").exists():
        stop_embedded(found.home, "immediate")
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def recorded(installed: WithBatches) -> Iterator[Recorded]:
    """The records of the installation; the commands go on while they are read."""
    with pytest.MonkeyPatch.context() as patch:
        for name in THEIRS:
            patch.delenv(name, raising=False)
        patch.setenv("LEEWAY_HOME", str(installed.home))
        patch.setenv("LEEWAY_ENVIRONMENT", "test")
        get_settings.cache_clear()
        settings = get_settings()
        instance = open_instance(settings)
        tracking = Tracking(settings, NAME, "", logging.getLogger(__name__))
        yield Recorded(settings, Ledger(settings), Releases(settings), instance, tracking.client)
        instance.dispose()
    get_settings.cache_clear()
