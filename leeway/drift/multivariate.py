"""Whether the rows of a batch differ from the reference as a whole, column by column or not.

Belongs here: the verdict on two tables of rows. Does not belong here: the classifier
(`leeway.drift.classifier`), the components (`leeway.drift.reconstruction`), or columns one at a
time (`leeway.drift.verdict`).

Two effects, each with an interval that is wrong with half of the probability that the confidence
leaves (Bonferroni). They are held against the smallest effect of the use case, a distance of 0 to
1: where the total variation of two distributions is D, some classifier has an area under the ROC
curve of at least 1/2 + D/2, because its curve passes through a point D above the diagonal; and two
normal distributions with the KS distance D are 2 q standard deviations apart, where q is the normal
quantile of 1/2 + D/2. An effect is confirmed when its whole interval is beyond that, and suspect
when the estimate is and the interval excludes no effect at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import pyarrow as pa

from leeway.drift.classifier import names_of, tell_origin
from leeway.drift.reconstruction import Reconstruction, reconstruct
from leeway.drift.rows import CodedRows, code_rows, draw
from leeway.metrics.auc import Estimate
from leeway.spec import Column

if TYPE_CHECKING:
    from leeway.drift.column import DriftVerdict

# Of each table; and of values, so that 500 columns cost no more than 200 do.
MOST_ROWS, MOST_VALUES = 5000, 1_000_000
# Five folds of ten rows a side: below that an interval of an area is a guess.
FEWEST_ROWS = 50
_SEVEREST_FIRST: tuple[DriftVerdict, ...] = ("confirmed", "suspect", "none", "undefined")


@dataclass(frozen=True)
class MultivariateDrift:
    """The verdict on the rows of a batch, and the two effects that it rests on.

    `auc` is of a classifier that tells current rows from reference rows, and `leaned_on` the area
    that is lost without each column, the largest first; both are None, and empty, where they are
    undefined. `leaned_on` is empty as well where nothing is proven to be told: there is no ground
    to lean on. `columns` are those whose loss is proven.
    """

    verdict: DriftVerdict
    reason: str
    rows_reference: int
    rows_current: int
    auc: Estimate | None
    auc_threshold: float
    leaned_on: dict[str, Estimate]
    columns: tuple[str, ...]
    reconstruction: Reconstruction | None
    reconstruction_threshold: float

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        found = self.reconstruction
        return {
            "verdict": self.verdict,
            "reason": self.reason,
            "rows": {"reference": self.rows_reference, "current": self.rows_current},
            "auc": None if self.auc is None else _as_dict(self.auc),
            "auc_threshold": self.auc_threshold,
            "leaned_on": {name: _as_dict(each) for name, each in self.leaned_on.items()},
            "columns": list(self.columns),
            "reconstruction": found
            and {
                "components": found.components,
                "columns": found.columns,
                "reference": found.reference,
                "current": found.current,
                "ratio": found.ratio,
                "change": _as_dict(found.change),
            },
            "reconstruction_threshold": self.reconstruction_threshold,
        }


def multivariate_drift(
    reference: pa.Table,
    current: pa.Table,
    columns: Sequence[Column],
    *,
    effect: float,
    confidence: float,
) -> MultivariateDrift:
    """Compares the joint distribution of some columns in two tables.

    Of each table at most `MOST_ROWS` rows are read, drawn with a seed from the content. A row that
    is in both tables is held against itself and lowers the area; copies of a row in one table alone
    are one piece of evidence.

    Args:
        reference: rows that are known to be good, such as those of a training part.
        current: rows of a batch.
        columns: the features to compare; those of type category are levels, all others numbers.
        effect: the smallest distance worth acting on, 0 to 1.
        confidence: that no interval misses a true effect.

    Raises:
        KeyError: when a table lacks a column.
        pyarrow.ArrowInvalid: when a number column holds text that is no number.
    """
    most = min(MOST_ROWS, MOST_VALUES // max(len(columns), 1))
    names = [column.name for column in columns]
    ours, theirs = draw(reference, names, most), draw(current, names, most)
    counts = (ours.num_rows, theirs.num_rows)
    thresholds = ((1 + effect) / 2, 2 * NormalDist().inv_cdf((1 + effect) / 2))
    rows = code_rows(ours, theirs, columns)
    undefined = _undefined(rows)
    if undefined is not None:
        return _found("undefined", undefined, counts, thresholds)
    alpha = (1 - confidence) / 2
    varying = rows.only(rows.varying)
    origin = tell_origin(varying)
    auc, error = origin.auc(alpha), reconstruct(varying, origin.units, alpha)
    leaned_on = origin.leaned_on(alpha / len(varying.names)) if auc.low > 0.5 else {}
    verdict, reason = _judge(auc, tuple(names_of(leaned_on)), error, thresholds)
    return _found(verdict, reason, counts, thresholds, auc, leaned_on, error)


def _undefined(rows: CodedRows) -> str | None:
    """Why there is nothing to compare; None where there is."""
    fewest = min(len(rows.reference), len(rows.current))
    if fewest < FEWEST_ROWS:
        return f"There are {fewest} rows on one side; {FEWEST_ROWS} are needed."
    if not rows.names:
        return "No column is compared."
    return None if rows.varying.any() else "No column varies, so that all rows are the same."


def _judge(
    auc: Estimate,
    columns: tuple[str, ...],
    error: Reconstruction | None,
    thresholds: tuple[float, float],
) -> tuple[DriftVerdict, str]:
    told = _verdict(auc, thresholds[0], 0.5)
    by = f", by {', '.join(columns)}" if columns else ""
    reason = (
        f"A classifier tells current rows from reference rows with an AUC of {auc.value:.3f} "
        f"({auc.low:.3f} to {auc.high:.3f}; {thresholds[0]:.3f} is the limit){by}."
    )
    if error is None:
        return told, f"{reason} Fewer than two columns vary in the reference: no components."
    change = _away(error.change)
    reason += (
        f" {error.components} components of {error.columns} columns leave an error of "
        f"{error.current:.3f} where the reference has {error.reference:.3f}: a change of "
        f"{error.change.value:+.3f} standard deviations "
        f"({error.change.low:+.3f} to {error.change.high:+.3f}; {thresholds[1]:.3f} is the limit)."
    )
    apart = _verdict(change, thresholds[1], 0.0)
    return min(told, apart, key=_SEVEREST_FIRST.index), reason


def _verdict(found: Estimate, threshold: float, nothing: float) -> DriftVerdict:
    if found.low > threshold:
        return "confirmed"
    return "suspect" if found.value > threshold and found.low > nothing else "none"


def _away(change: Estimate) -> Estimate:
    """The size of a change: an error that shrinks is a change, too."""
    if change.value >= 0:
        return change
    return Estimate(-change.value, -change.high, -change.low)


def _found(
    verdict: DriftVerdict,
    reason: str,
    counts: tuple[int, int],
    thresholds: tuple[float, float],
    auc: Estimate | None = None,
    leaned_on: dict[str, Estimate] | None = None,
    error: Reconstruction | None = None,
) -> MultivariateDrift:
    leaned_on = leaned_on or {}
    return MultivariateDrift(
        verdict=verdict,
        reason=reason,
        rows_reference=counts[0],
        rows_current=counts[1],
        auc=auc,
        auc_threshold=thresholds[0],
        leaned_on=leaned_on,
        columns=tuple(names_of(leaned_on)),
        reconstruction=error,
        reconstruction_threshold=thresholds[1],
    )


def _as_dict(estimate: Estimate) -> dict[str, float]:
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high}
