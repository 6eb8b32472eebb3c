"""The graph of a use case on a private copy: its batches as files, and runs of some nodes.

Belongs here: building and running it. Does not belong here: what is planted (`leeway.rehearsal`),
or what a run left (`cli.rehearsal.observed`).
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from assets.stage import Stage, stage_of
from cli.execution import RANGE_END, RANGE_START, carry_out
from cli.output import INTERRUPTED
from cli.progress import Progress
from leeway.data.tables import to_parquet
from leeway.graph import graph_of
from leeway.spec import FileSource, UseCase
from orchestration.build import default_resources
from orchestration.components.use_case import build_graph
from orchestration.jobs import graph_job_name
from resources.instance import open_instance
from resources.platform import Platform

if TYPE_CHECKING:
    import pyarrow as pa

OF_A_BATCH = ("raw", "staged", "clean", "profile", "drift", "predictions", "performance")
LONG_AGO = 3600.0  # seconds; a file that changed just now is waited for


class Silent(Progress):
    """What a run does, without a line for each step; `failed_step` is the first that did."""

    def __init__(self) -> None:
        super().__init__({})
        self.failed_step: str | None = None

    def show(self, entry: dg.EventLogEntry) -> None:
        """Takes the next event."""
        event = entry.dagster_event
        if event is not None and event.event_type_value == "STEP_FAILURE" and not self.failed_step:
            self.failed_step = event.step_key
        super().show(entry)

    def _line(self, step_key: str, timestamp: float, *, failed: bool) -> None:
        """Nothing: a rehearsal has a line for each fault."""


@dataclass(frozen=True)
class Ran:
    """One run: its id, what its checks said, and why it failed, if it did."""

    run_id: str
    said: Silent
    error: str | None

    @property
    def failed_node(self) -> str | None:
        """The node at which it failed; dbt makes two, of which clean has the tests."""
        step = self.said.failed_step
        if step is None:
            return None
        return "clean" if step.endswith("_dbt") else step.rsplit("__", 1)[-1]


@dataclass(frozen=True)
class Graph:
    """The graph of one use case; its source is `folder`."""

    stage: Stage
    folder: Path
    job: dg.JobDefinition
    instance: dg.DagsterInstance
    platform: Platform

    def write(self, batch: str, table: pa.Table) -> None:
        """Makes a batch what it is, in place of what it was."""
        path = self.folder / f"{batch}.parquet"
        path.write_bytes(to_parquet(table))
        then = time.time() - LONG_AGO
        os.utime(path, (then, then))

    def train(self, batches: Sequence[str]) -> Ran:
        """Takes these batches in and trains on them."""
        nodes = [
            each.name
            for each in graph_of(self.stage.use_case)
            if not each.per_batch or each.name in OF_A_BATCH[:4]
        ]
        return self._run(nodes, batches)

    def take_in(self, batch: str) -> Ran:
        """Everything that happens to a further batch."""
        return self._run(OF_A_BATCH, [batch])

    def _run(self, nodes: Sequence[str], batches: Sequence[str]) -> Ran:
        self.instance.add_dynamic_partitions(f"{self.stage.name}_batches", list(batches))
        said, run_id = Silent(), str(uuid.uuid4())
        self.instance.add_event_listener(run_id, said.show)
        tags = {RANGE_START: batches[0], RANGE_END: batches[-1]}
        assets = [self.stage.key(node) for node in nodes]
        error = carry_out(self.job, self.instance, run_id, tags, assets)
        if error == INTERRUPTED:
            raise KeyboardInterrupt
        return Ran(run_id, said, error)


@contextmanager
def open_graph(name: str, use_case: UseCase, folder: Path) -> Iterator[Graph]:
    """The graph, on the installation that the settings of this process lead to."""
    folder.mkdir(mode=0o700, exist_ok=True)
    source = FileSource(kind="file", path=str(folder))
    use_case = use_case.model_copy(update={"source": source, "stand_in": None})
    whole = dg.Definitions.merge(
        build_graph(name, use_case),
        dg.Definitions(resources=default_resources(), executor=dg.in_process_executor),
    )
    job = whole.resolve_job_def(graph_job_name(name))
    with open_instance() as instance:
        yield Graph(stage_of(name, use_case), folder, job, instance, Platform())
