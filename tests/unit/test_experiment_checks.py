"""The checks of an experiment judge what its nodes recorded, and say undefined when it is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pytest

from assets import checks
from assets.stage import stage_of
from resources.ledger import Commit
from tests.unit.test_experiment_payback import use_case

STAGE = stage_of("tools", use_case())
DESIGN: dict[str, Any] = {
    "design": "full 2^2 design",
    "runs_by_cell": {"(1)": 2, "a": 2, "b": 2, "ab": 2},
    "error_source": "replicates",
    "error_undefined": None,
    "error_variance": 2.5,
    "error_degrees_of_freedom": 4,
}
FOUND: dict[str, Any] = {
    "best": {"setting": {"speed": 40}, "undefined": None},
    "curvature": {"significant": False, "undefined": None},
}


def commit(facts: dict[str, Any]) -> Commit:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return Commit("tools", "n", "", "i", "d", "u", 1, facts, "run", now, told=True)


@pytest.mark.parametrize(
    ("judge", "facts", "passed", "says"),
    [
        (checks.balance, DESIGN, True, "Runs per cell: 2."),
        (
            checks.balance,
            DESIGN | {"runs_by_cell": {"(1)": 2, "a": 1, "b": 2, "ab": 1}},
            False,
            "Runs per cell: 1 to 2; run a, ab again.",
        ),
        (
            checks.pure_error,
            DESIGN,
            True,
            "Variance 2.5 on 4 degrees of freedom, by replicates.",
        ),
        (checks.pure_error, DESIGN | {"error_source": "lenth"}, False, "Lenth's method"),
        (
            checks.pure_error,
            DESIGN | {"error_variance": None, "error_undefined": "too coarse"},
            False,
            "undefined: too coarse",
        ),
        (checks.best, FOUND, True, "show no curvature"),
        (
            checks.best,
            FOUND | {"curvature": {"significant": True, "undefined": None}},
            False,
            "a better setting may lie between the levels",
        ),
        (
            checks.best,
            FOUND | {"curvature": {"significant": None, "undefined": "no centre point was run"}},
            True,
            "curvature is undefined: no centre point was run",
        ),
        (
            checks.best,
            FOUND | {"best": {"setting": None, "undefined": "no effect"}},
            False,
            "undefined: no effect",
        ),
    ],
)
def test_a_check_says_what_it_found(
    judge: checks.Judge, facts: dict[str, Any], passed: bool, says: str
) -> None:
    found = judge(STAGE, commit(facts))
    assert found.passed is passed
    assert found.severity is dg.AssetCheckSeverity.WARN
    assert says in (found.description or "")
