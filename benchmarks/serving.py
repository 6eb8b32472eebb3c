"""`leeway serve` beside `mlflow models serve`, of the same pipelines on the same machine.

    .venv/bin/python -W ignore -m benchmarks.serving

Belongs here: starting the servers in turn on one core, asking them from the other, and the ratios.
Does not belong here: the models (`benchmarks.serving_models`), or the load
(`benchmarks.serving_load`).

Each round starts each server anew. Bodies are the held-out rows, each request with others: one body
again and again would keep a part of a forest in the cache. `pipeline.predict` is timed on the
server's core between the two servers.
Where others use the machine, too, CPU a request says more than requests a second.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, perf_counter, sleep
from typing import Any

import psutil

from benchmarks import serving_models
from benchmarks.timing import installation_at, say
from resources.settings import get_settings

CORE, CLIENTS_CORE = 0, 1
SIZES = (1, 100)
CONNECTIONS = 4
BODIES = 500
CALLS = {1: 100, 100: 40}  # of `pipeline.predict`
ROUNDS, SECONDS = 3, 5.0
# What is asked for of each algorithm, by the number of instances: times MLflow's requests a second;
# of HTTP's p50 at one client: times `pipeline.predict`; of start and memory: times MLflow's.
THROUGHPUT = {"random_forest": {1: 50.0, 100: 5.0}, "xgboost": {1: 30.0, 100: 7.0}}
LATENCY = {1: 0.10, 100: 0.30}
START = MEMORY = 0.5
_OPEN = ("p50_ms", "p99_ms", "p99.9_ms")

Figures = dict[str, list[float]]


@dataclass(frozen=True)
class Server:
    """A server as a command, its path, and the form of its bodies."""

    name: str
    command: Sequence[str]
    path: str
    port: int
    bodies: dict[int, Path]


def main() -> int:
    """Prints the figures of each algorithm; 1 where a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving")
    parser.add_argument("algorithms", nargs="*", default=list(serving_models.MODELS))
    asked = parser.parse_args()
    say(
        f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    )
    kept = []
    for algorithm in asked.algorithms:
        get_settings.cache_clear()  # each has an installation of its own
        with (
            tempfile.TemporaryDirectory(prefix="leeway-") as home,
            tempfile.TemporaryDirectory() as folder,
            installation_at(Path(home)),
        ):
            kept.append(compare(algorithm, Path(folder)))
    return 0 if all(kept) else 1


def compare(algorithm: str, folder: Path) -> bool:
    """Fits and releases, times both servers in turn, and tells; whether all targets are kept."""
    table, use_case, told = serving_models.housing()
    fitted = serving_models.fit(table, use_case, algorithm)
    proof = serving_models.release(table, use_case, algorithm, fitted)
    say(f"{algorithm} {dict(serving_models.MODELS[algorithm])} on {told}: {dict(proof)}")
    serving_models.save_for_mlflow(fitted.pipeline, folder / "mlflow")
    servers = [_mlflow(fitted, folder), _leeway(algorithm, fitted, folder)]
    found: dict[str, Figures] = {each.name: defaultdict(list) for each in servers}
    found["pipeline"] = defaultdict(list)
    for number in range(ROUNDS):
        for each in servers[:: -1 if number % 2 else 1]:
            measure(each, folder, found[each.name])
            predict_in_process(fitted, found["pipeline"])
    return told_of(algorithm, found)


def measure(server: Server, folder: Path, found: Figures) -> None:
    """One round of one server."""
    with _running(server, folder) as (process, seconds):
        found["start"].append(seconds)
        for size in SIZES:
            _load(server, size, 1, 1.0)  # a warm-up
            found[f"p50 {size}"].append(_load(server, size, 1, SECONDS)["p50_ms"])
            family = [process, *process.children(recursive=True)]
            before = _cpu_seconds(family)
            many = _load(server, size, CONNECTIONS, SECONDS)
            found[f"per second {size}"].append(many["per_second"])
            used = _cpu_seconds(family) - before
            found[f"CPU {size}"].append(used / many["requests"] * 1e3)
            if shutil.which("wrk"):
                spread = _load(server, size, 1, SECONDS, rate=many["per_second"] / 2)
                for name in ("per_second", *_OPEN):
                    found[f"open {name} {size}"].append(spread[name])
        found["memory"].append(sum(each.memory_full_info().pss for each in family) / 1e6)


def _cpu_seconds(family: Sequence[psutil.Process]) -> float:
    return sum(sum(each.cpu_times()[:2]) for each in family)


def predict_in_process(fitted: serving_models.Fitted, found: Figures) -> None:
    """Median milliseconds of `pipeline.predict` on the core of the servers."""
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {CORE})
    for size in SIZES:
        taken = []
        for call in range(CALLS[size]):
            first = call * size % (len(fitted.frame) - size)
            rows = fitted.frame.iloc[first : first + size]
            began = perf_counter()
            fitted.pipeline.predict(rows)
            taken.append(perf_counter() - began)
        found[f"p50 {size}"].append(statistics.median(taken) * 1e3)
    os.sched_setaffinity(0, own)


def told_of(algorithm: str, found: dict[str, Figures]) -> bool:
    """Prints medians and ratios; whether all targets are kept."""
    middle = {
        who: {what: statistics.median(values) for what, values in figures.items()}
        for who, figures in found.items()
    }
    mlflow, leeway, pipeline = (middle[who] for who in ("mlflow", "leeway", "pipeline"))
    kept = []
    for size in SIZES:
        what, needed = f"per second {size}", THROUGHPUT[algorithm][size]
        ratios = [o / b for b, o in zip(found["mlflow"][what], found["leeway"][what], strict=True)]
        ratio = statistics.median(ratios)
        kept.append(ratio >= needed)
        cpu = f"CPU {size}"
        say(
            f"  {size:>3} a request: mlflow {mlflow[what]:.1f}/s, leeway {leeway[what]:.1f}/s: "
            f"{ratio:.1f} times ({min(ratios):.1f} to {max(ratios):.1f}); at least {needed:g}: "
            f"{_verdict(kept)}; CPU of the server {mlflow[cpu]:.2f} and {leeway[cpu]:.3f} ms a "
            f"request: {mlflow[cpu] / leeway[cpu]:.1f} times"
        )
    for size in SIZES:
        what = f"p50 {size}"
        kept.append(leeway[what] <= LATENCY[size] * pipeline[what])
        say(
            f"  {size:>3} a request, p50 of one client: mlflow {mlflow[what]:.2f} ms, leeway "
            f"{leeway[what]:.3f} ms, pipeline.predict {pipeline[what]:.2f} ms in process: "
            f"{leeway[what] / pipeline[what]:.3f} of it; at most {LATENCY[size]:g}: "
            f"{_verdict(kept)}"
        )
        if f"open p50_ms {size}" in mlflow:
            say(f"  {size:>3} a request, open loop at half of that: {_open(mlflow, size)}, mlflow")
            say(f"  {size:>3} a request, open loop at half of that: {_open(leeway, size)}, leeway")
    for what, unit, most in (("start", "s to the first answer", START), ("memory", "MB", MEMORY)):
        kept.append(leeway[what] <= most * mlflow[what])
        say(
            f"  {what}: mlflow {mlflow[what]:.1f}, leeway {leeway[what]:.1f} {unit}: "
            f"{leeway[what] / mlflow[what]:.2f}; at most {most:g}: {_verdict(kept)}"
        )
    return all(kept)


def _open(of: dict[str, float], size: int) -> str:
    rate, *taken = (of[f"open {name} {size}"] for name in ("per_second", *_OPEN))
    told = ", ".join(f"{each:.1f}" for each in taken)
    return f"{rate:.0f}/s, p50, p99 and p99.9 {told} ms"


def _verdict(kept: list[bool]) -> str:
    return "kept" if kept[-1] else "MISSED"


def _mlflow(fitted: serving_models.Fitted, folder: Path) -> Server:
    names = list(fitted.frame.columns)

    def body(rows: list[dict[str, object]]) -> object:
        return {"dataframe_split": {"columns": names, "data": [[*e.values()] for e in rows]}}

    port, bodies = _free_port(), {n: _bodies(fitted, n, body, folder, "mlflow") for n in SIZES}
    program = [sys.executable, "-W", "ignore", "-m", "mlflow", "models", "serve"]
    options = ["-m", str(folder / "mlflow"), "-p", str(port), "--env-manager", "local", "-w", "1"]
    return Server("mlflow", [*program, *options], "/invocations", port, bodies)


def _leeway(algorithm: str, fitted: serving_models.Fitted, folder: Path) -> Server:
    port = _free_port()
    bodies = {n: _bodies(fitted, n, lambda e: {"instances": e}, folder, "leeway") for n in SIZES}
    command = [sys.executable, "-W", "ignore", "-m", "cli.main", "serve", "--port", str(port)]
    return Server("leeway", command, f"/api/v1/{algorithm}/predict", port, bodies)


def _bodies(
    fitted: serving_models.Fitted,
    size: int,
    form: Callable[[Any], object],
    folder: Path,
    name: str,
) -> Path:
    """A file with one body a line, each of other rows."""
    path = folder / f"{name}-{size}.jsonl"
    last = len(fitted.instances) - size
    lines = [
        json.dumps(form(fitted.instances[first : first + size]))
        for first in (number * 37 % last for number in range(BODIES))
    ]
    path.write_text("\n".join(lines))
    return path


@contextmanager
def _running(server: Server, folder: Path) -> Iterator[tuple[psutil.Process, float]]:
    """The server on its core, and the seconds to its first answer."""
    # MLflow's server looks for uvicorn, and its model for Leeway's classes.
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PYTHONPATH": str(Path.cwd()), "PATH": programs}
    output = folder / "output.log"
    with output.open("wb") as log:
        began = monotonic()
        process = psutil.Popen(
            ["taskset", "-c", str(CORE), *server.command],
            stdout=log, stderr=log, env=environment,
        )  # fmt: skip
        try:
            if not _answers(server, process):
                raise SystemExit(f"{server.name} ended: {output.read_text()[-2000:]}")
            yield process, monotonic() - began
        finally:
            if process.is_running():
                family = process.children(recursive=True)
                process.terminate()
                psutil.wait_procs([process, *family], timeout=20)


def _answers(server: Server, process: psutil.Popen) -> bool:
    """Whether it gave its first answer, rather than its end."""
    with server.bodies[1].open("rb") as bodies:
        body = bodies.readline()
    asked = urllib.request.Request(  # of this machine
        f"http://127.0.0.1:{server.port}{server.path}", body, {"Content-Type": "application/json"}
    )
    while process.poll() is None:
        try:
            with urllib.request.urlopen(asked, timeout=60):  # noqa: S310  # http, written above
                return True
        except (urllib.error.URLError, ConnectionError):
            sleep(0.02)
    return False


def _load(
    server: Server, size: int, connections: int, seconds: float, *, rate: float = 0.0
) -> dict[str, float]:
    command = [
        "taskset", "-c", str(CLIENTS_CORE), sys.executable, "-m", "benchmarks.serving_load",
        str(server.port), str(server.bodies[size]), "--path", server.path,
        "--seconds", str(seconds), "--connections", str(connections), "--rate", str(rate),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{server.name}: {done.stderr}")
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


if __name__ == "__main__":
    raise SystemExit(main())
