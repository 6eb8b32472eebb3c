"""`leeway new` and `leeway run` on a large table: seconds, and the memory of all processes.

Belongs here: making the table, an installation of its own, and sampling memory. Does not belong
here: a judgement of the model.

    .venv/bin/python -W ignore -m benchmarks.size --rows 1000000 --columns 20
    .venv/bin/python -W ignore -m benchmarks.size --rows 5000 --columns 300
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

from benchmarks.timing import say
from resources.settings import PROJECT

LIMIT_MB = 2048
EVERY = 0.25  # seconds between two looks
NAME = "large"
COPIED = ("leeway", "assets", "resources", "orchestration", "cli", "dbt_project")


def main() -> int:
    """Measures both commands and prints; 1 when the memory is above the limit."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.size")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=20)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="leeway-"))  # short, for the socket of PostgreSQL
    try:
        data = folder / "table.csv"
        write_table(data, options.rows, options.columns)
        megabytes = data.stat().st_size / 2**20
        say(f"{options.rows:,} rows x {options.columns} columns, CSV of {megabytes:.0f} MB")
        environment = _project(folder)
        new = ["new", NAME, "--data", str(data), "--target", "target"]
        peaks = [_measured(folder, environment, each) for each in (new, ["run", NAME])]
    finally:
        _stop(folder)
        shutil.rmtree(folder, ignore_errors=True)
    verdict = "kept" if max(peaks) <= LIMIT_MB else "MISSED"
    say(f"peak of all processes {max(peaks):.0f} MB; limit {LIMIT_MB} MB: {verdict}")
    return 0 if max(peaks) <= LIMIT_MB else 1


def write_table(path: Path, rows: int, columns: int) -> None:
    """A CSV of two classes: an id, numbers with gaps, and a category in each ten columns."""
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
        signal += values * (number < 5)
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


def _measured(folder: Path, environment: dict[str, str], arguments: list[str]) -> float:
    """Runs a command and says what it took; the peak in MB."""
    started, peak, largest = time.monotonic(), 0.0, (0.0, "")
    before = os.times()
    log = folder / f"{arguments[0]}.log"
    with log.open("wb") as output:
        command = [sys.executable, "-m", "cli.main", *arguments]
        process = subprocess.Popen(
            command, cwd=folder / "project", env=environment, stdout=output, stderr=output
        )
        while process.poll() is None:
            found = _memory(process.pid, folder / "home" / "postgres" / "postmaster.pid")
            peak = max(peak, sum(each for each, _ in found))
            largest = max(largest, *found, (0.0, ""))
            time.sleep(EVERY)
    if process.returncode:
        say(log.read_text()[-3000:])
        raise SystemExit(f"leeway {arguments[0]} failed")
    after = os.times()  # of the command and of dbt, without PostgreSQL
    cpu = sum(after[2:4]) - sum(before[2:4])
    say(
        f"  leeway {arguments[0]:<4} {time.monotonic() - started:6.0f} s, CPU {cpu:.0f} s, all "
        f"processes {peak:.0f} MB, the largest {largest[0]:.0f} MB ({largest[1]})"
    )
    return peak


def _memory(pid: int, postmaster: Path) -> list[tuple[float, str]]:
    """MB and name of each process of the command and of its PostgreSQL.

    A page that several share counts as its share of each (PSS): the sum is what is in memory.
    """
    roots = [pid]
    if postmaster.exists():
        roots.append(int(postmaster.read_text().split("\n", 1)[0]))
    found = []
    for root in roots:
        try:
            family = [psutil.Process(root), *psutil.Process(root).children(recursive=True)]
        except psutil.NoSuchProcess:
            continue
        for process in family:
            try:
                size = process.memory_full_info().pss / 2**20
                found.append((size, " ".join(process.cmdline()[:4])[-60:] or process.name()))
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
    return found


def _stop(folder: Path) -> None:
    if (folder / "home" / "postgres").exists():
        from resources.embedded import run_program

        at = folder / "home" / "postgres"
        run_program("pg_ctl", "stop", "--wait", "--pgdata=.", "--mode=immediate", at=at)


if __name__ == "__main__":
    raise SystemExit(main())
