"""A batch that is proven to break a gate is an alarm, and one without labels is not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pytest

from assets import checks
from assets.stage import stage_of
from resources.ledger import Commit
from tests.unit.measured_penguins import PENGUINS

BROKEN = "macro_f1 is 0.7 (0.6 to 0.8) on 90 rows, and has to be at least 0.9."


@pytest.mark.parametrize(
    ("rows", "facts", "passed", "says"),
    [
        (90, {"broken_gates": [BROKEN]}, False, BROKEN),
        (90, {"broken_gates": []}, True, "no gate is proven to be broken on 90 rows."),
        (0, {"broken_gates": []}, True, "undefined: no row that judges has a label yet."),
        (90, {}, True, "no gate is proven"),  # committed before it was judged
    ],
)
def test_a_batch_that_breaks_a_gate_fails_its_check(
    rows: int, facts: dict[str, Any], passed: bool, says: str
) -> None:
    at = datetime(2026, 11, 22, tzinfo=UTC)
    commit = Commit(
        "penguins", "performance", "2009", "i", "d", "u", rows, facts, "r", at, told=True
    )
    assert PENGUINS.gates
    found = checks.kept(stage_of("penguins", PENGUINS), commit)
    assert found.passed is passed
    assert found.severity is dg.AssetCheckSeverity.ERROR
    assert f"Batch 2009: {says}" in str(found.description)


@pytest.mark.parametrize(
    ("verdict", "trained_on", "passed", "severity"),
    [
        ("none", False, True, dg.AssetCheckSeverity.WARN),
        ("suspect", False, False, dg.AssetCheckSeverity.WARN),
        ("undefined", False, False, dg.AssetCheckSeverity.WARN),
        ("confirmed", False, False, dg.AssetCheckSeverity.ERROR),
        ("confirmed", True, True, dg.AssetCheckSeverity.ERROR),
    ],
)
def test_a_batch_that_harms_the_champion_fails_its_check_unless_the_champion_knows_it(
    verdict: str, trained_on: bool, passed: bool, severity: dg.AssetCheckSeverity
) -> None:
    at = datetime(2026, 11, 22, tzinfo=UTC)
    facts = {
        "verdict": verdict,
        "reason": "Why.",
        "metric": "macro_f1",
        "columns": ["sex"],
        "trained_on": trained_on,
    }
    commit = Commit("penguins", "damage", "2009", "i", "d", "u", 6, facts, "r", at, told=True)
    found = checks.harm(stage_of("penguins", PENGUINS), commit)
    assert (found.passed, found.severity) == (passed, severity)
    known = " The champion was trained on this batch." if trained_on else ""
    assert found.description == f"Batch 2009: {verdict}. Why.{known}"
    assert found.metadata["columns"].value == "sex"


@pytest.mark.parametrize("trained_on", [False, True])
def test_the_check_of_drift_says_who_moved_unless_the_champion_knows_the_batch(
    trained_on: bool,
) -> None:
    facts = {
        "verdict": "confirmed",
        "reason": "Why.",
        "who_moved": "sex: Introduced by clean.",
        "target_verdict": None,
        "columns": ["sex"],
        "trained_on": trained_on,
    }
    at = datetime(2026, 11, 22, tzinfo=UTC)
    commit = Commit("penguins", "drift", "2009", "i", "d", "u", 6, facts, "r", at, told=True)
    said = checks.drift(stage_of("penguins", PENGUINS), commit).description
    known = "The champion was trained on this batch." if trained_on else facts["who_moved"]
    assert said == f"Batch 2009: confirmed. Why. {known}"
