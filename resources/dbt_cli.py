"""dagster-dbt's resource, without what it prepares for each call and we never use.

Belongs here: only that. Does not belong here: dbt's environment and process (`resources.dbt`).
Importing this imports dbt, which takes seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from importlib.metadata import version

from dagster_dbt import DbtCliResource
from packaging.version import Version, parse

from resources.dbt import DBT_PROJECT, executable


class DbtCli(DbtCliResource):
    """dbt with the connection of this installation.

    Both overrides are of private members, and dagster-dbt is pinned: were they renamed, each call
    would take two seconds longer and do the same.
    """

    @cached_property
    def _cli_version(self) -> Version:
        """The version that is installed, without a process that asks for it."""
        return parse(version("dbt-core"))

    # dagster-dbt declares an adapter here and takes None for none, as with the Fusion engine.
    def _initialize_dbt_core_adapter(self, args: Sequence[str]) -> None:  # type: ignore[override]
        """No second connection of dbt's in this process: it is for column metadata from the tables.

        dagster-dbt goes without one where dbt is the Fusion engine, too.
        """


def dbt_cli() -> DbtCli:
    """The resource of this installation."""
    return DbtCli(
        project_dir=str(DBT_PROJECT),
        profiles_dir=str(DBT_PROJECT),
        dbt_executable=executable(),
    )
