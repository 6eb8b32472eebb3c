"""What commands recorded, read by the libraries themselves.

Belongs here: only that. Does not belong here: carrying out a command (tests/installed.py), or what
it should say.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest

from resources.instance import open_instance
from resources.ledger import Ledger
from resources.releases import Releases
from resources.settings import Settings, get_settings
from resources.tracking import Tracking
from tests.installed import Complete
from tests.project_copy import NAME, THEIRS

if TYPE_CHECKING:
    from mlflow import MlflowClient


@dataclass(frozen=True)
class Recorded:
    """The records of one installation."""

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
def recorded(installed: Complete) -> Iterator[Recorded]:
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
