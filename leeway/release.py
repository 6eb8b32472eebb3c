"""Whether a trained model becomes the champion: gates, then a comparison on the same rows.

Belongs here: the decision and its sentence. Does not belong here: computing metrics
(`leeway.metrics.evaluation`), or moving the champion's pointer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from leeway.metrics.bootstrap import FEWEST_ROWS, bootstrap_weights, percentile_interval
from leeway.metrics.evaluation import Metric
from leeway.spec import Gate

Verdict = Literal["promote", "hold", "reject"]
Cause = Literal["request", "freshness", "drift", "damage", "performance"]
Uncompared = Literal["first", "schema"]

# Something changed that the champion does not know: a challenger that knows it need not be proven
# better on rows that are mostly from before.
_CHANGED: dict[Cause, str] = {
    "drift": "after drift",
    "damage": "after damage",
    "performance": "after a broken gate",
}
# Why a challenger has nothing to be compared with, before what it passes.
_UNCOMPARED: dict[Uncompared, str] = {
    "first": "This is the first release that passes its gates",
    "schema": "The champion cannot be used with the present key, features and target",
}


@dataclass(frozen=True)
class GateResult:
    """One gate, judged; `value` is None when the metric is undefined, which fails the gate."""

    metric: str
    bound: str
    value: float | None
    passed: bool
    reason: str
    if_broken: Literal["reject", "hold"] = "reject"

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Comparison:
    """Mean of `metric` over the same rows, challenger minus champion; negative is better.

    `low` and `high` bound it; they are None when there are too few rows for an interval.
    `champion` is the mean of the champion alone. Without any row all of them are None.
    """

    metric: str
    difference: float | None
    low: float | None
    high: float | None
    rows: int
    champion: float | None

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Decision:
    """What happens to a trained model, with the evidence.

    `awaits_person` marks one that is held for the one reason that a person promotes it.
    """

    verdict: Verdict
    reason: str
    gates: tuple[GateResult, ...]
    comparison: Comparison | None
    awaits_person: bool = False

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)


def judge_gates(gates: Sequence[Gate], metrics: Mapping[str, Metric]) -> list[GateResult]:
    """Judges each gate by the value of its metric; a bound that is met exactly is kept.

    Raises:
        KeyError: when `metrics` lacks the metric of a gate.
    """
    return [_judge(gate, metrics[gate.metric]) for gate in gates]


def _judge(gate: Gate, metric: Metric) -> GateResult:
    value, low, high = metric.value, gate.at_least, gate.at_most
    bound = f"at most {high:g}" if low is None else f"at least {low:g}"
    passed = value is not None and (low is None or value >= low) and (high is None or value <= high)
    if metric.value is None:
        reason = f"{gate.metric} is undefined: {metric.reason}."
    else:
        verb = "keeps" if passed else "breaks"
        reason = f"{gate.metric} is {metric.value:.4g} on {metric.rows} rows, which {verb} {bound}."
    return GateResult(gate.metric, bound, metric.value, passed, reason, gate.if_broken)


def compare_losses(
    challenger: NDArray[np.float64],
    champion: NDArray[np.float64],
    *,
    metric: str = "loss",
    resamples: int = 2000,
    seed: int = 0,
) -> Comparison:
    """Paired comparison of two models by their losses on the same rows.

    The interval is a percentile bootstrap of the mean difference (`leeway.metrics.bootstrap`).

    Args:
        challenger: loss of each row, shape (rows,).
        champion: loss of the same rows in the same order, shape (rows,).
        metric: name of the loss, for the reader.

    Raises:
        ValueError: on different lengths or a loss that is not finite.
    """
    if challenger.shape != champion.shape or challenger.ndim != 1:
        raise ValueError(f"losses of shapes {challenger.shape} and {champion.shape} do not pair")
    difference = np.asarray(challenger, np.float64) - np.asarray(champion, np.float64)
    if not np.isfinite(difference).all():
        raise ValueError("a loss is missing or infinite")
    rows = len(difference)
    if not rows:
        return Comparison(metric, None, None, None, 0, None)
    mean, own = float(difference.mean()), float(np.mean(champion))
    if rows < FEWEST_ROWS:
        return Comparison(metric, mean, None, None, rows, own)
    draws = bootstrap_weights(rows, resamples, seed)
    means = np.array([weights @ difference / rows for weights in draws])
    low, high = percentile_interval(means)
    return Comparison(metric, mean, low, high, rows, own)


def decide(
    gates: Sequence[GateResult],
    comparison: Comparison | None,
    *,
    cause: Cause,
    margin: float | None = None,
    uncompared: Uncompared = "first",
) -> Decision:
    """Decides about a challenger.

    Args:
        gates: the judged gates.
        comparison: None when there is no champion that can be used.
        cause: of the training. After drift, damage or a gate that labels prove broken, a challenger
            that is neither proven better nor proven worse is promoted when its interval stays
            below `margin`.
        margin: increase of the mean loss to accept then, in its unit; None: benefit must be proven.
        uncompared: why there is no comparison.
    """
    failing = [gate for gate in gates if not gate.passed]
    if any(gate.if_broken == "reject" for gate in failing):
        count = f"{len(failing)} of {len(gates)} gates failed: "
        return _decision("reject", count + " ".join(g.reason for g in failing), gates, comparison)
    if failing:
        told = "It may only shadow the champion: " + " ".join(gate.reason for gate in failing)
        return _decision("hold", told, gates, comparison)
    if comparison is None:
        kept = {0: "no gate, because none is declared", 1: "its only gate"}.get(
            len(gates), f"all {len(gates)} gates"
        )
        return _decision("promote", f"{_UNCOMPARED[uncompared]}; it passes {kept}.", gates, None)
    after = _CHANGED.get(cause)
    verdict, reason = _judge_comparison(comparison, margin if after else None, after)
    return _decision(verdict, reason, gates, comparison)


def left_to_a_person(decision: Decision) -> Decision:
    """The decision of a use case whose releases a person promotes: it proposes and holds."""
    if decision.verdict != "promote":
        return decision
    reason = f"{decision.reason} It waits for a person to promote it."
    return replace(decision, verdict="hold", reason=reason, awaits_person=True)


def _judge_comparison(
    comparison: Comparison, margin: float | None, after: str | None
) -> tuple[Verdict, str]:
    """The verdict on a challenger that keeps its gates; `margin` is None unless after a change."""
    low, high = comparison.low, comparison.high
    rows = f"{comparison.rows} held-out rows that neither model was fitted on"
    if comparison.difference is None or low is None or high is None:
        return "hold", f"There are {rows}; a comparison needs {FEWEST_ROWS}."
    seen = (
        f"The mean {comparison.metric} changes by {comparison.difference:+.4g} "
        f"(interval {low:+.4g} to {high:+.4g}) on {rows}"
    )
    if high < 0:
        return "promote", f"{seen}: the challenger is better than the champion."
    if low > 0:
        return "hold", f"{seen}: the challenger is worse than the champion."
    if margin is None:
        return "hold", f"{seen}, which includes zero: there is no proven benefit."
    if high < margin:
        return "promote", (
            f"{seen}: {after}, an increase below {margin:.4g} is accepted, and it is excluded."
        )
    return "hold", (
        f"{seen}: there is no proven benefit, and {after} an increase of {margin:.4g} or more "
        "is not excluded."
    )


def _decision(
    verdict: Verdict, reason: str, gates: Sequence[GateResult], comparison: Comparison | None
) -> Decision:
    return Decision(verdict, reason, tuple(gates), comparison)
