"""`leeway run` after any kill: it continues, releases once, and leaves no run without an end.

The first run of an installation is killed again and again, each time further on. A few points by
default; all of them, and random moments: `LEEWAY_KILLS=40 .venv/bin/pytest -k run_kills`.
"""

from __future__ import annotations

import signal

import pytest

from tests.faults.harness import LONG, figure, kill_within, seeded, zero
from tests.faults.runs import NAME, Installed

pytestmark = [pytest.mark.faults, pytest.mark.timeout(7200)]

NODES = (
    "raw", "staged", "clean", "training_set", "model_selection", "reference_profile",
    "tuned_model", "explainers", "release", "predictions", "performance", "drift",
)  # fmt: skip
EVERY = [f"{node}.{at}_commit" for node in NODES for at in ("before", "in", "after")]
# One of each kind: rows of a table, dbt's snapshot, MLflow before the ledger and after it.
SOME = ["raw.in_commit", "clean.before_commit", "release.before_commit", "release.after_commit"]


def test_a_run_killed_at_each_point_is_continued_to_one_release(installed: Installed) -> None:
    points = [*EVERY, "tracking.before_version"] if LONG else SOME
    for point in points:
        code, said = installed.leeway("run", NAME, LEEWAY_FAULTS=f"{point}:kill")
        assert code == -signal.SIGKILL, f"{point} was not reached: {said}"
    stuck = installed.select("dagster", "select count(*) from runs where status = 'STARTED'")
    assert stuck == [(1,)], "the control: without the reaper's next look, the last run stays"
    code, said = installed.leeway("run", NAME)
    assert code == 0, said
    assert installed.wrong() == []
    assert installed.select("leeway", "select count(*) from leeway.releases") == [(1,)]
    ended = installed.select("dagster", "select count(*) from runs where status = 'FAILURE'")
    assert ended == [(len(points),)]
    before = installed.fingerprint()
    code, said = installed.leeway("run", NAME)
    assert (code, "up to date" in said) == (0, True), said
    assert installed.fingerprint() == before
    figure(
        f"leeway run: {zero(len(points), 'kills at a fault point left a wrong state')}: one "
        f"release, one MLflow version, champion = ledger, every run has an end"
    )


@pytest.mark.skipif(not LONG, reason="minutes: LEEWAY_KILLS=40")
def test_a_run_killed_at_any_moment_is_continued(installed: Installed) -> None:
    rng, n = seeded("runs"), LONG
    for _ in range(n):
        child = installed.start("run", NAME, "--all")
        kill_within(child, 45, rng)
        code, said = installed.leeway("run", NAME)
        assert code == 0, said
        assert installed.wrong() == []
    figure(f"leeway run: {zero(n, 'kills at a random moment left a wrong state')}")
