"""Rows, ledger and object agree, whenever the process that commits them is killed.

A few kills by default; the figure of the release:
`LEEWAY_KILLS=500 .venv/bin/pytest -k commit_kills`.
"""

from __future__ import annotations

import signal

import pytest

from resources.settings import Settings
from tests.faults.harness import (
    LONG,
    enough,
    figure,
    finish,
    hear,
    kill_within,
    seeded,
    start,
    times,
    zero,
)
from tests.faults.rows import NODE, fingerprint, visible

pytestmark = [pytest.mark.faults, pytest.mark.timeout(3600)]

SECONDS = 1.0  # some versions are committed in this time
# Where it is killed, and whether readers then see the new version.
POINTS = {"before_commit": False, "in_commit": False, "after_commit": True}


def commit(version: int, how: str = "fenced", **extra: str) -> int:
    """Commits one version in a process of its own; returns its exit code."""
    code, _, err = finish(start("commit_rows", how, str(version), "1", **extra))
    assert code in (0, -signal.SIGKILL), err
    return code


@pytest.mark.parametrize("point", POINTS)
def test_a_node_killed_at_a_fault_point_shows_the_old_or_the_new_version(
    point: str, settings: Settings
) -> None:
    n = max(1, LONG // 10)
    seen = 0
    for version in range(1, n + 1):
        code = commit(version, LEEWAY_FAULTS=f"{NODE}.{point}:kill")
        assert code == -signal.SIGKILL
        assert visible(settings) == (version if POINTS[point] else seen)
        assert commit(version) == 0, "the same command afterwards succeeds"
        assert visible(settings) == version
        seen = version
    once = fingerprint(settings)
    assert commit(seen) == 0
    assert fingerprint(settings) == once, "a second time changed something"
    figure(f"commit: {zero(n, f'kill -9 at {NODE}.{point} left a disagreement')}")


@pytest.mark.parametrize(
    ("how", "point", "before", "told"),
    [
        ("apart", f"{NODE}.in_commit", 0, "rows are visible and nothing was committed"),
        ("apart", f"{NODE}.in_commit", 1, "rows are not those of 1"),
        (
            "pointer_first",
            "store.before_rename",
            9000,
            "the object is gone",
        ),  # 9001 was never stored
    ],
)
def test_the_checker_finds_what_a_protocol_with_one_step_out_of_place_leaves(
    how: str, point: str, before: int, told: str, settings: Settings
) -> None:
    assert before == 0 or commit(before) == 0
    assert visible(settings) == before
    assert commit(before + 1, how, LEEWAY_FAULTS=f"{point}:kill") == -signal.SIGKILL
    with pytest.raises((AssertionError, FileNotFoundError), match=told):
        visible(settings)
    figure(f"commit, control: 1 of 1 kills at {point} of a writer that is {how} left {told!r}")


def test_a_node_killed_at_any_moment_shows_the_old_or_the_new_version(settings: Settings) -> None:
    rng, n, version, moved = seeded("commit"), 0, 0, 0
    while not enough(n, times(3), moved):
        n += 1
        child = start("commit_rows", "fenced", str(version + 1), "0")
        hear(child, "ready")
        kill_within(child, SECONDS, rng)
        seen = visible(settings)
        assert seen >= version, "a committed version was lost"
        moved += seen - version
        version = seen
    assert commit(version + 1) == 0
    assert visible(settings) == version + 1
    assert moved
    figure(
        f"commit: {zero(n, 'kill -9 at a random moment left a disagreement or lost a version')}; "
        f"{moved} versions were committed meanwhile"
    )


def test_the_checker_finds_what_a_delete_and_insert_without_a_transaction_leaves(
    settings: Settings,
) -> None:
    rng, n, caught, empty = seeded("naive commit"), 0, 0, 0
    while not enough(n, max(3, times(12) // 6), caught):
        n += 1
        assert commit(1) == 0
        child = start("commit_rows", "naive", "2", "0")
        hear(child, "ready")
        kill_within(child, SECONDS, rng)
        try:
            visible(settings)
        except AssertionError as error:
            caught += 1
            empty += str(error).startswith("0 rows")
    figure(f"commit, control: without a transaction {caught} of {n} left a part, {empty} nothing")
    assert caught
