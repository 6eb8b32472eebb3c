"""`leeway run` after any kill or error: it continues, releases once, and each run has an end.

The first run of an installation is killed again and again, or fails, each time further on, at every
fault point and at random moments: `LEEWAY_KILLS=40 .venv/bin/pytest -k run_kills`. By default only
the checker is tested, and a move of the champion; writers are killed in test_commit_kills.py,
builds of dbt in tests/graph/test_fence.py, and the database in test_postgres_restart.py.
"""

from __future__ import annotations

import re
import signal
import subprocess
import time

import psutil
import pytest

from leeway.graph import nodes_of
from resources.settings import PROJECT
from tests.faults.harness import LONG, figure, finish, kill_within, seeded, until, zero
from tests.installed import Complete
from tests.project_copy import NAME, PACKAGES

pytestmark = [pytest.mark.faults, pytest.mark.timeout(7200)]

DBT = "the process of dbt"  # killed alone, at a random moment
STORE = ["store.half_written", "store.before_rename"]
AT_COMMIT = ["before_commit", "in_commit", "after_commit"]
IN_ORDER = (  # as Dagster carries them out: each kill is further on than the one before
    "raw", "staged", "clean", "profile", "training_set", "model_selection", "reference_profile",
    "tuned_model", "explainers", "release", "damage", "drift", "predictions", "performance",
    "report",
)  # fmt: skip
EVERY = [*STORE, *(f"{node}.{at}" for node in IN_ORDER for at in AT_COMMIT)]
EVERY.insert(EVERY.index("staged.before_commit"), DBT)
EVERY.insert(EVERY.index("release.before_commit"), "tracking.before_version")
at = EVERY.index("release.after_commit") + 1
EVERY[at:at] = ["registry.before_alias", "registry.after_alias"]


def test_every_fault_point_of_a_run_is_one_that_the_tests_kill_at() -> None:
    found = {
        name
        for package in PACKAGES
        for path in (PROJECT / package).rglob("*.py")
        for name in re.findall(r'\bfault\(f?"([^"]+)"\)', path.read_text())
    }
    assert sorted(IN_ORDER) == sorted(node.name for node in nodes_of("classification"))
    known = {f"{{attempt.node}}.{at}" for at in AT_COMMIT} | {p for p in EVERY if p in found}
    of_sensor = {f"decision.{at}_record" for at in ("before", "in", "after")}
    of_trial = {"trial.in_verdict"}  # tests/contract/test_trials.py kills there
    others = found - known - of_sensor - of_trial
    assert others == {"champion.in_move"}, "of `leeway promote`, tested below"
    assert of_sensor <= found, "tests/graph/test_decisions raises at them"


@pytest.mark.skipif(not LONG, reason="minutes: make proof")
def test_a_run_killed_again_and_again_is_continued_to_one_release(installed: Complete) -> None:
    installed.start_over()
    for point in EVERY:
        stop_at(installed, point)
    stuck = installed.select("dagster", "select count(*) from runs where status = 'STARTED'")
    assert stuck == [(1,)], "the control: until the reaper looks again, the last run stays"
    code, _, said = installed.leeway("run", NAME)
    assert code == 0, said
    assert installed.select("leeway", "select count(*) from leeway.releases") == [(1,)]
    ended = installed.select("dagster", "select count(*) from runs where status = 'FAILURE'")
    # After a release without an alias, a command tells MLflow first, and has no run yet.
    told_first = [point for point in EVERY if point.startswith("registry.")]
    assert ended == [(len(EVERY) - len(told_first),)]
    is_complete(installed)
    figure(
        f"leeway run: {zero(len(EVERY), 'kills at a known point left a wrong state')}: one "
        f"release, one MLflow version, champion = ledger, every run has an end, and the digests "
        f"are those of an undisturbed run"
    )


@pytest.mark.skipif(not LONG, reason="minutes: make proof")
def test_a_run_that_fails_again_and_again_is_continued_to_one_release(
    installed: Complete,
) -> None:
    """Guards: what a step had committed when it failed was up to date for `leeway run`."""
    installed.start_over()
    # A batch of several, dbt's commit, one with MLflow behind it, and the ledger without the alias.
    first = ["clean.after_commit:raise", "registry.before_alias:raise"]
    for point in first:
        stop_at(installed, point)
    assert installed.leeway("run", NAME).code == 0
    is_complete(installed)
    # A failure lets independent nodes go on: from here, each point in a run of its own node.
    more = [point for point in EVERY if point not in (*STORE, DBT)]
    for point in more:
        node = point.partition(".")[0]
        chosen = {"staged": "staged,clean", "tracking": "release", "registry": "release"}
        stop_at(installed, f"{point}:raise", "--select", chosen.get(node, node))
    assert installed.leeway("run", NAME).code == 0
    is_complete(installed)
    n = len(first) + len(more)
    figure(f"leeway run: {zero(n, 'errors at a known point left a wrong state')}")


def is_complete(installed: Complete) -> None:
    """Nothing is wrong or missing: the same command again finds nothing to do."""
    assert installed.wrong() == []
    assert installed.select("leeway", "select count(*) from leeway.releases") == [(1,)]
    assert installed.select("leeway", "select count(*) from leeway.commits where not told") == [
        (0,)
    ]
    assert installed.fingerprint() == installed.expected
    mlflow = installed.select("mlflow", "select distinct status from runs order by status")
    assert mlflow == [("FAILED",), ("FINISHED",)]
    code, _, said = installed.leeway("run", NAME)
    assert (code, "up to date" in said) == (0, True), said


def stop_at(installed: Complete, point: str, *options: str) -> None:
    """Starts the run, which kills itself at the point; or raises there, or loses dbt."""
    if point == DBT:
        kill_dbt(installed)
        return
    name, _, how = point.partition(":")
    faults = f"{name}:{how or 'kill'}"
    code, _, said = installed.leeway("run", NAME, *options, LEEWAY_FAULTS=faults)
    if how == "raise":
        assert (code, name in said) == (1, True), f"{name} was not reached: {said}"
    else:
        assert code == -signal.SIGKILL, f"{name} was not reached: {said}"


def kill_dbt(installed: Complete) -> None:
    """Kills dbt alone: the run goes on to its end and says what failed."""
    run = installed.start("run", NAME)
    assert until(lambda: bool(builds(run)) or run.poll() is not None, 120) is not None
    time.sleep(seeded("dbt").uniform(0, 2))
    for build in builds(run):
        build.kill()
    code, _out, said = finish(run)
    assert code == 1, f"dbt was not killed: {said}"
    assert "dbt" in said
    assert "Traceback" not in said


def builds(run: subprocess.Popen[str]) -> list[psutil.Process]:
    """The processes of dbt below a run."""
    try:
        children = psutil.Process(run.pid).children(recursive=True)
        return [child for child in children if "build" in child.cmdline()]
    except psutil.NoSuchProcess:
        return []


@pytest.mark.parametrize(
    ("database", "plant", "undo", "told"),
    [
        (
            "mlflow",
            "update registered_model_aliases set version = version + 1 where alias = 'champion'",
            "update registered_model_aliases set version = version - 1 where alias = 'champion'",
            "alias",
        ),
        (
            "mlflow",
            "update model_version_tags set value = value || '!' where key = 'leeway.training_key'",
            "update model_version_tags set value = rtrim(value, '!')",
            "MLflow versions",
        ),
        (
            "dagster",
            "update runs set status = 'STARTED' where id in "
            "(select max(id) from runs where status = 'SUCCESS')",
            "update runs set status = 'SUCCESS' where status = 'STARTED'",
            "runs without an end",
        ),
        (
            "leeway",
            "update leeway.commits set rows = rows + 1 where node = 'clean'",
            "update leeway.commits set rows = rows - 1 where node = 'clean'",
            "rows in clean",
        ),
    ],
)
def test_the_checker_finds_what_was_planted(
    installed: Complete, database: str, plant: str, undo: str, told: str
) -> None:
    assert installed.wrong() == []
    assert installed.select(database, f"{plant} returning 1"), "nothing was planted"
    found = " ".join(installed.wrong())
    installed.select(database, f"{undo} returning 1")
    assert told in found
    assert installed.wrong() == []


def test_a_move_of_the_champion_that_is_killed_did_not_happen(installed: Complete) -> None:
    moves = "select count(*) from leeway.moves"
    assert installed.select("leeway", "delete from leeway.moves returning 1"), "nobody is champion"
    code, _, said = installed.leeway("promote", NAME, "1", LEEWAY_FAULTS="champion.in_move:kill")
    assert code == -signal.SIGKILL, said
    assert installed.select("leeway", moves) == [(0,)]
    code, _, said = installed.leeway("promote", NAME, "1")
    assert code == 0, said
    assert installed.select("leeway", moves) == [(1,)]
    assert installed.wrong() == []


@pytest.mark.skipif(not LONG, reason="minutes: make proof")
def test_a_run_killed_at_any_moment_is_continued(installed: Complete) -> None:
    rng, n = seeded("runs"), LONG
    for _ in range(n):
        child = installed.start("run", NAME, "--all")
        kill_within(child, 45, rng)
        code, _, said = installed.leeway("run", NAME)
        assert code == 0, said
        assert installed.wrong() == []
        assert installed.fingerprint() == installed.expected
    figure(f"leeway run: {zero(n, 'kills at a random moment left a wrong state')}")
