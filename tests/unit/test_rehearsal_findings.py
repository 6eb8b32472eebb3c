"""What a rehearsal concludes: who caught a fault first, what it takes, and what to do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from leeway.rehearsal.advice import advice
from leeway.rehearsal.catalogue import FAULTS, Case, cases
from leeway.rehearsal.columns import NotHere, Planted
from leeway.rehearsal.findings import (
    Catch,
    Failing,
    Finding,
    Observed,
    catches,
    counts,
    does_not_apply,
    finding,
)
from leeway.rehearsal.prefix import smallest_prefix
from tests.batches import penguins
from tests.unit.measured_penguins import PENGUINS

TABLE = pa.table({"x": list(range(10))})
PLANTED = Planted(TABLE, np.arange(10) < 4, "the first four")


def never(table: pa.Table) -> Planted:
    raise NotHere("never")


CASE = Case("shift", ("bill_length_mm",), never)
DRIFT = Failing("drift", "no_drift", "ERROR", "confirmed")
REJECT = (3, "x", "above the allowed 2")


def judged(observed: Observed, control: Observed = Observed()) -> Finding:  # noqa: B008  # frozen
    return finding(CASE, PLANTED, observed, catches(observed, control, 10))


def test_a_fault_that_nothing_saw_survived_with_the_rows_that_got_a_prediction() -> None:
    found = judged(Observed(predicted=frozenset(range(3, 11))))
    assert (found.verdict, found.faulty_rows, found.reached_predictions) == ("survived", 4, 2)


def test_a_rejected_row_counts_by_its_position_and_only_what_is_new() -> None:
    old = (1, "y", "missing")
    observed = Observed(rejects=(old, REJECT), predicted=frozenset())
    (caught,) = catches(observed, Observed(rejects=(old,)), 10)
    assert (caught.node, caught.after_rows) == ("raw", 3)
    assert catches(Observed(rejects=(old,)), Observed(rejects=(old,)), 10) == []


def test_caught_means_that_no_row_with_the_fault_reached_a_prediction() -> None:
    assert judged(Observed(rejects=(REJECT,), predicted=frozenset({9, 10}))).verdict == "caught"
    late = judged(Observed(rejects=(REJECT,), predicted=frozenset({1, 9})))
    assert (late.verdict, late.reached_predictions) == ("caught late", 1)


def test_the_first_catch_is_the_first_of_the_graph() -> None:
    gate = Failing("performance", "keeps_gates", "ERROR", "broken")
    test = Failing("clean", "among_values", "ERROR", "2 failing")
    found = catches(Observed(failing=(gate, DRIFT, test), rejects=(REJECT,)), Observed(), 10)
    assert [each.node for each in found] == ["raw", "clean", "drift", "performance"]


def test_a_check_that_fails_without_the_fault_says_nothing_about_it() -> None:
    assert judged(Observed(failing=(DRIFT,)), Observed(failing=(DRIFT,))).verdict == "survived"
    mild = Failing("drift", "no_drift", "WARN", "suspect")
    assert judged(Observed(failing=(DRIFT,)), Observed(failing=(mild,))).verdict == "caught"


def test_a_batch_that_is_refused_whole_is_caught_by_its_schema() -> None:
    (caught,) = catches(Observed(error="retyped", failed_node="raw"), Observed(), 10)
    assert (caught.check, caught.after_rows, caught.said) == ("schema", 10, "retyped")


def test_a_run_that_fails_is_told_once() -> None:
    test = Failing("clean", "unique", "ERROR", "2 failing")
    with_test = Observed(failing=(test,), error="dbt failed", failed_node="clean")
    assert [each.check for each in catches(with_test, Observed(), 10)] == ["unique"]
    without = Observed(error="out of memory", failed_node="profile")
    assert [each.check for each in catches(without, Observed(), 10)] == ["run"]


def test_verdicts_are_counted() -> None:
    found = [judged(Observed()), does_not_apply(CASE, "never")]
    assert counts(found) == {"caught": 0, "caught late": 0, "survived": 1, "does not apply": 1}


@pytest.mark.parametrize("least", [1, 2, 7, 99, 100])
def test_the_smallest_prefix_is_found_and_few_are_asked(least: int) -> None:
    asked: list[int] = []

    def holds(rows: int) -> bool:
        asked.append(rows)
        return rows >= least

    assert smallest_prefix(100, holds) == least
    assert len(asked) <= 9


def test_there_is_no_prefix_where_all_rows_are_too_few() -> None:
    assert smallest_prefix(100, lambda rows: False) is None
    assert smallest_prefix(10, lambda rows: True, fewest=30) is None
    assert smallest_prefix(100, lambda rows: True, fewest=30) == 30


@pytest.mark.parametrize("fault", FAULTS)
def test_every_survivor_comes_with_what_to_add(fault: str) -> None:
    table = pa.Table.from_pandas(penguins(year=[2009]), preserve_index=False)
    for case in cases(PENGUINS, [], table, 3, [fault]):
        survived = finding(case, PLANTED, Observed(), [])
        assert survived.verdict == "survived"
        said = advice(survived, PENGUINS)
        assert any(word in said for word in ("defs.yaml", "dbt test", "drift.smallest_change"))


def test_what_was_caught_needs_nothing_and_what_was_late_says_why() -> None:
    caught = judged(Observed(failing=(DRIFT,)))
    assert advice(caught, PENGUINS) == ""
    late = judged(Observed(failing=(DRIFT,), predicted=frozenset({1})))
    assert "drift saw it, beside the predictions" in advice(late, PENGUINS)
    gaps = replace(late, fault="nulls")
    assert advice(gaps, PENGUINS).startswith("drift saw it, beside the predictions; to keep")
    assert late.caught_by == (Catch("drift", "no_drift", "ERROR", None, "confirmed"),)
