"""What the held-out rows say of a trained model, and of the champion beside it.

Belongs here: metrics and paired losses of models that are in memory. Does not belong here: the
rules of the verdict (`leeway.release`), or reading and storing anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from leeway.data.frames import target_array
from leeway.drift.predicted import profile_predictions
from leeway.drift.profile import Profile
from leeway.metrics.evaluation import Metric, confusion_matrix, row_losses
from leeway.metrics.inputs import with_unseen
from leeway.performance import metrics_of, segments_of
from leeway.prediction import Model, decided_classes, model_output
from leeway.release import (
    Cause,
    Comparison,
    Decision,
    Uncompared,
    compare_losses,
    decide,
    judge_gates,
    left_to_a_person,
)
from leeway.spec import UseCase


@dataclass(frozen=True)
class Champion:
    """The model that serves, and the keys of the rows that it was fitted on."""

    model: Model
    fitted_on: pa.Array | pa.ChunkedArray


@dataclass(frozen=True)
class Evidence:
    """What the held-out rows say of a model, and what follows.

    `segments` has the same metrics of some of the rows, by segment, such as `island=Dream`.
    `predictions` are what the model says of rows that it was not fitted on: drift of predictions is
    held against them.
    """

    metrics: Mapping[str, Metric]
    segments: Mapping[str, Mapping[str, Metric]]
    confusion: list[list[int]] | None
    comparison: Comparison | None
    decision: Decision
    predictions: Profile


def gather(
    rows: pa.Table,
    use_case: UseCase,
    model: Model,
    champion: Champion | Uncompared,
    cause: Cause,
) -> Evidence:
    """Metrics of the model on `rows`, the comparison with the champion, and the decision.

    Args:
        rows: the test part, which the model was not fitted on.
        champion: or why there is nothing to compare with.
        cause: of the training.
    """
    truth = target_array(rows, use_case)
    output = model_output(model.pipeline, rows, use_case)
    predicted: NDArray[Any] = output
    confusion = None
    if model.classes is not None:
        predicted = decided_classes(output, model.classes, model.threshold)
        confusion = confusion_matrix(truth, predicted, model.classes)
    metrics = metrics_of(truth, output, predicted, use_case, model.classes)
    segments = {
        name: metrics_of(truth[held], output[held], predicted[held], use_case, model.classes)
        for name, held in segments_of(rows, use_case).items()
    }
    comparison = margin = None
    if isinstance(champion, Champion):
        comparison = compare(rows, use_case, model, output, champion)
        margin = _margin(use_case, comparison)
    decision = decide(
        judge_gates(use_case.gates, metrics),
        comparison,
        cause=cause,
        margin=margin,
        uncompared="first" if isinstance(champion, Champion) else champion,
    )
    if use_case.promotion == "manual":
        decision = left_to_a_person(decision)
    profile = profile_predictions(output, predicted, model.classes)
    return Evidence(metrics, segments, confusion, comparison, decision, profile)


def compare(
    rows: pa.Table, use_case: UseCase, model: Model, output: NDArray[np.float64], champion: Champion
) -> Comparison:
    """Losses of both models on the rows that neither was fitted on.

    A hash of the key holds the same rows out of every training, but a split by time or another
    seed does not: what the champion was fitted on would flatter it.

    Args:
        output: of `model` on `rows`.
    """
    fitted_on = pc.is_in(rows[use_case.key.name], value_set=champion.fitted_on)
    unseen = np.asarray(pc.invert(fitted_on))
    kept = rows.filter(pa.array(unseen))
    other = model_output(champion.model.pipeline, kept, use_case)
    truth = target_array(kept, use_case)
    return compare_losses(
        _losses(truth, output[unseen], model.classes),
        _losses(truth, other, champion.model.classes),
        metric="absolute error" if model.classes is None else "log loss",
    )


def _losses(
    truth: NDArray[Any], output: NDArray[np.float64], classes: Sequence[str] | None
) -> NDArray[np.float64]:
    """Loss of each row; a class that the model does not know is as wrong as can be."""
    if not len(truth):
        return np.empty(0)
    if classes is None:
        return row_losses("regression", truth, output)
    return row_losses("classification", truth, *with_unseen(output, classes, truth))


def _margin(use_case: UseCase, comparison: Comparison) -> float | None:
    """The accepted increase of the mean loss, in its unit."""
    share = use_case.retraining.non_inferiority
    if use_case.task == "classification":
        return share
    return None if comparison.champion is None else share * comparison.champion
