"""Times processes side by side: in turn, so that a busy minute of the machine hits all of them.

Belongs here: running, medians, ratios, and the words of a result. Does not belong here: what is
compared.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic


@dataclass
class Times:
    """What one command took, each time: seconds of wall clock and of CPU, and peak memory."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)


@contextmanager
def installation_at(home: Path) -> Iterator[None]:
    """An installation under `home`, whose server and tables are there before anything is timed."""
    os.environ |= {"LEEWAY_HOME": str(home), "LEEWAY_ENVIRONMENT": "test"}
    os.environ.pop("LEEWAY_DATABASE_URL", None)
    from resources.instance import open_instance

    open_instance()
    try:
        yield
    finally:
        stop_server(home)


def stop_server(home: Path) -> None:
    """Stops the server of an installation that is thrown away, where it has one."""
    from resources.embedded import run_program

    if (data := home / "postgres").exists():
        run_program("pg_ctl", "stop", "--wait", "--pgdata=.", "--mode=immediate", at=data)


def compare(
    commands: Mapping[str, Sequence[str]],
    repetitions: int,
    folder: Path,
    before_each: Callable[[], None] = lambda: None,
    warm_up: int = 1,
) -> dict[str, Times]:
    """Runs each command `warm_up` times and then in turn; what they print goes to output.log.

    Every other round begins with the other command, so that neither gains by its place.
    `before_each` is not timed.
    """
    times = {name: Times() for name in commands}
    with (folder / "output.log").open("wb") as log:
        for repetition in range(warm_up + repetitions):
            for name, command in list(commands.items())[:: -1 if repetition % 2 else 1]:
                before_each()
                wall, cpu, megabytes = _timed(command, log.fileno())
                if repetition >= warm_up:
                    times[name].wall.append(wall)
                    times[name].cpu.append(cpu)
                    times[name].megabytes.append(megabytes)
                    say(f"  {name:<20} {wall:7.2f} s")
    return times


def _timed(command: Sequence[str], log: int) -> tuple[float, float, float]:
    """Wall seconds, CPU seconds and the largest process in megabytes; children count."""
    started = monotonic()
    process = subprocess.Popen(command, stdout=log, stderr=log)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command[-1]} failed")
    wall = monotonic() - started
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


@dataclass(frozen=True)
class Step:
    """When Dagster ran a step, in seconds since 1970."""

    name: str
    begin: float
    end: float


def steps_of_last_run() -> list[Step]:
    """The steps of the newest run of the installation, in the order in which they ended."""
    from dagster import DagsterEventType as Kind

    from resources.instance import open_instance

    instance = open_instance()
    begun: dict[str | None, float] = {}
    found: list[Step] = []
    run_id = instance.get_run_records(limit=1)[0].dagster_run.run_id
    for entry in instance.all_logs(run_id, of_type={Kind.STEP_START, Kind.STEP_SUCCESS}):
        event = entry.get_dagster_event()
        if event.event_type is Kind.STEP_START:
            begun[event.step_key] = entry.timestamp
        elif event.step_key is not None:
            name = event.step_key.partition("__")[2] or "dbt"
            found.append(Step(name, begun[event.step_key], entry.timestamp))
    return found


def report(title: str, found: Mapping[str, Times], limit: float) -> int:
    """Prints medians and the ratio of the second to the first; 1 when it is above the limit.

    The ratio is the median over the pairs that ran one after the other: a machine that others use
    too is slow for minutes, and both of a pair are slow then.
    """
    first, second = found.values()
    say(f"{title} (Python {platform.python_version()}, {os.cpu_count()} cores)")
    for name, times in found.items():
        say(
            f"  {name:<20} {statistics.median(times.wall):6.2f} s "
            f"({min(times.wall):.2f} to {max(times.wall):.2f}, n={len(times.wall)}), "
            f"CPU {statistics.median(times.cpu):.2f} s, "
            f"peak {statistics.median(times.megabytes):.0f} MB"
        )
    ratios = [ours / base for base, ours in zip(first.wall, second.wall, strict=True)]
    of_cpu = [ours / base for base, ours in zip(first.cpu, second.cpu, strict=True)]
    ratio = statistics.median(ratios)
    verdict = "kept" if ratio <= limit else "MISSED"
    say(
        f"  ratio {ratio:.2f} of wall ({min(ratios):.2f} to {max(ratios):.2f}), "
        f"{statistics.median(of_cpu):.2f} of CPU; limit {limit}: {verdict}"
    )
    return 0 if ratio <= limit else 1


def say(text: str) -> None:
    """Prints a line."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
