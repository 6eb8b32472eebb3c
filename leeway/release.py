"""Whether a trained model becomes the champion: gates, then a comparison on the same rows.

Belongs here: the decision and its sentence. Does not belong here: computing metrics
(`leeway.metrics.evaluation`), or moving the champion's pointer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from leeway.metrics.bootstrap import bootstrap_weights, percentile_interval
from leeway.metrics.evaluation import Metric
from leeway.spec import Gate

Verdict = Literal["promote", "hold", "reject"]
TrainingReason = Literal["request", "freshness", "drift", "schema"]

# A percentile bootstrap of fewer differences is much too narrow to act on.
FEWEST_COMPARED_ROWS = 10


@dataclass(frozen=True)
class GateResult:
    """One gate, judged; `value` is None when the metric is undefined, which fails the gate."""

    metric: str
    bound: str
    value: float | None
    passed: bool
    reason: str

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Comparison:
    """Mean of `metric` over the same rows, challenger minus champion; negative is better.

    `low` and `high` bound it; they are None when there are too few rows for an interval.
    """

    metric: str
    difference: float
    low: float | None
    high: float | None
    rows: int

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Decision:
    """What happens to a trained model, with the evidence."""

    verdict: Verdict
    reason: str
    gates: tuple[GateResult, ...]
    comparison: Comparison | None

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
    if gate.at_least is not None:
        bound = f"at least {gate.at_least:g}"
        passed = metric.value is not None and metric.value >= gate.at_least
    else:
        bound = f"at most {gate.at_most:g}"
        passed = metric.value is not None and metric.value <= gate.at_most  # type: ignore[operator]  # a gate has one bound
    if metric.value is None:
        reason = f"{gate.metric} is undefined: {metric.reason}."
    else:
        verb = "keeps" if passed else "breaks"
        reason = f"{gate.metric} is {metric.value:.4g} on {metric.rows} rows, which {verb} {bound}."
    return GateResult(gate.metric, bound, metric.value, passed, reason)


def compare_losses(
    challenger: NDArray[np.float64],
    champion: NDArray[np.float64],
    *,
    metric: str = "loss",
    confidence: float = 0.95,
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
        ValueError: on no rows, different lengths or a loss that is not finite.
    """
    if challenger.shape != champion.shape or challenger.ndim != 1 or not challenger.size:
        raise ValueError(f"losses of shapes {challenger.shape} and {champion.shape} do not pair")
    difference = np.asarray(challenger, np.float64) - np.asarray(champion, np.float64)
    if not np.isfinite(difference).all():
        raise ValueError("a loss is missing or infinite")
    rows = len(difference)
    mean = float(difference.mean())
    if rows < FEWEST_COMPARED_ROWS:
        return Comparison(metric, mean, None, None, rows)
    draws = bootstrap_weights(rows, resamples, seed)
    means = np.array([weights @ difference / rows for weights in draws])
    low, high = percentile_interval(means, confidence)
    return Comparison(metric, mean, low, high, rows)


def decide(
    gates: Sequence[GateResult],
    comparison: Comparison | None,
    *,
    reason_for_training: TrainingReason,
    non_inferiority: float | None = None,
) -> Decision:
    """Decides about a challenger.

    Args:
        gates: the judged gates.
        comparison: None when there is no champion that can be used.
        reason_for_training: after drift or a schema change, a challenger that is not proven better
            is promoted when the interval stays below `non_inferiority`.
        non_inferiority: largest mean loss increase to accept then; None: benefit must be proven.
    """
    failing = [gate for gate in gates if not gate.passed]
    if failing:
        count = f"{len(failing)} of {len(gates)} gates failed: "
        return _decision("reject", count + " ".join(g.reason for g in failing), gates, comparison)
    kept = f"all {len(gates)} gates" if gates else "no gate, because none is declared"
    if comparison is None and reason_for_training == "schema":
        reason = f"The champion cannot be used with the new schema; the challenger passes {kept}."
        return _decision("promote", reason, gates, None)
    if comparison is None:
        reason = f"This is the first release that passes its gates: it passes {kept}."
        return _decision("promote", reason, gates, None)
    margin = non_inferiority if reason_for_training in ("drift", "schema") else None
    verdict, reason = _judge_comparison(comparison, margin, reason_for_training)
    return _decision(verdict, reason, gates, comparison)


def _judge_comparison(
    comparison: Comparison, margin: float | None, cause: TrainingReason
) -> tuple[Verdict, str]:
    low, high = comparison.low, comparison.high
    mean = (
        f"The mean {comparison.metric} changes by {comparison.difference:+.4g} "
        f"on the same {comparison.rows} rows"
    )
    if low is None or high is None:
        return (
            "hold",
            f"{mean}; a comparison needs {FEWEST_COMPARED_ROWS} rows.",
        )
    seen = f"{mean} (interval {low:+.4g} to {high:+.4g})"
    if high < 0:
        return "promote", f"{seen}: the challenger is better than the champion."
    if low > 0:
        return "hold", f"{seen}: the challenger is worse than the champion."
    if margin is None:
        return "hold", f"{seen}, which includes zero: there is no proven benefit."
    if high < margin:
        return "promote", (
            f"{seen}: after {cause}, an increase below {margin:g} is accepted, and it is excluded."
        )
    return "hold", (
        f"{seen}: there is no proven benefit, and after {cause} an increase of {margin:g} or more "
        "is not excluded."
    )


def _decision(
    verdict: Verdict, reason: str, gates: Sequence[GateResult], comparison: Comparison | None
) -> Decision:
    return Decision(verdict, reason, tuple(gates), comparison)
