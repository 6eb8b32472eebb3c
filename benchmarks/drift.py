"""`leeway drift` beside a bare scan of the same files, and beside Evidently.

Belongs here: making the files, the contenders, and what a stored reference and a year of daily
profiles cost. Does not belong here: whether a verdict is right (tests/faults/test_false_alarms).

    .venv/bin/python -m benchmarks.drift --rows 100000 1000000
    .venv/bin/python -m benchmarks.drift --rows 10000000 --repetitions 3
    .venv/bin/python -m benchmarks.drift --rows 1000000 --evidently other/bin/python
    .venv/bin/python -m benchmarks.drift --year

Each contender is a process of its own, from the files to the verdict, imports included; they take
turns. Evidently is no dependency: it is measured where `--evidently` names a Python that has it
(0.7.23 with pandas below 3), by its default, which is one statistic per column.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from benchmarks.timing import Times, compare, say
from leeway.drift.profile import Profile, profile_column
from leeway.drift.stored import Stored, to_bytes

GROUP = 122_880  # rows of a row group
PIECE = 1_000_000
DAYS, ROWS_OF_A_DAY = 365, 10_000
LEVELS = (10, 50, 200, 1000)
SCAN = """
import sys
from pathlib import Path
import pyarrow as pa
pa.set_cpu_count(1)
from concurrent.futures import ThreadPoolExecutor
import os
from pyarrow import parquet
def scan(item):
    path, name = item
    with parquet.ParquetFile(path, read_dictionary=[name], pre_buffer=False) as file:
        for group in range(file.num_row_groups):
            file.read_row_group(group, columns=[name], use_threads=False)
items = [(p, n) for p in map(Path, sys.argv[1:]) for n in parquet.read_schema(p).names]
with ThreadPoolExecutor(os.cpu_count()) as threads:
    list(threads.map(scan, items))
"""
STORE = """
import sys
from pathlib import Path
from leeway.drift.stored import Stored, to_bytes
from resources.drift_files import profiles_of
found = profiles_of(Path(sys.argv[1]), Path(sys.argv[1]))
Path(sys.argv[2]).write_bytes(to_bytes(Stored({"train": found.reference})))
"""
INCREMENTAL = """
import sys
from pathlib import Path
from leeway.drift.numbers import NumberProfile
from leeway.drift.policy import UsualPolicy
from leeway.drift.profile import profile_parquet
from leeway.drift.stored import from_bytes
from leeway.drift.verdict import compare_profiles
from resources.drift_files import FileColumn
reference = from_bytes(Path(sys.argv[1]).read_bytes()).profiles["train"]
kinds = {
    name: "number" if isinstance(column, NumberProfile) else "category"
    for name, column in reference.columns.items()
}
current = profile_parquet(Path(sys.argv[2]), kinds)
columns = [FileColumn(name) for name in kinds]
print(compare_profiles(reference, current, UsualPolicy(), columns).verdict)
"""
YEAR = """
import sys
from pathlib import Path
from leeway.drift.content import content_of
from leeway.drift.distribution import distributions_of
from leeway.drift.policy import UsualPolicy
from leeway.drift.stored import from_bytes, merged
from leeway.drift.verdict import compare_profiles
from leeway.report_drift import columns_html
from resources.drift_files import FileColumn
paths = sorted(Path(sys.argv[1]).iterdir())
year = merged(from_bytes(path.read_bytes()) for path in paths).profiles["train"]
day = from_bytes(paths[-1].read_bytes()).profiles["train"]
found = compare_profiles(year, day, UsualPolicy(), list(map(FileColumn, year.columns)))
shown = distributions_of(year, day, found.columns)
page = columns_html(content_of(found, {}, shown))
print(found.verdict, year.rows, len(page))
"""
EVIDENTLY = """
import sys
import pandas as pd
from evidently import Dataset, DataDefinition, Report
from evidently.presets import DataDriftPreset
tables = [pd.read_parquet(path) for path in sys.argv[1:]]
ours, theirs = [Dataset.from_pandas(each, data_definition=DataDefinition()) for each in tables]
Report([DataDriftPreset()]).run(theirs, ours).dict()
"""


def main() -> int:
    """Measures and prints one table per number of rows."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drift")
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--evidently", type=Path, help="a Python that has it")
    parser.add_argument("--year", action="store_true", help="only a year of daily profiles")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.year:
            _year(options.repetitions, Path(folder))
        else:
            for rows in options.rows:
                _measure(rows, options.repetitions, options.evidently, Path(folder))
    say(f"\n{os.cpu_count()} cores, Python {platform.python_version()}")
    return 0


def _measure(rows: int, repetitions: int, evidently: Path | None, folder: Path) -> None:
    paths = [folder / f"{name}.parquet" for name in ("reference", "current")]
    for seed, path in enumerate(paths):
        _write_elsewhere(path, rows, seed)
    stored = folder / "reference.profile"
    python = [sys.executable, "-W", "ignore", "-c"]
    compare({"store": [*python, STORE, str(paths[0]), str(stored)]}, 1, folder, warm_up=0)
    both = [str(path) for path in paths]
    leeway = [str(Path(sys.executable).parent / "leeway"), "drift", *both, "--json"]
    commands: dict[str, Sequence[str]] = {
        "leeway drift": leeway,
        "bare scan of both": [*python, SCAN, *both],
        "stored reference": [*python, INCREMENTAL, str(stored), both[1]],
        "bare scan of one": [*python, SCAN, both[1]],
    }
    if evidently is not None:
        commands["evidently"] = [str(evidently), "-W", "ignore", "-c", EVIDENTLY, *both]
    _print(rows, compare(commands, repetitions, folder))
    say(f"a profile of 20 columns takes {stored.stat().st_size / 1e6:.2f} MB")


def _year(repetitions: int, folder: Path) -> None:
    days = folder / "days"
    days.mkdir()
    for day in range(DAYS):
        table = _table(ROWS_OF_A_DAY, np.random.default_rng([day, 1]))
        columns = {
            name: profile_column(
                "category" if name.startswith("category") else "number", column.chunks
            )
            for name, column in zip(table.column_names, table.itercolumns(), strict=True)
        }
        stored = Stored({"train": Profile(table.num_rows, columns)})
        (days / f"{day:03d}").write_bytes(to_bytes(stored))
    python = [sys.executable, "-W", "ignore", "-c"]
    _print(DAYS * ROWS_OF_A_DAY, compare({"year": [*python, YEAR, str(days)]}, repetitions, folder))


def _print(rows: int, found: Mapping[str, Times]) -> None:
    say(f"\n{rows:,} rows in each file, 16 numbers and 4 categories\n")
    say("| contender | seconds | CPU seconds | MB | of leeway drift |")
    say("|---|---:|---:|---:|---:|")
    base = statistics.median(next(iter(found.values())).wall)
    for name, times in found.items():
        wall, cpu = statistics.median(times.wall), statistics.median(times.cpu)
        say(
            f"| {name} | {wall:.2f} ({min(times.wall):.2f} to {max(times.wall):.2f}) "
            f"| {cpu:.2f} | {max(times.megabytes):.0f} | {wall / base:.2f} |"
        )


def _write_elsewhere(path: Path, rows: int, seed: int) -> None:
    """In a process of its own: a child's peak of memory begins with what its parent has."""
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        process.submit(_write, path, rows, seed).result()


def _write(path: Path, rows: int, seed: int) -> None:
    """Numbers of all shapes, half of them with gaps, and categories whose levels fall evenly."""
    first = _table(min(PIECE, rows), np.random.default_rng([seed, 0]))
    with parquet.ParquetWriter(path, first.schema, compression="zstd") as writer:
        writer.write_table(first, row_group_size=GROUP)
        for start in range(PIECE, rows, PIECE):
            piece = _table(min(PIECE, rows - start), np.random.default_rng([seed, start]))
            writer.write_table(piece, row_group_size=GROUP)


def _table(rows: int, rng: np.random.Generator) -> pa.Table:
    numbers = {
        **{f"normal{i}": rng.normal(10 * i, 1 + i, rows) for i in range(4)},
        **{f"heavy{i}": rng.standard_t(3, rows) for i in range(2)},
        **{f"pareto{i}": rng.pareto(1.5 + i, rows) for i in range(2)},
        **{f"positive{i}": rng.lognormal(0, 1 + i, rows) for i in range(2)},
        "count": rng.poisson(20, rows).astype(float),
        "whole": rng.integers(0, 1_000_000, rows).astype(float),
        **{f"money{i}": np.round(rng.gamma(2, 500, rows), 2) for i in range(2)},
        **{
            f"often0_{i}": np.where(rng.random(rows) < 0.6, 0, rng.exponential(1, rows))
            for i in range(2)
        },
    }
    columns = {}
    for position, (name, values) in enumerate(numbers.items()):
        gaps = rng.random(rows) < 0.2 * position / 16 if position % 2 else None
        columns[name] = pa.array(values, mask=gaps)
    for levels in LEVELS:
        names = pa.array([f"level {n}" for n in range(levels)])
        shares = 1 / np.arange(1, levels + 1) ** 0.8
        drawn = rng.choice(levels, rows, p=shares / shares.sum())
        columns[f"category{levels}"] = names.take(pa.array(drawn))
    return pa.table(columns)


if __name__ == "__main__":
    raise SystemExit(main())
