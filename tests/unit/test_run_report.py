"""What `leeway run` reports when what it did led to more: batches that share keys (ADR 13)."""

from __future__ import annotations

from cli.run import RunReport
from leeway.plan import Step


def step(node: str, batch: str, *, runs: bool = True) -> Step:
    return Step(node, batch, runs, "never materialized" if runs else "up to date")


def test_what_ran_after_all_is_not_among_what_was_skipped() -> None:
    report = RunReport("penguins", "success")
    report.skipped = [{"node": "drift", "batch": "b2", "reason": "up to date"}]
    report.completed([step("raw", "b1")], {("raw", "b1"), ("raw", "b2")})
    report.completed([step("drift", "b2"), step("predictions", "b2")], {("drift", "b2")})
    assert [(each["node"], each["batch"]) for each in report.ran] == [
        ("raw", "b1"),
        ("drift", "b2"),
    ]
    assert [(each["node"], each["reason"]) for each in report.skipped] == [
        ("predictions", "no release was promoted")
    ]


def test_a_check_that_fails_twice_is_one_and_those_that_passed_are_counted() -> None:
    report = RunReport("penguins", "success")
    for number in (1, 2):
        failing = {
            ("raw", "few_rejects"): {"node": "raw", "check": "few_rejects", "n": str(number)}
        }
        report.checked(5, failing)
    assert report.checks["passed"] == 10
    assert [each["n"] for each in report.checks["failed"]] == ["2"]
