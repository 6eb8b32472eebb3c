"""A process that was overtaken cannot commit, and one whose parent died does not live on.

The figure of the release: `LEEWAY_KILLS=50 .venv/bin/pytest -k fence`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psycopg2
import pytest

from leeway.data.validation import validate
from leeway.data.values import POSTGRES_TYPES
from leeway.digests import digest_of
from orchestration.use_cases import load_use_cases
from resources.dbt import CALL, begin_call, executable, keep_parsed
from resources.ledger import Ledger
from resources.postgres import dsn, transaction
from resources.settings import Settings, get_settings
from resources.sources import open_source
from resources.warehouse import ensure_table, replace_batch
from tests.conftest import used_installation
from tests.faults.harness import (
    alive,
    figure,
    finish,
    hear,
    kill,
    start,
    stopped,
    times,
    until,
    waiting,
    zero,
)
from tests.faults.rows import NODE, visible
from tests.project_copy import child_environment

pytestmark = [pytest.mark.faults, pytest.mark.timeout(3600)]

BATCH = "2009"
OTHERS = [f"a-batch-with-quite-a-long-name-{number:05}" for number in range(6000)]


def overtake(how: str, n: int, settings: Settings) -> tuple[int, int]:
    """Repeats: stops a process before its commit, commits a newer attempt, lets the old go on.

    Returns how many old ones were refused, and how often readers saw the old one's rows.
    """
    old = start("commit_rows", how, "1", str(n), LEEWAY_FAULTS=f"{NODE}.before_commit:wait")
    assert until(lambda: stopped(old.pid), 60) is not None  # its attempt is the older one
    new = start("commit_rows", "fenced", "1000", "0", LEEWAY_FAULTS=f"{NODE}.after_commit:wait")
    hear(old, "ready")
    hear(new, "ready")
    refused = overwritten = 0
    try:
        for trial in range(n):
            assert until(lambda: stopped(old.pid), 30) is not None
            if trial:
                new.send_signal(signal.SIGCONT)
                hear(new, "committed")
            assert until(lambda: stopped(new.pid), 30) is not None
            assert visible(settings) == 1000 + trial
            old.send_signal(signal.SIGCONT)
            refused += hear(old, "") == f"stale {trial + 1}"
            overwritten += visible(settings) != 1000 + trial
    finally:
        kill(old)
        kill(new)
    return refused, overwritten


def test_an_orphan_that_was_overtaken_is_refused(settings: Settings) -> None:
    n = times(30)
    refused, overwritten = overtake("fenced", n, settings)
    assert (refused, overwritten) == (n, 0)
    figure(f"fence: {refused} of {n} stale commits refused, {zero(n, 'overwrote the newer one')}")


def test_without_the_fence_the_orphan_would_win(settings: Settings) -> None:
    n = max(5, times(30) // 6)
    refused, overwritten = overtake("unfenced", n, settings)
    figure(f"fence, control: without it {overwritten} of {n} stale commits overwrote the newer one")
    assert (refused, overwritten) == (0, n)


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
def built(server_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    """The penguins of one batch in the table raw, as the asset raw loads them, and built once.

    The build was told thousands of batches besides: a variable of a new process holds 128 KiB,
    which is some 6000 of them.
    """
    use_case = load_use_cases()["penguins"]
    accepted = validate(open_source(use_case).read(BATCH), use_case).accepted
    types = {c.name: POSTGRES_TYPES[c.type] for c in use_case.columns if c.role != "ignored"}
    types |= {"row_number": "bigint", "batch_id": "text", "loaded_at": "timestamptz default now()"}
    import pyarrow as pa

    rows = accepted.append_column("batch_id", pa.array([BATCH] * accepted.num_rows, pa.string()))
    with used_installation(server_home, tmp_path_factory.mktemp("home")) as settings:
        with transaction(settings) as cursor:
            ensure_table(cursor, "penguins", "raw", types)
            replace_batch(cursor, "penguins", "raw", BATCH, rows)
        token = Ledger(settings).begin("penguins", "clean", BATCH, "old").token
        with transaction(settings) as cursor:
            cursor.execute(
                "insert into leeway.attempts (use_case, node, batch, token, run_id) "
                "select 'penguins', 'clean', unnest(%s), %s, 'old'",
                (OTHERS, token),
            )
        tokens = dict.fromkeys([*OTHERS, BATCH], token)
        code, said, _ = finish(dbt("--full-refresh", tokens=tokens))
        assert code == 0, said
        (call,) = (settings.dbt_target / "target").glob("test-*")
        keep_parsed(call, settings)
        yield Built(settings, tokens)


def overtaken(settings: Settings, batch: str) -> None:
    """Begins a newer attempt at one batch."""
    Ledger(settings).begin("penguins", "clean", batch, "new")


def test_a_dbt_build_that_was_overtaken_changes_no_row(built: Built) -> None:
    before = clean_rows(built.settings)
    with transaction(built.settings) as cursor:  # what a stale build would show
        cursor.execute("update penguins.raw set body_mass_g = body_mass_g + 1")
    # Of thousands, the last; then the one whose rows these are.
    for batch, options in ((OTHERS[-1], ()), (BATCH, ("--full-refresh",))):
        overtaken(built.settings, batch)
        tokens = built.tokens if batch in OTHERS else {BATCH: built.tokens[BATCH]}
        code, said, _ = finish(dbt(*options, tokens=tokens))
        assert code != 0
        assert "stale attempt" in said
        assert clean_rows(built.settings) == before
    code, said, _ = finish(dbt(tokens={}))
    assert code == 0, said
    assert clean_rows(built.settings) != before, "the control: without tokens rows change"
    figure("fence: 2 of 2 stale dbt builds refused, rows kept; control: without tokens overwritten")


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


def test_a_dbt_whose_step_was_killed_ends_within_a_second(built: Built) -> None:
    n = max(1, times(10) // 10)
    *took, control = orphans(built.settings, n)
    ended = [seconds for seconds in took if seconds is not None]
    assert len(ended) == n, f"{n - len(ended)} of {n} orphans lived on"
    figure(f"orphans: {zero(n, 'lived longer than 1 s')}; the slowest took {max(ended):.3f} s")
    assert control is None, "the control: not started by a step, it lives on"
    figure("orphans, control: 1 of 1 that was not started by a step lived on")
