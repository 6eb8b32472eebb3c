"""Batches through the node `raw` of a use case of their own, without a run of Dagster around it.

Belongs here: files, taking one in, and all that readers see. Does not belong here: which faults.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from assets.raw import _materialize
from assets.stage import stage_of
from leeway.digests import digest_of
from leeway.spec import UseCase
from resources.platform import Platform
from resources.postgres import transaction
from resources.settings import Settings
from tests.batches import age

Row = tuple[object, ...]
COLUMNS: list[dict[str, Any]] = [
    {"name": "id", "type": "integer", "role": "key"},
    {"name": "x", "type": "number", "range": [0, 100]},
    {"name": "kind", "type": "category", "values": ["a", "b"], "role": "target"},
]


def use_case(folder: Path, columns: Sequence[Mapping[str, Any]] = COLUMNS) -> UseCase:
    """A use case whose batches are the files of a folder."""
    return UseCase.model_validate(
        {
            "title": "t",
            "task": "classification",
            "source": {"kind": "file", "path": str(folder)},
            "columns": [{"description": "d", **column} for column in columns],
        }
    )


class Intake:
    """A use case that has nothing yet."""

    def __init__(self, name: str, what: UseCase, settings: Settings) -> None:
        self.name = name
        self.stage = stage_of(name, what)
        self.platform = Platform()
        self.settings = settings
        self.told: list[Any] = []  # what Dagster was told of other batches

    def take(self, batch: str) -> None:
        """What the asset does for one batch; raises as it does."""
        # What it reads of Dagster's context, and tells it: columns ignored, batches judged again.
        context: Any = SimpleNamespace(
            run=SimpleNamespace(run_id="r"),
            partition_keys=[batch],
            log=logging.getLogger(),
            log_event=self.told.append,
        )
        _materialize(context, self.platform, self.stage, batch)

    def state(self) -> str:
        """Digest of all that readers see: rows, rejects, and what is said of each batch."""
        with transaction(self.settings) as cursor:
            found: list[Any] = []
            cursor.execute("select to_regclass(%s)", (f"{self.name}.raw",))
            if cursor.fetchall() != [(None,)]:
                columns = "id, x, kind, row_number, batch_id"
                cursor.execute(f"select {columns} from {self.name}.raw order by 1, 5")  # noqa: S608  # ours
                found += map(list, cursor.fetchall())
                columns = "batch_id, row_number, column_name, value, reason"
                cursor.execute(f"select {columns} from {self.name}.rejects order by 1, 2, 3, 5")  # noqa: S608  # ours
                found += map(list, cursor.fetchall())
            cursor.execute(
                "select commits.batch, digest, uri, rows, facts from leeway.current "
                "join leeway.commits on id = commit_id where commits.use_case = %s order by 1",
                (self.name,),
            )
            # An object's address names its use case.
            found += [[b, d, u.rpartition("/")[2], r, f] for b, d, u, r, f in cursor.fetchall()]
        return digest_of(found)

    def held(self) -> set[tuple[int, str, int]]:
        """Key, batch and row number of each row that is accepted."""
        with transaction(self.settings) as cursor:
            cursor.execute("select to_regclass(%s)", (f"{self.name}.raw",))
            if cursor.fetchall() == [(None,)]:
                return set()
            cursor.execute(f"select id, batch_id, row_number from {self.name}.raw")  # noqa: S608  # ours
            return set(cursor.fetchall())

    def drop(self) -> None:
        """Removes it, so that a thousand of them leave no more than one."""
        with transaction(self.settings) as cursor:
            cursor.execute(f"drop schema if exists {self.name} cascade")


def write(folder: Path, batch: str, rows: Sequence[Row]) -> None:
    """The file of one batch, which nobody has written to for long."""
    path = folder / f"{batch}.csv"
    lines = [",".join("" if value is None else str(value) for value in row) for row in rows]
    path.write_text("\n".join(["id,x,kind", *lines]) + "\n")
    age(path)
