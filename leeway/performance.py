"""How good predictions were, once the truth is known: whole and by segment.

Belongs here: joining predictions with labels and asking for metrics. Does not belong here: the
metrics (`leeway.metrics.evaluation`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from leeway.data.frames import target_array
from leeway.metrics.costs import positive_column
from leeway.metrics.evaluation import Metric, classification_metrics, regression_metrics
from leeway.metrics.inputs import with_unseen
from leeway.metrics.positive import positive_metrics

if TYPE_CHECKING:
    from leeway.spec import Gate, UseCase

WHOLE = "all rows"


@dataclass(frozen=True)
class Performance:
    """Metrics by segment, such as `island=Dream`, and how many rows have a label by now.

    `unknown_labels` counts those of them whose label is no class of the model: these are errors.
    `fitted` counts further rows with a label that the model was fitted on, and that do not judge.
    """

    segments: dict[str, dict[str, Metric]]
    rows: int
    labelled: int
    unknown_labels: int
    fitted: int

    @property
    def maturity(self) -> float | None:
        """The share of rows whose label is in; None where there are no rows."""
        return (self.labelled + self.fitted) / self.rows if self.rows else None

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return {
            "rows": self.rows,
            "maturity": self.maturity,
            "labelled": self.labelled,
            "unknown_labels": self.unknown_labels,
            "fitted": self.fitted,
            "segments": {
                segment: {name: metric.as_dict() for name, metric in metrics.items()}
                for segment, metrics in self.segments.items()
            },
        }


def measure(
    clean: pa.Table,
    predictions: pa.Table,
    use_case: UseCase,
    classes: Sequence[str] | None,
    fitted_on: pa.Array | pa.ChunkedArray | None = None,
) -> Performance:
    """Metrics of the rows that have a label, whole and for each value of each segment column.

    Args:
        clean: rows of a batch, with their target as far as it is known.
        predictions: of the model, for these rows.
        use_case: names the target and the segment columns.
        classes: of the model; None for a regression.
        fitted_on: keys of the rows that the model was fitted on, which would flatter it.
    """
    key, segmented = use_case.key.name, use_case.monitoring.segments
    needed = dict.fromkeys([key, use_case.target.name, *segmented])
    scored = ["prediction", *(f"probability_{name}" for name in classes or ())]
    joined = clean.select(list(needed)).join(
        predictions.select([key, *scored]), key, join_type="inner"
    )
    joined = joined.sort_by(key)  # a join has no order, and intervals are drawn by row
    labelled = joined.filter(pc.is_valid(joined[use_case.target.name]))
    known = labelled.num_rows
    if fitted_on is not None:
        labelled = labelled.filter(pc.invert(pc.is_in(labelled[key], value_set=fitted_on)))
    parts = {WHOLE: labelled} if labelled.num_rows else {}
    for name, members in segments_of(labelled, use_case).items():
        parts[name] = labelled.filter(pa.array(members))
    measured = {name: _metrics(rows, use_case, classes) for name, rows in parts.items()}
    unknown = 0
    if classes is not None:
        unknown = int((~np.isin(target_array(labelled, use_case), list(classes))).sum())
    fitted = known - labelled.num_rows
    return Performance(measured, joined.num_rows, labelled.num_rows, unknown, fitted)


def broken_gates(gates: Sequence[Gate], metrics: Mapping[str, Metric]) -> list[str]:
    """A sentence for each gate that a batch is proven to break: its whole interval is beyond it.

    A batch is small beside the rows that a release is judged on: its value alone would raise an
    alarm for a model that is as good as ever. Without an interval nothing is proven.

    Args:
        gates: of the use case.
        metrics: of all labelled rows of the batch; empty where there is none.
    """
    broken = []
    for gate in gates:
        metric = metrics.get(gate.metric)
        if metric is None or metric.low is None or metric.high is None:
            continue
        if gate.at_least is not None and metric.high < gate.at_least:
            bound = f"at least {gate.at_least:g}"
        elif gate.at_most is not None and metric.low > gate.at_most:
            bound = f"at most {gate.at_most:g}"
        else:
            continue
        broken.append(
            f"{gate.metric} is {metric.value:.4g} ({metric.low:.4g} to {metric.high:.4g}) on "
            f"{metric.rows} rows, and has to be {bound}."
        )
    return broken


def segments_of(rows: pa.Table, use_case: UseCase) -> dict[str, NDArray[np.bool_]]:
    """Which rows each segment holds, shape (rows,), by its name, such as `island=Dream`.

    Segments come in the order of their columns and values. A missing value is in none.
    """
    found = {}
    for column in use_case.monitoring.segments:
        for value in sorted(pc.unique(rows[column]).drop_null().to_pylist(), key=str):
            members = pc.fill_null(pc.equal(rows[column], value), False)
            found[f"{column}={value}"] = np.asarray(members)
    return found


def metrics_of(
    truth: NDArray[Any],
    output: NDArray[np.float64],
    predicted: NDArray[Any],
    use_case: UseCase,
    classes: Sequence[str] | None,
) -> dict[str, Metric]:
    """Every metric of the use case's task, with intervals.

    Args:
        truth: labels or numbers, shape (rows,); a label that is no class counts as an error.
        output: probabilities, shape (rows, classes), or predicted numbers, shape (rows,).
        predicted: classes that were decided for, or the numbers again, shape (rows,).
        use_case: gives the unit of its target, and the costs of decisions.
        classes: of the model; None for a regression.
    """
    if classes is None:
        return regression_metrics(truth, output, unit=use_case.target.unit or "")
    metrics = classification_metrics(
        truth, *with_unseen(output, classes, truth), predicted=predicted
    )
    if use_case.costs is not None:
        positive = positive_column(output, classes, use_case.costs)
        metrics |= positive_metrics(truth, positive, predicted, use_case.costs)
    return metrics


def _metrics(rows: pa.Table, use_case: UseCase, classes: Sequence[str] | None) -> dict[str, Metric]:
    truth = target_array(rows, use_case)
    if classes is None:
        output = predicted = rows["prediction"].to_numpy()
    else:
        output = np.column_stack([rows[f"probability_{name}"].to_numpy() for name in classes])
        predicted = np.array(rows["prediction"].to_pylist(), dtype=object)
    return metrics_of(truth, output, predicted, use_case, classes)
