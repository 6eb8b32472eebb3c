"""A challenger is promoted, held or rejected for the stated reason."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from leeway.metrics.evaluation import Metric
from leeway.release import Cause, Comparison, compare_losses, decide, judge_gates, left_to_a_person
from leeway.spec import Gate

GOOD = Metric(0.95, 0.9, 0.99, "fraction", 70)
UNDEFINED = Metric(None, None, None, "fraction", 70, "no row of class 'c' among 70 rows")
PASSING = judge_gates([Gate(metric="macro_f1", at_least=0.9)], {"macro_f1": GOOD})


def comparison(low: float, high: float) -> Comparison:
    return Comparison("log loss", (low + high) / 2, low, high, 70, 0.2)


@pytest.mark.parametrize(
    ("gate", "passed"),
    [
        (Gate(metric="macro_f1", at_least=0.9), True),
        (Gate(metric="macro_f1", at_least=0.95), True),
        (Gate(metric="macro_f1", at_least=0.96), False),
        (Gate(metric="macro_f1", at_most=0.95), True),
        (Gate(metric="macro_f1", at_most=0.94), False),
    ],
)
def test_a_gate_is_kept_up_to_and_including_its_bound(gate: Gate, passed: bool) -> None:
    (result,) = judge_gates([gate], {"macro_f1": GOOD})
    assert result.passed is passed
    verb = "keeps" if passed else "breaks"
    assert result.reason == f"macro_f1 is 0.95 on 70 rows, which {verb} {result.bound}."


def test_an_undefined_metric_fails_its_gate_with_its_reason() -> None:
    (result,) = judge_gates([Gate(metric="macro_f1", at_most=1)], {"macro_f1": UNDEFINED})
    assert not result.passed
    assert result.value is None
    assert result.reason == "macro_f1 is undefined: no row of class 'c' among 70 rows."


def test_a_gate_on_a_metric_that_was_not_computed_is_an_error() -> None:
    with pytest.raises(KeyError):
        judge_gates([Gate(metric="macro_f1", at_least=0.9)], {})


def test_a_failing_gate_rejects_even_a_proven_benefit() -> None:
    gates = judge_gates(
        [Gate(metric="macro_f1", at_least=0.9), Gate(metric="accuracy", at_least=0.99)],
        {"macro_f1": GOOD, "accuracy": GOOD},
    )
    decision = decide(gates, comparison(-0.2, -0.1), cause="request")
    assert decision.verdict == "reject"
    assert decision.reason.startswith("1 of 2 gates failed: accuracy is 0.95")


def test_the_first_release_that_passes_its_gates_is_promoted() -> None:
    decision = decide(PASSING, None, cause="request")
    assert decision.verdict == "promote"
    assert decision.reason == (
        "This is the first release that passes its gates; it passes its only gate."
    )
    assert decide([*PASSING, *PASSING], None, cause="request").reason.endswith("all 2 gates.")


def test_a_champion_that_does_not_fit_the_schema_is_replaced_and_the_reason_says_so() -> None:
    decision = decide(PASSING, None, cause="request", uncompared="schema")
    assert decision.verdict == "promote"
    assert decision.reason.startswith("The champion cannot be used with the present key, features")


@pytest.mark.parametrize("cause", ["request", "freshness", "drift"])
@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(-0.2, -0.1, "promote"), (0.01, 0.02, "hold"), (-0.1, 0.01, "either")],
)
def test_zero_inside_the_interval_promotes_only_after_drift(
    cause: str, low: float, high: float, expected: str
) -> None:
    decision = decide(
        PASSING,
        comparison(low, high),
        cause=cause,  # type: ignore[arg-type]  # a literal above
        margin=0.05,
    )
    if expected == "either":
        expected = "promote" if cause == "drift" else "hold"
    assert decision.verdict == expected
    assert "70 held-out rows" in decision.reason


def test_without_a_margin_drift_needs_a_proven_benefit_too() -> None:
    decision = decide(PASSING, comparison(-0.1, 0.01), cause="drift")
    assert decision.verdict == "hold"
    assert "no proven benefit" in decision.reason


def test_an_increase_that_is_not_excluded_is_held_after_drift() -> None:
    decision = decide(PASSING, comparison(-0.1, 0.05), cause="drift", margin=0.05)
    assert decision.verdict == "hold"
    assert "0.05 or more is not excluded" in decision.reason


@pytest.mark.parametrize("bound", [-0.1, 0.1])
def test_an_interval_that_ends_at_zero_proves_nothing(bound: float) -> None:
    ends = comparison(min(bound, 0), max(bound, 0))
    decision = decide(PASSING, ends, cause="request")
    assert decision.verdict == "hold"
    assert decision.reason.endswith("which includes zero: there is no proven benefit.")


def test_a_challenger_that_is_proven_worse_is_held_with_that_reason() -> None:
    """After drift a margin accepts what may be worse, never what is proven to be."""
    decision = decide(PASSING, comparison(0.01, 0.02), cause="drift", margin=0.05)
    assert decision.verdict == "hold"
    assert decision.reason.endswith("the challenger is worse than the champion.")
    may_be_equal = decide(PASSING, comparison(0, 0.02), cause="drift", margin=0.05)
    assert may_be_equal.verdict == "promote"


def test_too_few_rows_hold_the_challenger_however_large_its_benefit() -> None:
    few = compare_losses(np.zeros(9), np.ones(9))
    assert (few.low, few.high, few.difference) == (None, None, -1)
    decision = decide(PASSING, few, cause="drift", margin=9)
    assert decision.verdict == "hold"
    assert decision.reason.startswith("There are 9 held-out rows")
    assert "needs 10" in decision.reason
    enough = compare_losses(np.zeros(10), np.ones(10))
    assert (enough.low, enough.high) == (-1, -1)
    assert decide(PASSING, enough, cause="request").verdict == "promote"


def test_without_a_row_that_neither_model_has_seen_the_challenger_is_held() -> None:
    nothing = compare_losses(np.empty(0), np.empty(0))
    assert (nothing.rows, nothing.difference, nothing.champion) == (0, None, None)
    decision = decide(PASSING, nothing, cause="drift", margin=9)
    assert decision.verdict == "hold"
    assert decision.reason.startswith("There are 0 held-out rows that neither model was fitted on")


def test_the_comparison_is_paired() -> None:
    """Losses vary between rows by far more than between models: only pairing sees the benefit."""
    rng = np.random.default_rng(0)
    champion = rng.exponential(10, 80)
    better = compare_losses(champion - 0.1 + rng.normal(0, 0.05, 80), champion)
    assert better.high is not None
    assert better.high < 0
    shuffled = compare_losses(rng.permutation(champion) - 0.1, champion)
    assert shuffled.low is not None
    assert shuffled.high is not None
    assert shuffled.low < 0 < shuffled.high


def test_the_interval_is_about_as_wide_as_the_normal_one() -> None:
    rng = np.random.default_rng(0)
    difference = rng.normal(0.3, 1, 400)
    found = compare_losses(difference, np.zeros(400), metric="mae")
    half = 1.96 * difference.std() / math.sqrt(400)
    assert found.difference == pytest.approx(difference.mean())
    assert (found.low, found.high) == pytest.approx(
        (difference.mean() - half, difference.mean() + half), abs=0.15 * half
    )


def test_equal_models_are_proven_different_about_1_time_in_20() -> None:
    rng = np.random.default_rng(0)
    wrong = 0
    for seed in range(300):
        found = compare_losses(rng.normal(0, 1, 70), np.zeros(70), resamples=200, seed=seed)
        assert found.low is not None
        assert found.high is not None
        wrong += not found.low <= 0 <= found.high
    assert 0.02 <= wrong / 300 <= 0.10


@pytest.mark.parametrize(
    ("challenger", "champion"),
    [([1.0], [1.0, 2.0]), ([np.nan] * 20, [0.0] * 20)],
)
def test_losses_that_do_not_pair_are_refused(
    challenger: list[float], champion: list[float]
) -> None:
    with pytest.raises(ValueError, match=r"do not pair|missing"):
        compare_losses(np.array(challenger), np.array(champion))


def test_what_would_be_promoted_waits_for_a_person_and_nothing_else_does() -> None:
    better = decide(PASSING, comparison(-0.2, -0.1), cause="drift", margin=0.1)
    left = left_to_a_person(better)
    assert (better.verdict, better.awaits_person) == ("promote", False)
    assert (left.verdict, left.awaits_person) == ("hold", True)
    assert left.reason == f"{better.reason} It waits for a person to promote it."
    assert (left.gates, left.comparison) == (better.gates, better.comparison)
    broken = judge_gates([Gate(metric="macro_f1", at_least=0.99)], {"macro_f1": GOOD})
    for other in (
        decide(PASSING, comparison(0.1, 0.2), cause="request"),
        decide(broken, None, cause="request"),
    ):
        assert left_to_a_person(other) == other


def test_a_decision_is_json_and_every_reason_is_a_sentence() -> None:
    decision = decide(PASSING, comparison(-0.2, -0.1), cause="request")
    fields = json.loads(json.dumps(decision.as_dict()))
    assert fields["verdict"] == "promote"
    assert fields["gates"][0]["bound"] == "at least 0.9"
    assert fields["comparison"]["rows"] == 70
    for reason in (decision.reason, fields["gates"][0]["reason"]):
        assert reason.endswith(".")


def test_a_model_without_gates_is_promoted_and_the_reason_says_that_there_are_none() -> None:
    assert "none is declared" in decide([], None, cause="request").reason


@pytest.mark.parametrize(
    ("cause", "says"), [("damage", "after damage"), ("performance", "after a broken gate")]
)
def test_what_the_champion_does_not_know_asks_for_no_proof_of_benefit(
    cause: Cause, says: str
) -> None:
    promoted = decide(PASSING, comparison(-0.1, 0.01), cause=cause, margin=0.05)
    assert promoted.verdict == "promote"
    assert f"{says}, an increase below 0.05 is accepted" in promoted.reason
    held = decide(PASSING, comparison(-0.1, 0.09), cause=cause, margin=0.05)
    assert held.verdict == "hold"
    assert f"and {says} an increase of 0.05 or more is not excluded" in held.reason
