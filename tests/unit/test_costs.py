"""The decision threshold is the cheapest one in cross-validation, and held-out rows judge it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from leeway.choice_plots import cost_plot
from leeway.evidence import gather
from leeway.metrics.costs import MOST_THRESHOLDS, cost_curve, positive_column
from leeway.metrics.evaluation import Metric
from leeway.metrics.positive import positive_metrics, row_costs
from leeway.performance import WHOLE, measure
from leeway.prediction import Model, Threshold, decided_classes
from leeway.release import Comparison, decide, judge_gates
from leeway.spec import DecisionCosts, Gate, UseCase

CLASSES = ["no", "yes"]


def costs(false_positive: float = 1.0, false_negative: float = 1.0) -> DecisionCosts:
    return DecisionCosts(
        positive="yes", false_positive=false_positive, false_negative=false_negative, unit="EUR"
    )


def calibrated(rows: int, seed: int = 0) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Rows whose probability is true: positive as often as it says."""
    rng = np.random.default_rng(seed)
    probability = rng.uniform(0, 1, rows)
    return rng.uniform(0, 1, rows) < probability, probability


def use_case(**changes: Any) -> UseCase:
    content = {
        "title": "t",
        "task": "classification",
        "source": {"kind": "file", "path": "t.csv"},
        "columns": [
            {"name": "id", "type": "integer", "role": "key", "description": "d"},
            {"name": "x", "type": "number", "description": "d"},
            {
                "name": "y",
                "type": "category",
                "values": CLASSES,
                "role": "target",
                "description": "d",
            },
        ],
        "costs": costs(false_negative=4).model_dump(),
    }
    return UseCase.model_validate(content | changes)


def test_an_error_costs_what_its_kind_costs_and_a_right_decision_nothing() -> None:
    positive = np.array([True, True, False, False])
    decided = np.array([True, False, True, False])
    assert row_costs(positive, decided, costs(2, 5)).tolist() == [0, 5, 2, 0]


@pytest.mark.parametrize(("fp", "fn"), [(1, 1), (1, 4), (3, 1)])
def test_of_calibrated_probabilities_it_is_the_threshold_that_theory_gives(
    fp: float, fn: float
) -> None:
    """Elkan 2001: fp / (fp + fn)."""
    curve = cost_curve(*calibrated(40_000), costs(fp, fn), resamples=20)
    assert curve.threshold == pytest.approx(fp / (fp + fn), abs=0.05)
    assert len(curve.thresholds) <= MOST_THRESHOLDS + 1


def test_the_curve_is_the_mean_cost_of_the_decisions_at_each_threshold() -> None:
    positive, probability = calibrated(300)
    curve = cost_curve(positive, probability, costs(2, 3), resamples=50)
    for threshold, cost in zip(curve.thresholds, curve.costs, strict=True):
        decided = probability >= threshold
        assert cost == pytest.approx(row_costs(positive, decided, costs(2, 3)).mean())
    assert curve.cost == min(curve.costs)
    assert curve.costs[0] == pytest.approx(2 * (~positive).mean()), "everything is positive"
    assert curve.costs[-1] == pytest.approx(3 * positive.mean()), "nothing is positive"


def test_probabilities_that_are_all_too_low_get_a_threshold_of_their_own() -> None:
    positive, probability = calibrated(20_000)
    shrunk = cost_curve(positive, probability / 10, costs(), resamples=5)
    assert shrunk.threshold == pytest.approx(0.05, abs=0.006)


def test_the_interval_of_a_cost_holds_it_and_narrows_with_the_rows() -> None:
    widths = []
    for rows in (200, 5000):
        curve = cost_curve(*calibrated(rows), costs(), resamples=100)
        assert curve.low is not None
        assert curve.high is not None
        middle = len(curve.costs) // 2
        assert curve.low[middle] < curve.costs[middle] < curve.high[middle]
        widths.append(curve.high[middle] - curve.low[middle])
    assert widths[1] < widths[0] / 3


def test_equal_costs_are_decided_by_theory_and_few_rows_have_no_interval() -> None:
    positive = np.array([False, True])
    curve = cost_curve(positive, np.array([0.2, 0.6]), costs())
    assert (curve.threshold, curve.cost) == (0.6, 0.0)
    assert curve.low is None
    tied = cost_curve(np.array([True, False]), np.array([0.1, 0.6]), costs())
    assert tied.threshold == pytest.approx(0.6), "0.1 costs the same, and is farther from 0.5"
    same = cost_curve(positive, np.array([0.5, 0.5]), costs())
    assert same.threshold == 0.5
    assert json.loads(json.dumps(same.as_dict(), allow_nan=False))["rows"] == 2
    assert cost_plot(curve)[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    ("positive", "probability", "said"),
    [
        (np.array([], bool), np.array([]), "need rows of one shape"),
        (np.array([True]), np.array([0.1, 0.2]), "need rows of one shape"),
        (np.array([True]), np.array([np.nan]), "is missing"),
    ],
)
def test_what_gives_no_threshold_is_refused(positive: Any, probability: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        cost_curve(positive, probability, costs())


def test_a_row_is_decided_for_from_the_threshold_on() -> None:
    probabilities = np.array([[0.8, 0.2], [0.7, 0.3], [0.1, 0.9]])
    at = Threshold("yes", 0.3)
    assert decided_classes(probabilities, CLASSES, at).tolist() == ["no", "yes", "yes"]
    assert decided_classes(probabilities, CLASSES, None).tolist() == ["no", "no", "yes"]
    assert {type(each) for each in decided_classes(probabilities, CLASSES, at)} == {str}, "for JSON"
    other = Threshold("no", 0.75)
    assert decided_classes(probabilities, CLASSES, other).tolist() == ["no", "yes", "yes"]


def test_pr_auc_is_of_the_positive_class_alone() -> None:
    truth = np.array(["no"] * 90 + ["yes"] * 10, dtype=object)
    score = np.linspace(0, 1, 100)
    found = positive_metrics(truth, score, truth, costs())
    assert found["positive_pr_auc"].value == pytest.approx(1.0)
    assert found["mean_cost"].value == 0.0
    assert found["mean_cost"].unit == "EUR per row"
    worst = positive_metrics(truth, 1 - score, truth, costs())["positive_pr_auc"].value
    assert worst == pytest.approx(np.mean([k / (90 + k) for k in range(1, 11)]))


@pytest.mark.parametrize(("label", "why"), [("no", "no row"), ("yes", "only rows")])
def test_pr_auc_is_undefined_without_two_kinds_of_rows(label: str, why: str) -> None:
    truth = np.array([label] * 20, dtype=object)
    found = positive_metrics(truth, np.linspace(0, 1, 20), truth, costs())["positive_pr_auc"]
    assert found.value is None
    assert why in (found.reason or "")


class Fixed:
    """A model that says the feature itself is the probability."""

    classes_ = np.array(CLASSES, dtype=object)

    def predict_proba(self, frame: Any) -> NDArray[np.float64]:
        p = frame["x"].to_numpy()
        return np.column_stack([1 - p, p])


def table(rows: int) -> pa.Table:
    positive, probability = calibrated(rows, seed=1)
    labels = np.where(positive, "yes", "no").tolist()
    return pa.table({"id": list(range(rows)), "x": probability, "y": labels})


def test_held_out_rows_judge_the_decisions_of_the_threshold() -> None:
    rows = table(2000)
    half = gather(rows, use_case(), Model(Fixed(), CLASSES), "first", "request")
    at = Model(Fixed(), CLASSES, Threshold("yes", 0.2))
    cheap = gather(rows, use_case(), at, "first", "request")
    spent = [each.metrics["mean_cost"].value or 0.0 for each in (half, cheap)]
    assert spent[1] < spent[0]
    assert half.metrics["roc_auc"] == cheap.metrics["roc_auc"]
    decided = rows["x"].to_numpy() >= 0.2
    right = decided == (rows["y"].to_numpy(zero_copy_only=False) == "yes")
    assert cheap.metrics["accuracy"].value == pytest.approx(right.mean())
    assert cheap.confusion is not None
    assert sum(row[1] for row in cheap.confusion) == decided.sum()


def test_performance_judges_the_decisions_that_were_made() -> None:
    rows = table(500)
    probability = rows["x"].to_numpy()
    made = pa.table(
        {
            "id": rows["id"],
            "prediction": np.where(probability >= 0.2, "yes", "no").tolist(),
            "probability_no": 1 - probability,
            "probability_yes": probability,
        }
    )
    found = measure(rows, made, use_case(), CLASSES).segments[WHOLE]
    truth = np.array(rows["y"].to_pylist())
    right = np.array(made["prediction"].to_pylist()) == truth
    assert found["accuracy"].value == pytest.approx(right.mean())
    assert (found["mean_cost"].value or 0) > 0


def test_a_class_that_the_model_does_not_know_has_no_probability() -> None:
    assert positive_column(np.array([[1.0]]), ["no"], costs()).tolist() == [0.0]


SHADOW = Gate(metric="positive_pr_auc", at_least=0.6, if_broken="hold")
FLOOR = Gate(metric="positive_pr_auc", at_least=0.5)


@pytest.mark.parametrize(
    ("value", "verdict"), [(0.7, "promote"), (0.6, "promote"), (0.55, "hold"), (0.4, "reject")]
)
def test_below_the_shadow_threshold_a_release_is_held_and_below_the_floor_rejected(
    value: float, verdict: str
) -> None:
    metric = Metric(value, value - 0.05, value + 0.05, "score", 100)
    decision = decide(
        judge_gates([SHADOW, FLOOR], {"positive_pr_auc": metric}), None, cause="request"
    )
    assert decision.verdict == verdict
    if verdict == "hold":
        assert decision.reason.startswith(
            "It may only shadow the champion: positive_pr_auc is 0.55"
        )
        assert "breaks at least 0.6" in decision.reason


def test_a_shadow_is_held_even_when_it_is_proven_better() -> None:
    undefined = Metric(None, None, None, "score", 5, "there is no row of class 'yes'")
    better = Comparison("log loss", -0.2, -0.3, -0.1, 100, 0.5)
    gates = judge_gates([SHADOW], {"positive_pr_auc": undefined})
    decision = decide(gates, better, cause="drift", margin=0.1)
    assert decision.verdict == "hold"
    assert "undefined: there is no row" in decision.reason


def test_a_boolean_target_takes_true_as_it_is_written_in_yaml() -> None:
    columns = [c.model_dump() for c in use_case().columns]
    columns[2] |= {"type": "boolean", "values": None}
    made = use_case(columns=columns, costs={"positive": True, **WRONG})
    assert made.costs is not None
    assert made.costs.positive == "true"


WRONG = {"false_positive": 1, "false_negative": 2}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"costs": {"positive": "maybe", **WRONG}}, "costs.positive: unknown name 'maybe'"),
        ({"costs": {"positive": "yes", **WRONG, "false_positive": 0}}, "greater than 0"),
        ({"costs": None, "gates": [SHADOW.model_dump()]}, "positive_pr_auc needs costs"),
        ({"gates": [{"metric": "mean_cost", "at_least": 1}]}, "mean_cost is better when it is low"),
        ({"gates": [{"metric": "accuracy", "at_least": 0.5, "if_broken": "wait"}]}, "if_broken"),
    ],
)
def test_costs_that_mean_nothing_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        use_case(**changes)


@pytest.mark.parametrize("values", [["no", "yes", "maybe"], None])
def test_costs_need_two_declared_classes(values: list[str] | None) -> None:
    columns = [c.model_dump() for c in use_case().columns]
    columns[2]["values"] = values
    with pytest.raises(ValueError, match="costs are of decisions between two"):
        use_case(columns=columns)


def test_costs_are_not_of_a_regression() -> None:
    columns = [c.model_dump() for c in use_case().columns]
    columns[2] |= {"type": "number", "values": None}
    with pytest.raises(ValueError, match="regression has none"):
        use_case(task="regression", columns=columns)
