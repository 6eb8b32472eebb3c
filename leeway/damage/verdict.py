"""Whether the shift of a batch harms a model, before the labels of the batch are known.

Belongs here: the verdict and its words. Does not belong here: the estimate
(`leeway.damage.batch`), or the distance of the batch (`leeway.drift`).

Harm is confirmed when the whole interval of the change is worse than the tolerance, and suspect
when the estimate is and the interval excludes no change. What is estimated is the metric of the
rows that the batch is drawn from, if labels still depend on the features as they did: covariate
shift. A changed relation of features and labels cannot be seen without labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from leeway.damage.attribution import ColumnDamage
from leeway.damage.estimate import Estimated
from leeway.metrics.auc import Estimate
from leeway.spec import LOWER_IS_BETTER, METRIC_RANGES

if TYPE_CHECKING:
    from leeway.drift.column import DriftVerdict

MOST_BLAMED = 3
ASSUMED = "If labels depend on features as before, which only labels can tell, "


@dataclass(frozen=True)
class BatchDamage:
    """What a batch does to a metric, in its unit; None where it is undefined.

    `reference` is the metric on held-out rows, `estimated` the one that is to be expected of rows
    such as those of the batch, and `change` the second less the first. `tolerance` is the largest
    worsening that is no harm, in the same unit. `effective_rows` is what the held-out rows are
    worth for such a batch, and `alone` the share of its rows that are like none of them. `columns`
    share out the change of the expected `loss`, in its own unit.
    """

    verdict: DriftVerdict
    reason: str
    metric: str
    unit: str
    rows_reference: int
    rows_current: int
    reference: float | None = None
    estimated: Estimate | None = None
    change: Estimate | None = None
    tolerance: float | None = None
    effective_rows: float | None = None
    alone: float | None = None
    loss: str | None = None
    columns: tuple[ColumnDamage, ...] = ()

    @property
    def blamed(self) -> tuple[str, ...]:
        """Names of the columns that most of the change comes from, at most three."""
        return tuple(column.name for column in self.columns[:MOST_BLAMED])

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return {
            "verdict": self.verdict,
            "reason": self.reason,
            "metric": self.metric,
            "unit": self.unit,
            "rows": {"reference": self.rows_reference, "current": self.rows_current},
            "reference": self.reference,
            "estimated": _as_dict(self.estimated),
            "change": _as_dict(self.change),
            "tolerance": self.tolerance,
            "effective_rows": self.effective_rows,
            "alone": self.alone,
            "loss": self.loss,
            "columns": [column.as_dict() for column in self.columns],
        }


def tolerance_of(metric: str, reference: float, share: float) -> float:
    """The largest worsening that is no harm, in the unit of the metric.

    Args:
        metric: a name of `spec.METRIC_RANGES`.
        reference: the metric on held-out rows.
        share: `tolerance` of the use case.
    """
    return share if bounds_of(metric)[1] == 1 else share * abs(reference)


def bounds_of(metric: str) -> tuple[float | None, float | None]:
    """The smallest and the largest value of a metric; None: there is none."""
    return next(ranges[metric] for ranges in METRIC_RANGES.values() if metric in ranges)


def judge(metric: str, found: Estimated, tolerance: float, unit: str) -> tuple[DriftVerdict, str]:
    """The verdict on a change, and why."""
    change = found.change
    if metric in LOWER_IS_BETTER:
        worse = change
    else:
        worse = Estimate(-change.value, -change.high, -change.low)
    if worse.low > tolerance:
        verdict: DriftVerdict = "confirmed"
        told = f"all of it worse than the {tolerance:.4g} that are tolerated."
    elif worse.value > tolerance and worse.low > 0:
        verdict, told = "suspect", f"worse, but not all of it than the tolerated {tolerance:.4g}."
    else:
        verdict, told = "none", f"which does not prove a harm of {tolerance:.4g}."
    current = found.current
    return verdict, (
        f"{ASSUMED}{metric} is {current.value:.4g} ({current.low:.4g} to {current.high:.4g}) "
        f"{unit} for rows like these after {found.reference:.4g} on held-out rows: a change of "
        f"{change.value:+.4g} ({change.low:+.4g} to {change.high:+.4g}), {told}"
    )


def _as_dict(estimate: Estimate | None) -> dict[str, float] | None:
    if estimate is None:
        return None
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high}
