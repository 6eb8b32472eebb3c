"""A copy of the project with one use case and a short search, for tests that run it as processes.

Belongs here: the copy and the environment of its processes. Does not belong here: what they are
asked to do.

The copy holds still while people work on the project: a changed file makes nodes stale.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import yaml

from resources.settings import PROJECT

NAME = "penguins"
PACKAGES = ("leeway", "assets", "resources", "serving", "orchestration", "cli", "dbt_project")
FILES = ("dagster.yaml", "workspace.yaml", "pyproject.toml")
SEARCH: dict[str, Any] = {
    "candidates": ["logistic_regression", "decision_tree"],
    "folds": 3,
    "trials": 3,
}
# Of the one who runs the tests; the copy is to use none of it.
THEIRS = (
    "LEEWAY_DATABASE_URL",
    "LEEWAY_MLFLOW_TRACKING_URI",
    "LEEWAY_STORE_URL",
    "DAGSTER_HOME",
)


def copy_project(project: Path, **attributes: Any) -> None:
    """Copies the project; `attributes` replace those of the use case."""
    ignored = shutil.ignore_patterns("__pycache__", "target", "logs")
    for package in PACKAGES:
        shutil.copytree(PROJECT / package, project / package, ignore=ignored)
    for file in FILES:
        shutil.copy(PROJECT / file, project / file)
    for folder in ("orchestration/defs", "dbt_project/models"):
        for use_case in (project / folder).iterdir():
            if use_case.name != NAME:
                shutil.rmtree(use_case)
    set_attributes(project, search=SEARCH, **attributes)


def set_attributes(project: Path, **attributes: Any) -> None:
    """Replaces attributes of the copy's use case."""
    defs = project / "orchestration" / "defs" / NAME / "defs.yaml"
    content = yaml.safe_load(defs.read_text())
    content["attributes"] |= attributes
    defs.write_text(yaml.safe_dump(content))


def environment_of(project: Path, home: Path) -> dict[str, str]:
    """The environment in which `python -m cli.main` is the copy's `leeway`."""
    kept = {name: value for name, value in child_environment().items() if name not in THEIRS}
    return kept | {
        "PYTHONPATH": str(project),
        "LEEWAY_HOME": str(home),
        "LEEWAY_ENVIRONMENT": "test",
    }


def child_environment(**extra: str) -> dict[str, str]:
    """The environment of a child; many of them need the same compiled modules."""
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return {"PYTHONWARNINGS": "ignore"} | kept | extra
