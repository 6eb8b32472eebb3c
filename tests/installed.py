"""`leeway` as a process, on an installation and a copy of the project of its own.

Belongs here: the commands of an installation, and one that is complete, whose reaper looks every
five seconds, with its batches and what must hold of it. Does not belong here: what a command should
say, or where it is killed.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import psycopg2
from sqlalchemy.engine import make_url

from resources.file_lock import alone_with
from resources.postgres import embedded_url
from tests.batches import age, penguins
from tests.databases import trust_the_machine
from tests.embedded import copy, remove, stop_embedded
from tests.project_copy import copy_project, environment_of


class Done(NamedTuple):
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which must be one JSON value and nothing else."""
        return json.loads(self.out)


@dataclass(frozen=True)
class Installed:
    """One installation: a copy of the project, and its home with a PostgreSQL of its own."""

    project: Path
    home: Path

    def start(self, *arguments: str, **extra: str) -> subprocess.Popen[str]:
        """Starts `leeway` with these arguments; what it says can be read, its JSON cannot."""
        return subprocess.Popen(
            self._command(arguments),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.project,
            env=self._environment() | extra,
        )

    def leeway(self, *arguments: str, seconds: int = 240, **extra: str) -> Done:
        """Runs `leeway` to its end, which must come within so many seconds."""
        done = subprocess.run(
            self._command(arguments),
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
            cwd=self.project,
            env=self._environment() | extra,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def _command(self, arguments: Sequence[str]) -> list[str]:
        return [sys.executable, "-m", "cli.main", *arguments]

    def _environment(self) -> dict[str, str]:
        # Wide enough for a table of one line per use case.
        return environment_of(self.project, self.home) | {"COLUMNS": "200"}


@dataclass(frozen=True)
class Complete(Installed):
    """An installation on which `leeway demo` has materialized everything once.

    Its source is a folder of files, so that batches can come. All of it can be put back to what the
    demo left, which takes a second or two, and the demo a minute.
    """

    batches: Path
    demo: Done
    expected: list[tuple[Any, ...]] = field(default_factory=list)

    @classmethod
    def below(cls, folder: Path) -> Complete:
        """Copies the project, writes two batches, and runs the demo undisturbed."""
        project, home, batches = (folder / "now" / each for each in ("project", "home", "batches"))
        copy_project(project, source={"kind": "file", "path": str(batches)})
        sensors = project / "orchestration" / "sensors.py"
        slow, fast = "minimum_interval_seconds=15", "minimum_interval_seconds=5"
        assert sensors.read_text().count(slow) == 1
        sensors.write_text(sensors.read_text().replace(slow, fast))
        commit_all(project)
        batches.mkdir()
        table = penguins()
        _write(batches, "2007-2008", table[table["year"] < 2009])
        _write(batches, "2009", table[table["year"] == 2009])
        found = cls(project, home, batches, Installed(project, home).leeway("demo"))
        assert found.demo.code == 0, found.demo.err
        assert found.wrong() == []
        found.expected.extend(found.fingerprint())
        trust_the_machine(make_url(embedded_url(home)))  # from its next start on
        found.stop("fast")
        copy(folder / "now", folder / "kept")
        return found

    def write(self, batch: str, table: pd.DataFrame) -> Path:
        """Writes a batch into the source."""
        return _write(self.batches, batch, table)

    def stop(self, mode: str) -> None:
        """Stops its PostgreSQL where it runs."""
        if (self.home / "postgres" / "postmaster.pid").exists():
            stop_embedded(self.home, mode)

    @contextmanager
    def without_database(self) -> Iterator[None]:
        """Within the block there is no PostgreSQL, and nobody can start it.

        Whoever asks for it starts it again, a service four times a second: under the lock, for
        which they wait until its folder is away.
        """
        folder = self.home / "postgres"
        away = folder.with_name("postgres away")
        with alone_with(self.home / "postgres.lock"):
            self.stop("fast")
            folder.rename(away)
            folder.write_text("no folder")
        try:
            yield
        finally:
            folder.unlink()
            away.rename(folder)

    def put_back(self) -> None:
        """Makes everything what it was after the demo; at the same place, which manifests hold."""
        self.stop("immediate")
        now = self.home.parent
        remove(now.rename(now.with_name(f"used-{uuid.uuid4().hex[:12]}")))
        copy(now.with_name("kept"), now)

    def start_over(self) -> None:
        """Forgets all but the parsed dbt project."""
        self.stop("immediate")
        kept = self.home.with_name("dbt")
        (self.home / "dbt").rename(kept)
        shutil.rmtree(self.home)
        self.home.mkdir()
        kept.rename(self.home / "dbt")

    def select(self, database: str, statement: str) -> list[tuple[Any, ...]]:
        """Rows of one of its databases; also carries out a change that returns rows."""
        url = make_url(embedded_url(self.home))
        name = "leeway" if database == "leeway" else f"leeway_{database}"
        connection = psycopg2.connect(url.set(database=name).render_as_string(hide_password=False))
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall()
        finally:
            connection.close()

    def wrong(self) -> list[str]:
        """What does not hold after a run that succeeded; empty when all is well."""
        found = self._wrong_in_the_registry()
        unfinished = self.select(
            "dagster", "select run_id, status from runs where status not in ('SUCCESS', 'FAILURE')"
        )
        if unfinished:
            found.append(f"runs without an end: {unfinished}")
        known = self.select(
            "dagster",
            "select distinct asset_key, coalesce(partition, '') from event_logs "
            "where dagster_event_type = 'ASSET_MATERIALIZATION'",
        )
        shown = {(json.loads(key)[-1], batch) for key, batch in known}
        current = set(self.select("leeway", "select node, batch from leeway.current"))
        if unknown := current - shown:
            found.append(f"committed, and Dagster does not know of it: {unknown}")
        rows = self.select("leeway", "select count(*) from penguins.clean")[0][0]
        committed = self.select(
            "leeway",
            "select sum(rows) from leeway.current join leeway.commits on id = commit_id "
            "where current.node = 'clean'",
        )[0][0]
        if rows != committed:
            found.append(f"{rows} rows in clean, {committed} were committed")
        return found

    def _wrong_in_the_registry(self) -> list[str]:
        """Where MLflow does not say what the ledger says."""
        found = []
        keys = [key for (key,) in self.select("leeway", "select training_key from leeway.releases")]
        registered = Counter(
            key
            for (key,) in self.select(
                "mlflow",
                "select value from model_version_tags where key = 'leeway.training_key' "
                "and name = 'penguins'",
            )
        )
        versions = self.select("mlflow", "select count(*) from model_versions")[0][0]
        if len(keys) != len(set(keys)):
            found.append(f"{len(keys)} releases of {len(set(keys))} training keys")
        if registered != Counter(keys) or versions != len(keys):
            found.append(f"{versions} MLflow versions, {dict(registered)} for the releases {keys}")
        champion = self.select(
            "leeway",
            "select training_key from leeway.releases join leeway.moves "
            "using (use_case, version) order by moves.id desc limit 1",
        )
        alias = self.select(
            "mlflow",
            "select value from registered_model_aliases join model_version_tags "
            "using (name, version) where alias = 'champion' and key = 'leeway.training_key'",
        )
        if champion != alias:
            found.append(f"the champion is {champion}, MLflow's alias says {alias}")
        return found

    def fingerprint(self) -> list[tuple[Any, ...]]:
        """What readers see: the digest of every node and batch."""
        return self.select(
            "leeway",
            "select current.node, current.batch, input_digest, digest from leeway.current "
            "join leeway.commits on id = commit_id order by 1, 2",
        )


def commit_all(project: Path) -> str:
    """Commits the project as it is, where git is installed; returns the commit, or nothing."""
    if shutil.which("git") is None:
        return ""
    who = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
    commit = ["commit", "-qm", ".", "--allow-empty"]
    for arguments in (["init", "-q"], ["add", "."], commit, ["rev-parse", "HEAD"]):
        done = subprocess.run(
            ["git", *who, *arguments], cwd=project, capture_output=True, text=True, check=True
        )
    return done.stdout.strip()


def _write(batches: Path, batch: str, table: pd.DataFrame) -> Path:
    path = batches / f"{batch}.csv"
    table.to_csv(path, index=False)
    age(path)
    return path
