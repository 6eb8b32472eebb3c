"""What the fault tests share: children of their own, kills, and how many of them.

Belongs here: starting, stopping and killing processes, and the words of a figure. Does not belong
here: what must hold afterwards, which each test checks by itself.

Every number of kills is small by default and grows with LEEWAY_KILLS:

    make proof KILLS=500
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from resources.postgres import transaction
from resources.settings import Settings
from tests.project_copy import child_environment

LONG = int(os.environ.get("LEEWAY_KILLS", "0"))
SEED = int(os.environ.get("LEEWAY_SEED", "20261121"))
FIGURES: list[str] = []  # printed at the end of the tests, see conftest.py
PROGRAMS = Path(__file__).parent / "programs"


def times(default: int) -> int:
    """How often to try: `default`, or LEEWAY_KILLS where that is more."""
    return max(LONG, default)


def in_proof(*values: object) -> pytest.ParameterSet:
    """Parameters of a test that `make proof` alone tries."""
    marks = [pytest.mark.faults, pytest.mark.skipif(not LONG, reason="more of them: make proof")]
    return pytest.param(*values, marks=marks)


def figure(text: str) -> None:
    """Keeps a figure for the end of the report, with the seed that repeats it."""
    FIGURES.append(f"{text} (seed {SEED})")
    print(text)  # noqa: T201  # beside the failure, where there is one


def zero(n: int, what: str) -> str:
    """`0 of n` with the exact upper bound of the true rate (Clopper and Pearson 1934)."""
    return f"0 of {n} {what} (95 % bound {1 - 0.05 ** (1 / n):.3f})"


def seeded(name: str) -> random.Random:
    """Random numbers that the seed and the name of the test decide."""
    return random.Random(f"{SEED} {name}")


def start(program: str, *arguments: str, **extra: str) -> subprocess.Popen[str]:
    """A child that runs one of the programs beside this file."""
    return subprocess.Popen(
        [sys.executable, str(PROGRAMS / f"{program}.py"), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=child_environment(**extra),
    )


def finish(child: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Waits for a child; its exit code and what it printed."""
    out, err = child.communicate(timeout=240)
    return child.returncode, out, err


def hear(child: subprocess.Popen[str], word: str) -> str:
    """Waits for a line of the child that begins with `word`; returns what follows."""
    assert child.stdout is not None
    for line in child.stdout:
        if line.startswith(word):
            return line.removeprefix(word).strip()
    raise AssertionError(f"the child ended before {word!r}: {child.communicate()[1]}")


def kill(child: subprocess.Popen[str]) -> None:
    """Sends kill -9 to one child, and nothing else."""
    child.send_signal(signal.SIGKILL)
    child.wait(timeout=30)
    for stream in (child.stdin, child.stdout, child.stderr):
        if stream is not None:
            stream.close()


def enough(tried: int, wanted: int, hits: int) -> bool:
    """Whether no further kill is needed: `wanted` were tried and one has hit, or 100 were tried.

    Where a random kill falls depends on the machine: a fast one writes between two of them.
    """
    return tried >= wanted and (hits > 0 or tried >= 100)


def kill_within(child: subprocess.Popen[str], seconds: float, rng: random.Random) -> None:
    """Sends kill -9 at a uniformly random moment of the next `seconds`."""
    time.sleep(rng.uniform(0, seconds))
    kill(child)


def until(condition: Callable[[], bool], seconds: float) -> float | None:
    """Seconds until the condition held; None when it did not within `seconds`."""
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > seconds:
            return None
        time.sleep(0.01)
    return time.monotonic() - started


def alive(pid: int) -> bool:
    """Whether the process runs; one that ended and was not waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state not in ("Z", "X")


def stopped(pid: int) -> bool:
    """Whether the process was stopped, and waits to be continued."""
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"


def waiting(settings: Settings) -> int:
    """How many connections to the leeway database wait for a lock."""
    with transaction(settings) as cursor:
        cursor.execute(
            "select count(*) from pg_stat_activity where datname = current_database() "
            "and wait_event_type = 'Lock'"
        )
        ((count,),) = cursor.fetchall()
    return int(count)


@contextmanager
def standing_still(process: psutil.Process) -> Iterator[None]:
    """A process and all below it are stopped where they are, and go on whatever happens."""
    process.suspend()  # first, so that it makes no more of them
    below = process.children(recursive=True)
    try:
        for each in below:
            with suppress(psutil.NoSuchProcess):
                each.suspend()
        yield
    finally:
        for each in (*below, process):
            with suppress(psutil.NoSuchProcess):
                each.resume()
