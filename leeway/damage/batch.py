"""The damage of one batch to one model: from two tables of rows to the verdict.

Belongs here: which rows and models take part. Does not belong here: any formula, or reading and
storing anything (`assets.damage`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from leeway.damage.attribution import Loss, Positions, attribute
from leeway.damage.estimate import Statistic, estimated, of_classes, of_losses
from leeway.damage.expected import expected_classes, expected_losses
from leeway.damage.losses import MEAN_METRICS
from leeway.damage.overlap import overlap
from leeway.damage.verdict import BatchDamage, bounds_of, judge, tolerance_of
from leeway.data.frames import target_array
from leeway.drift.rows import CodedRows, code_rows, draw, seed_of
from leeway.metrics.inputs import encode
from leeway.prediction import Model, decided_classes, model_output
from leeway.spec import UseCase, unit_of

Floats = NDArray[np.float64]

MOST_ROWS = 5000  # of each table, drawn with a seed from the content
FEWEST_ROWS = 50
# What columns are blamed for, by metric.
_ERROR, _LOG_LOSS, _BRIER = "error rate", "log loss", "Brier score"
_CLASS_LOSSES = {
    "accuracy": _ERROR,
    "balanced_accuracy": _ERROR,
    "macro_f1": _ERROR,
    "log_loss_nats": _LOG_LOSS,
    "roc_auc": _LOG_LOSS,
    "brier_score": _BRIER,
}


# A statistic, the name of the loss that columns are blamed for, and that loss.
_Parts = tuple[Statistic, str, Loss]


@dataclass(frozen=True)
class _Side:
    """Rows of both tables, the reference first, in every form that is asked for."""

    reference: pa.Table
    current: pa.Table
    use_case: UseCase
    model: Model

    @cached_property
    def coded(self) -> CodedRows:
        return code_rows(self.reference, self.current, self.use_case.feature_columns)

    @cached_property
    def features(self) -> pa.Table:
        names = [column.name for column in self.use_case.feature_columns]
        return pa.concat_tables([self.reference.select(names), self.current.select(names)])

    @cached_property
    def output(self) -> Floats:
        return model_output(self.model.pipeline, self.features, self.use_case)

    @property
    def rows(self) -> tuple[int, int]:
        return self.reference.num_rows, self.current.num_rows

    def mixed(self, taken: Positions) -> tuple[Floats, Floats]:
        """Coded features and output of rows whose values are taken from these rows."""
        names = self.features.column_names
        columns = [self.features[n].take(pa.array(taken[:, i])) for i, n in enumerate(names)]
        table = pa.table(columns, names=names)
        coded = np.take_along_axis(self.coded.both, taken, axis=0)
        return coded, model_output(self.model.pipeline, table, self.use_case)


def estimate_damage(
    reference: pa.Table, current: pa.Table, use_case: UseCase, model: Model
) -> BatchDamage:
    """Estimates the metric that candidates are compared by on rows without labels.

    Args:
        reference: rows with labels that the model was not fitted on.
        current: rows of a batch; those that are in the reference, too, are left out.
        use_case: gives features, metric and tolerance.
        model: that serves.

    Raises:
        KeyError: when a table lacks a column.
        ValueError: when a label of the reference is no class of the model.
    """
    key, target = use_case.key.name, use_case.target.name
    names = [column.name for column in use_case.feature_columns]
    others = current.filter(pc.invert(pc.is_in(current[key], value_set=reference[key])))
    side = _Side(
        draw(reference, [target, *names], MOST_ROWS),
        draw(others, names, MOST_ROWS),
        use_case,
        model,
    )
    metric = use_case.metric
    found = BatchDamage(
        verdict="undefined",
        reason="",
        metric=metric,
        unit=unit_of(metric, use_case.target.unit),
        rows_reference=side.rows[0],
        rows_current=side.rows[1],
    )
    if metric not in MEAN_METRICS and metric not in _CLASS_LOSSES:
        return replace(found, reason=f"{metric} cannot be estimated without labels.")
    if min(side.rows) < FEWEST_ROWS:
        return replace(
            found, reason=f"There are {min(side.rows)} rows on one side; {FEWEST_ROWS} are needed."
        )
    return _estimate(found, side)


def _estimate(found: BatchDamage, side: _Side) -> BatchDamage:
    worth = overlap(side.coded)
    found = replace(found, effective_rows=worth.effective_rows, alone=worth.alone)
    if worth.lost is not None:
        return replace(found, reason=worth.lost)
    metric = found.metric
    parts = _of_regression if side.model.classes is None else _of_classification
    made = parts(side, metric, worth.weights)
    seed = seed_of(side.coded.both)
    estimate = None if made is None else estimated(made[0], side.rows, bounds_of(metric), seed)
    if made is None or estimate is None:
        return replace(found, reason=f"{metric} is undefined on the held-out rows.")
    _, loss_name, loss = made
    tolerance = tolerance_of(metric, estimate.reference, side.use_case.damage.tolerance)
    verdict, reason = judge(metric, estimate, tolerance, found.unit)
    return replace(
        found,
        verdict=verdict,
        reason=reason,
        reference=estimate.reference,
        estimated=estimate.current,
        change=estimate.change,
        tolerance=tolerance,
        loss=loss_name,
        columns=attribute(loss, side.coded.names, side.rows, seed),
    )


def _of_regression(side: _Side, metric: str, weights: Floats) -> _Parts | None:
    parts, rows = MEAN_METRICS[metric], side.rows[0]
    losses = parts.losses(target_array(side.reference, side.use_case), side.output[:rows])
    if not np.isfinite(losses).all():  # a percentage error of 0
        return None
    categories = np.append(side.coded.categories, False)

    def inputs(coded: Floats, output: Floats) -> Floats:
        return np.column_stack([coded, output])

    every = inputs(side.coded.both, side.output)
    expected = expected_losses(every[:rows], losses, categories)
    statistic = of_losses(parts, losses, expected, expected.of(every[rows:]), weights)
    return statistic, parts.loss, lambda taken: expected.of(inputs(*side.mixed(taken)))[:, 0]


def _of_classification(side: _Side, metric: str, weights: Floats) -> _Parts:
    classes, rows = list(side.model.classes or ()), side.rows[0]
    codes = encode(target_array(side.reference, side.use_case), classes)
    expected = expected_classes(side.output[:rows], codes)

    def decided(output: Floats) -> NDArray[np.intp]:
        return encode(decided_classes(output, classes, side.model.threshold), classes)

    predicted = decided(side.output)
    statistic = of_classes(
        metric,
        codes,
        (predicted[:rows], predicted[rows:]),
        (side.output[:rows], side.output[rows:]),
        expected,
        expected.of(side.output[rows:]),
        weights,
    )
    name = _CLASS_LOSSES[metric]

    def loss(taken: Positions) -> Floats:
        _, output = side.mixed(taken)
        return _class_loss(name, expected.of(output), output, decided(output))

    return statistic, name, loss


def _class_loss(name: str, expected: Floats, output: Floats, decided: NDArray[np.intp]) -> Floats:
    """Expected loss of each row, shape (rows,)."""
    if name == _ERROR:
        return np.asarray(1 - expected[np.arange(len(expected)), decided])
    if name == _LOG_LOSS:
        least = np.finfo(np.float64).eps
        return np.asarray(-(expected * np.log(np.maximum(output, least))).sum(axis=1))
    squares = (output**2).sum(axis=1, keepdims=True) - 2 * output + 1
    return np.asarray((expected * squares).sum(axis=1))
