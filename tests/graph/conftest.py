"""A whole graph on an installation of its own, with penguins from files and a short search."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import NamedTuple

import dagster as dg
import pandas as pd
import pytest

from assets.stage import Stage, stage_of
from leeway.spec import FileSource, UseCase
from orchestration.build import default_resources
from orchestration.components.use_case import build_graph
from orchestration.use_cases import load_use_cases
from resources.instance import open_instance
from resources.platform import Platform
from tests.batches import age, penguins
from tests.conftest import installation, keep_databases, used_installation
from tests.embedded import copy, remove
from tests.graph.history import History

NAME = "penguins"
LONGER_BY_MM = 10.0
FIRST, SECOND = "2007-2008", "2009"  # the batches of a complete graph


def short(use_case: UseCase, folder: Path) -> UseCase:
    """The use case with its batches in a folder, and two candidates, three trials and folds."""
    candidates = ("logistic_regression", "decision_tree")
    search = use_case.search.model_copy(update={"candidates": candidates, "trials": 3, "folds": 3})
    source = FileSource(kind="file", path=str(folder))
    return use_case.model_copy(update={"source": source, "search": search})


@dataclass
class Graph:
    """The graph of a use case, ready to be materialized."""

    folder: Path
    stage: Stage
    definitions: dg.Definitions
    instance: dg.DagsterInstance
    platform: Platform

    def write(self, batch: str, table: pd.DataFrame) -> None:
        """Adds a batch to the source."""
        self.write_bytes(batch, table.to_csv(index=False).encode())

    def write_bytes(self, batch: str, content: bytes) -> None:
        """Adds a file to the source as if it were there for long: nothing waits for it."""
        path = self.folder / f"{batch}.csv"
        path.write_bytes(content)
        age(path)

    def materialize(
        self, batches: Sequence[str], nodes: Sequence[str] | None = None
    ) -> dg.ExecuteInProcessResult:
        """Materializes nodes, or the whole graph, for some neighbouring batches."""
        name = self.stage.name
        self.instance.add_dynamic_partitions(f"{name}_batches", list(batches))
        job = self.definitions.resolve_job_def(f"{name}_graph")
        return job.execute_in_process(
            instance=self.instance,
            asset_selection=[self.stage.key(node) for node in nodes] if nodes else None,
            tags={
                "dagster/asset_partition_range_start": batches[0],
                "dagster/asset_partition_range_end": batches[-1],
            },
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            raise_on_error=False,
        )

    def carry_out(self, request: dg.RunRequest) -> dg.ExecuteInProcessResult:
        """Does what a sensor asked for, as the daemon would."""
        assert request.job_name is not None
        job = self.definitions.resolve_job_def(request.job_name)
        return job.execute_in_process(
            instance=self.instance,
            partition_key=request.partition_key,
            asset_selection=request.asset_selection,
            tags=dict(request.tags),
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            raise_on_error=False,
        )


@contextmanager
def opened(name: str, use_case: UseCase, folder: Path) -> Iterator[Graph]:
    """The graph of a use case, on the installation that there is; its batches are in the folder.

    As where the extra `pdf` is not installed: a page of many columns is laid out for seconds. That
    a run stores one is in tests/end_to_end/test_command_line.py.
    """
    whole = dg.Definitions.merge(
        build_graph(name, use_case),
        dg.Definitions(resources=default_resources(), executor=dg.in_process_executor),
    )
    with pytest.MonkeyPatch.context() as patch, open_instance() as instance:
        patch.setitem(sys.modules, "weasyprint", None)
        yield Graph(folder, stage_of(name, use_case), whole, instance, Platform())


@contextmanager
def opened_penguins(folder: Path) -> Iterator[Graph]:
    """The graph of the penguins in a folder."""
    with opened(NAME, short(load_use_cases()[NAME], folder), folder) as graph:
        yield graph


@pytest.fixture(scope="module")
def graph(server_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Graph]:
    """A graph of which nothing was materialized yet."""
    folder = tmp_path_factory.mktemp("batches")
    with (
        used_installation(server_home, tmp_path_factory.mktemp("home")),
        opened_penguins(folder) as found,
    ):
        yield found


class Kept(NamedTuple):
    """A complete graph to begin with: its home, a copy of it, and whether each check passed."""

    home: Path
    copy: Path
    passed: Mapping[str, bool]


COMPLETE = "complete"
_histories, _used = count(1), count(1)


@pytest.fixture(scope="session")
def kept(server_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """Made once, since it takes half a minute: two batches, of which the first has a reject."""
    home = tmp_path_factory.mktemp(COMPLETE)
    (home / "batches").mkdir()
    with used_installation(server_home, home), opened_penguins(home / "batches") as graph:
        first = penguins(year=[2007, 2008])
        first.loc[0, "species"] = "Emperor"
        graph.write(FIRST, first)
        graph.write(SECOND, penguins(first_key=1001, year=[2009]))
        result = graph.materialize([FIRST, SECOND])
        assert result.success
        keep_databases(server_home, COMPLETE)
    passed = {name: check.passed for name, check in check_results(result).items()}
    return Kept(home, home.rename(home.with_name("kept")), passed)


@pytest.fixture(scope="module")
def complete(server_home: Path, kept: Kept) -> Iterator[Graph]:
    """A graph of which everything was materialized; at the same place, which manifests hold."""
    copy(kept.copy, kept.home)
    with (
        used_installation(server_home, kept.home, COMPLETE),
        opened_penguins(kept.home / "batches") as found,
    ):
        yield found
    remove(kept.home.rename(kept.home.with_name(f"used-{next(_used)}")))


@pytest.fixture(scope="module")
def shared(
    server_home: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[dg.DagsterInstance, Platform]]:
    """One installation for all histories: each has a name of its own."""
    with installation(server_home, tmp_path_factory.mktemp("home")), open_instance() as instance:
        yield instance, Platform()


@pytest.fixture
def history(shared: tuple[dg.DagsterInstance, Platform], tmp_path: Path) -> History:
    """A use case with a first release that was trained on the first batch."""
    source = FileSource(kind="file", path=str(tmp_path))
    use_case = load_use_cases()[NAME].model_copy(update={"source": source})
    instance, platform = shared
    found = History(stage_of(f"ticks_{next(_histories)}", use_case), platform, instance)
    found.arrive(FIRST)
    assert found.carry_out(None, "promote").success
    return found


def check_results(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    """What each check of a run said, by name."""
    return {each.check_name: each for each in result.get_asset_check_evaluations()}
