"""Loading the code location, beside an empty Dagster project that has the same dbt manifest.

Belongs here: the two programs, and copies of the project with more use cases. Does not belong here:
running anything.

    .venv/bin/python -m benchmarks.load 5
"""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.timing import compare, installation_at, report, say
from resources.settings import PROJECT

LIMIT = 1.5
MORE = 20  # use cases, to see what a further one adds
NODES = 15
MORE_LIMIT = 2.0  # ms for each further use case
EMPTY = """
from pathlib import Path
import dagster as dg
from dagster_dbt import DbtCliResource, dbt_assets

@dbt_assets(manifest=Path({manifest!r}))
def models(context: dg.AssetExecutionContext, dbt: DbtCliResource):
    yield from dbt.cli(["build"], context=context).stream()

dbt = DbtCliResource(project_dir={project!r}, dbt_executable={executable!r})
dg.Definitions(assets=[models], resources={{"dbt": dbt}}).get_repository_def()
"""
OURS = "from orchestration.build import build_defs; build_defs().get_repository_def()"
GROWTH = """
import time
from orchestration.build import build_defs
build_defs().get_repository_def()
started = time.perf_counter()
build_defs().get_repository_def()
print((time.perf_counter() - started) * 1000)
"""
# What Dagster itself takes for as many nodes: assets that do nothing, have no check and no YAML.
FLOOR = """
import sys, time
import dagster as dg

def build(groups, nodes):
    assets = [
        dg.asset(key=[f"g{group}", f"a{node}"], group_name=f"g{group}")(lambda: None)
        for group in range(groups) for node in range(nodes)
    ]
    dg.Definitions(assets=assets).get_repository_def()

build(1, 1)
started = time.perf_counter()
build(*map(int, sys.argv[1:]))
print((time.perf_counter() - started) * 1000)
"""


def main(repetitions: int) -> int:
    """Measures and prints; 1 when a limit is missed."""
    with tempfile.TemporaryDirectory(prefix="leeway-") as name, installation_at(Path(name)):
        folder = Path(name)
        from resources.dbt import DBT_PROJECT, executable, manifest_path

        empty = EMPTY.format(
            manifest=str(manifest_path()), project=str(DBT_PROJECT), executable=executable()
        )
        found = compare(
            {
                "empty project": [sys.executable, "-W", "ignore", "-c", empty],
                "leeway": [sys.executable, "-W", "ignore", "-c", OURS],
            },
            repetitions,
            folder,
        )
        missed = report("loading the code location", found, LIMIT)
        one, many = (_with_use_cases(folder / str(n), n) for n in (1, 1 + MORE))
        ours, floor = [], []
        for _ in range(repetitions):
            ours.append((_milliseconds(many, GROWTH) - _milliseconds(one, GROWTH)) / MORE)
            both = [_milliseconds(one, FLOOR, str(n), str(NODES)) for n in (1 + MORE, 1)]
            floor.append((both[0] - both[1]) / MORE)
    each = statistics.median(ours)
    verdict = "kept" if each < MORE_LIMIT else "MISSED"
    say(f"each further use case: {each:.1f} ms (n={repetitions}, {MORE} of them)")
    say(f"  {NODES} assets that do nothing take Dagster {statistics.median(floor):.1f} ms")
    say(f"  limit {MORE_LIMIT} ms: {verdict}")
    return max(missed, int(each >= MORE_LIMIT))


def _with_use_cases(project: Path, count: int) -> Path:
    """A copy of the project in which penguins is there `count` times, under other names."""
    for package in ("leeway", "assets", "resources", "orchestration", "dbt_project"):
        ignored = shutil.ignore_patterns("__pycache__", "target")
        shutil.copytree(PROJECT / package, project / package, ignore=ignored)
    shutil.copy(PROJECT / "pyproject.toml", project)
    for number in range(1, count):
        name = f"penguins{number}"
        for kind in ("orchestration/defs", "dbt_project/models"):
            shutil.copytree(project / kind / "penguins", project / kind / name)
        for path in [*project.glob(f"*/*/{name}/**/*")]:
            if path.is_file() and path.suffix != ".pyc":
                _rename(path, name)
    return project


def _rename(path: Path, name: str) -> None:
    text = path.read_text()
    if path.suffix in (".yml", ".sql"):
        text = re.sub(r"\bpenguins(?=\b|_)", name, text)
    path.write_text(text)
    path.rename(path.with_name(path.name.replace("penguins", name)))


def _milliseconds(project: Path, program: str, *arguments: str) -> float:
    """What a program measured of itself, in a process whose imports are done."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, *arguments],
        env=os.environ | {"PYTHONPATH": str(project)},
        cwd=project,
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout.split()[-1])


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5))
