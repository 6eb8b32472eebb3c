"""A build of dbt that was overtaken changes no row, and one whose step died does not live on.

By default a build that was overtaken is refused, in the case that is hardest to see; the rest is
in `make proof`, since each build takes dbt five seconds of a processor.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import psycopg2
import pytest

from leeway.digests import digest_of
from resources.dbt import CALL, begin_call, executable
from resources.ledger import Ledger
from resources.postgres import dsn, transaction
from resources.settings import Settings, get_settings
from tests.faults.harness import (
    LONG,
    alive,
    figure,
    finish,
    hear,
    kill,
    times,
    until,
    waiting,
    zero,
)
from tests.graph.conftest import SECOND, Graph
from tests.project_copy import child_environment

pytestmark = [pytest.mark.faults, pytest.mark.timeout(3600)]
long = pytest.mark.skipif(not LONG, reason="minutes: make proof")

BATCH = SECOND
OTHERS = [f"a-batch-with-quite-a-long-name-{number:05}" for number in range(6000)]


@dataclass(frozen=True)
class Built:
    """A warehouse, and the token that the build of its rows had for each batch."""

    settings: Settings
    tokens: Mapping[str, int]


BUILD = ("build", "--select", "penguins_staged", "penguins_clean")


def dbt(*options: str, tokens: Mapping[str, int]) -> subprocess.Popen[str]:
    """A build, as the asset starts one for these batches."""
    return subprocess.Popen(
        [executable(), *BUILD, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=child_environment(**called(tokens)),
    )


def called(tokens: Mapping[str, int], parent: int | None = None) -> dict[str, str]:
    """The variable by which `leeway-dbt` finds what it is told."""
    target = begin_call(get_settings(), "test", tokens)
    if parent is not None:
        told = json.loads((target / CALL).read_text())
        (target / CALL).write_text(json.dumps(told | {"parent": parent}))
    return {"DBT_TARGET_PATH": str(target)}


def clean_rows(settings: Settings) -> str:
    with transaction(settings) as cursor:
        cursor.execute("select clean::text from penguins.clean order by penguin_id")
        return digest_of([row[0] for row in cursor.fetchall()])


@pytest.fixture(scope="module")
def built(complete: Graph) -> Built:
    """The clean penguins, and the token of an attempt at each batch.

    The build is told thousands of batches besides: a variable of a new process holds 128 KiB,
    which is some 6000 of them.
    """
    settings = complete.platform.settings
    token = Ledger(settings).begin("penguins", "clean", BATCH, "old").token
    with transaction(settings) as cursor:
        cursor.execute(
            "insert into leeway.attempts (use_case, node, batch, token, run_id) "
            "select 'penguins', 'clean', unnest(%s), %s, 'old'",
            (OTHERS, token),
        )
    return Built(settings, dict.fromkeys([*OTHERS, BATCH], token))


def overtaken(settings: Settings, batch: str) -> None:
    """Begins a newer attempt at one batch."""
    Ledger(settings).begin("penguins", "clean", batch, "new")


def refused(built: Built, batch: str, *options: str) -> str:
    """What a build says one of whose batches was overtaken; no row has changed."""
    before = clean_rows(built.settings)
    overtaken(built.settings, batch)
    with transaction(built.settings) as cursor:  # what a stale build would show
        cursor.execute("update penguins.raw set body_mass_g = body_mass_g + 1")
    tokens = built.tokens if batch in OTHERS else {BATCH: built.tokens[BATCH]}
    code, said, _ = finish(dbt(*options, tokens=tokens))
    assert code != 0
    assert clean_rows(built.settings) == before
    return said


def test_a_dbt_build_that_was_overtaken_changes_no_row(built: Built) -> None:
    """Of thousands of batches, the last."""
    assert "stale attempt" in refused(built, OTHERS[-1])
    figure("fence: 1 of 1 stale dbt builds of 6001 batches refused, its rows kept")


@long
def test_a_full_refresh_that_was_overtaken_changes_no_row(built: Built) -> None:
    """The batch whose rows these are."""
    assert "stale attempt" in refused(built, BATCH, "--full-refresh")
    before = clean_rows(built.settings)
    code, said, _ = finish(dbt(tokens={}))
    assert code == 0, said
    assert clean_rows(built.settings) != before, "the control: without tokens rows change"
    figure("fence: 1 of 1 stale full refreshes refused; control: without tokens overwritten")


@long
def test_a_batch_that_is_no_batch_id_does_not_reach_sql(built: Built) -> None:
    """Guards: a full refresh wrote the keys into its statements as they were."""
    before = clean_rows(built.settings)
    hostile = "x', 1); drop schema penguins cascade; --"
    code, said, _ = finish(dbt("--full-refresh", tokens={hostile: 1}))
    assert code != 0
    assert "not a batch id" in said
    assert clean_rows(built.settings) == before


def test_a_dbt_whose_step_was_killed_while_it_started_does_nothing(built: Built) -> None:
    """Guards: it took the process that had adopted it for its parent."""
    before = clean_rows(built.settings)
    gone = subprocess.Popen(["true"])
    gone.wait()
    orphan = subprocess.run(
        [executable(), *BUILD], capture_output=True, text=True, check=False,
        env=child_environment(**called({}, parent=gone.pid)),
    )  # fmt: skip
    assert (orphan.returncode, orphan.stdout) == (1, "")
    assert clean_rows(built.settings) == before


def parent_of_dbt(how: str) -> tuple[subprocess.Popen[str], int]:
    """A process that started dbt, as a step does or not, and does nothing else; the pid of dbt."""
    program = (
        "import json, os, subprocess, sys, time\n"
        "from resources.dbt import begin_call\n"
        "from resources.settings import get_settings\n"
        "if sys.argv[2] == 'step':\n"
        "    target = begin_call(get_settings(), 'step', {})\n"
        "    os.environ['DBT_TARGET_PATH'] = str(target)\n"
        "child = subprocess.Popen(json.loads(sys.argv[1]), stdout=subprocess.DEVNULL)\n"
        "print('child', child.pid, flush=True)\n"
        "time.sleep(600)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program, json.dumps([executable(), *BUILD]), how],
        stdout=subprocess.PIPE,
        text=True,
        env=child_environment(),
    )
    return parent, int(hear(parent, "child"))


def has_ended(pid: int) -> bool:
    return not alive(pid)


def orphans(settings: Settings, steps: int) -> list[float | None]:
    """Kills parents of builds that wait for a lock; after how many seconds each build was gone.

    The last of them was not started by a step.
    """
    lock = psycopg2.connect(dsn("leeway", settings))
    with lock.cursor() as cursor:
        cursor.execute("lock table penguins.raw in access exclusive mode")
    started = [parent_of_dbt("step") for _ in range(steps)] + [parent_of_dbt("person")]
    try:
        there = until(lambda: waiting(settings) == len(started), 60 + 10 * len(started))
        assert there is not None, "not every build reached its table"
        took = []
        for parent, pid in started:
            kill(parent)
            took.append(until(partial(has_ended, pid), 1.0))
    finally:
        for _, pid in started:
            if alive(pid):
                os.kill(pid, signal.SIGKILL)
        lock.close()
    return took


@long
def test_a_dbt_whose_step_was_killed_ends_within_a_second(built: Built) -> None:
    n = max(1, times(10) // 10)
    *took, control = orphans(built.settings, n)
    ended = [seconds for seconds in took if seconds is not None]
    assert len(ended) == n, f"{n - len(ended)} of {n} orphans lived on"
    figure(f"orphans: {zero(n, 'lived longer than 1 s')}; the slowest took {max(ended):.3f} s")
    assert control is None, "the control: not started by a step, it lives on"
    figure("orphans, control: 1 of 1 that was not started by a step lived on")
