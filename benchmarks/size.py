"""`leeway new` and `leeway run` on a large table: seconds and memory, step by step.

Belongs here: making the table, an installation of its own, and sampling memory. Does not belong
here: a judgement of the model.

    .venv/bin/python -W ignore -m benchmarks.size --rows 1000000 --columns 20
    .venv/bin/python -W ignore -m benchmarks.size --rows 1000000 --columns 20 --curved
    .venv/bin/python -W ignore -m benchmarks.size --rows 1500 --columns 300

For both it prints the size of the CSV; of each command seconds, the peak of all processes of Leeway
together, and that of PostgreSQL apart; of each step of the run the same; and seconds of CPU, which
a busy machine changes less. The limit is for Leeway.
A page that processes share counts as its share of each (PSS), so that a sum is what is in memory.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from benchmarks.timing import say, steps_of_last_run, stop_server
from resources.releases import Releases
from resources.settings import PROJECT, get_settings

LIMIT_MB = 2048
EVERY = 0.5  # seconds between two looks
NAME = "large"
COPIED = ("leeway", "assets", "resources", "orchestration", "cli", "dbt_project")


@dataclass(frozen=True)
class Sample:
    """Megabytes in use at a moment, in seconds since 1970."""

    at: float
    leeway: float
    postgres: float


def main() -> int:
    """Measures both commands and prints; 1 when the memory is above the limit."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.size")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=20)
    parser.add_argument("--curved", action="store_true", help="so that a boosting wins")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="leeway-"))  # short, for the socket of PostgreSQL
    try:
        data = folder / "table.csv"
        write_table(data, options.rows, options.columns, curved=options.curved)
        megabytes = data.stat().st_size / 2**20
        say(f"{options.rows:,} rows x {options.columns} columns, CSV of {megabytes:.0f} MB")
        environment = _project(folder)
        new = ["new", NAME, "--data", str(data), "--target", "target"]
        samples = _measured(folder, environment, new)
        samples += (run := _measured(folder, environment, ["run", NAME]))
        os.environ |= {name: environment[name] for name in ("LEEWAY_HOME", "LEEWAY_ENVIRONMENT")}
        for step in steps_of_last_run():
            _say(f"  {step.name}", run, step.begin, step.end)
        champion = Releases(get_settings()).champion(NAME)
        say(f"    champion {champion.algorithm if champion else 'none'}")
    finally:
        stop_server(folder / "home")
        shutil.rmtree(folder, ignore_errors=True)
    peak = max(each.leeway for each in samples)
    verdict = "kept" if peak <= LIMIT_MB else "MISSED"
    say(f"peak of all processes of Leeway {peak:.0f} MB; limit {LIMIT_MB} MB: {verdict}")
    return 0 if peak <= LIMIT_MB else 1


def write_table(path: Path, rows: int, columns: int, *, curved: bool) -> None:
    """A CSV of two classes: an id, numbers with gaps, and a category in each ten columns.

    Five numbers decide, by their sum or, `curved`, by that of their distances from the middle.
    """
    import pyarrow as pa
    import pyarrow.csv

    random = np.random.default_rng(42)
    names = [f"x{number}" for number in range(columns - 2)]
    categories = np.array(["red", "green", "blue", "white"])
    table: dict[str, pa.Array] = {"id": pa.array(np.arange(rows))}
    signal = np.zeros(rows)
    for number, name in enumerate(names):
        values = random.normal(size=rows).round(4)
        if number % 10 == 9:
            table[name] = pa.array(categories[np.digitize(values, [-1, 0, 1])])
        else:
            table[name] = pa.array(values, mask=random.random(rows) < 0.02)
        signal += (np.abs(values) - 0.8 if curved else values) * (number < 5)
    target = np.where(signal + random.normal(size=rows) > 0, "yes", "no")
    table["target"] = pa.array(target)
    pa.csv.write_csv(pa.table(table), path)


def _project(folder: Path) -> dict[str, str]:
    """Copies the project, for `leeway new` to write into; the environment of its processes."""
    ignored = shutil.ignore_patterns("__pycache__", "target", "logs")
    for package in COPIED:
        shutil.copytree(PROJECT / package, folder / "project" / package, ignore=ignored)
    for file in ("dagster.yaml", "workspace.yaml", "pyproject.toml"):
        shutil.copy(PROJECT / file, folder / "project" / file)
    theirs = ("LEEWAY_DATABASE_URL", "LEEWAY_STORE_URL", "LEEWAY_MLFLOW_TRACKING_URI")
    kept = {name: value for name, value in os.environ.items() if name not in theirs}
    return kept | {
        "PYTHONPATH": str(folder / "project"),
        "LEEWAY_HOME": str(folder / "home"),
        "LEEWAY_ENVIRONMENT": "test",
        "LEEWAY_MAX_FILE_MB": "1024",
        "PYTHONWARNINGS": "ignore",
    }


def _measured(folder: Path, environment: dict[str, str], arguments: list[str]) -> list[Sample]:
    """Runs a command and says what it took."""
    samples: list[Sample] = []
    started, before = time.time(), _cpu_seconds()
    log, postmaster = folder / f"{arguments[0]}.log", folder / "home/postgres/postmaster.pid"
    with log.open("wb") as output:
        command = [sys.executable, "-m", "cli.main", *arguments]
        process = subprocess.Popen(
            command, cwd=folder / "project", env=environment, stdout=output, stderr=output
        )
        while process.poll() is None:
            samples.append(_sample(process.pid, postmaster))
            time.sleep(EVERY)
    if process.returncode:
        say(log.read_text()[-3000:])
        raise SystemExit(f"leeway {arguments[0]} failed")
    _say(f"leeway {arguments[0]}", samples, started, time.time())
    say(f"    of CPU {_cpu_seconds() - before:20.1f} s, without PostgreSQL")
    return samples


def _cpu_seconds() -> float:
    """Of the processes that ended, and of those that they waited for."""
    found = resource.getrusage(resource.RUSAGE_CHILDREN)
    return found.ru_utime + found.ru_stime


def _sample(pid: int, postmaster: Path) -> Sample:
    """What the command and its PostgreSQL use now; the server may be a child of the command."""
    server: set[int] = set()
    if postmaster.exists():
        server = set(_family(int(postmaster.read_text().split("\n", 1)[0])))
    at = time.time()
    return Sample(at, _megabytes(set(_family(pid)) - server), _megabytes(server))


def _family(pid: int) -> Iterator[int]:
    try:
        found = psutil.Process(pid)
        yield from [pid, *(child.pid for child in found.children(recursive=True))]
    except psutil.NoSuchProcess:
        return


def _megabytes(pids: set[int]) -> float:
    total = 0
    for pid in pids:
        try:
            total += psutil.Process(pid).memory_full_info().pss
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return float(total / 2**20)


def _say(what: str, samples: Sequence[Sample], begin: float, end: float) -> None:
    within = [each for each in samples if begin <= each.at <= end]
    ours = max((each.leeway for each in within), default=0.0)
    server = max((each.postgres for each in within), default=0.0)
    say(f"  {what:<20} {end - begin:7.1f} s  {ours:6.0f} MB  PostgreSQL {server:6.0f} MB")


if __name__ == "__main__":
    raise SystemExit(main())
