"""How good a model was on a batch that came after it, by its labels and before them.

Belongs here: its metrics, the loss of each row, and whether harm is proven. Does not belong here:
the metrics themselves (`leeway.metrics`), the estimate of harm (`leeway.damage`), or which model
served (`leeway.backtest.walk`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from leeway.backtest.facts import Scored
from leeway.data.frames import target_array
from leeway.metrics.evaluation import row_losses
from leeway.metrics.inputs import with_unseen
from leeway.performance import metrics_of
from leeway.prediction import Model, decided_classes, model_output
from leeway.spec import UseCase


def score(
    model: Model, rows: pa.Table, use_case: UseCase, fitted_on: pa.Array | pa.ChunkedArray
) -> Scored | None:
    """Metrics and losses on labelled rows that the model was not fitted on; None: there is none.

    Args:
        model: fitted.
        rows: of a batch.
        use_case: names key and target.
        fitted_on: keys of the rows that the model was fitted on, which would flatter it.
    """
    rows = rows.filter(pc.is_valid(rows[use_case.target.name]))
    rows = rows.filter(pc.invert(pc.is_in(rows[use_case.key.name], value_set=fitted_on)))
    if not rows.num_rows:
        return None
    rows = rows.sort_by(use_case.key.name)
    truth, output = target_array(rows, use_case), model_output(model.pipeline, rows, use_case)
    predicted: NDArray[Any] = output
    if model.classes is None:
        losses = row_losses("regression", truth, output)
    else:
        predicted = decided_classes(output, model.classes, model.threshold)
        losses = row_losses("classification", truth, *with_unseen(output, model.classes, truth))
    metrics = metrics_of(truth, output, predicted, use_case, model.classes)
    return Scored(metrics, rows[use_case.key.name], np.asarray(losses, dtype=np.float64))


def losses_on(scored: Scored, other: Scored) -> NDArray[np.float64]:
    """The losses of the rows that another model was scored on, too, in the order of their keys."""
    both: NDArray[np.bool_] = np.asarray(pc.is_in(scored.keys, value_set=other.keys))
    found: NDArray[np.float64] = scored.losses[both]
    return found


def harmed(model: Model, rows: pa.Table, use_case: UseCase, held_out: pa.Table) -> tuple[str, ...]:
    """The columns that the estimated damage comes from, where it is confirmed; else none.

    Args:
        model: fitted.
        rows: of a batch; their labels are not looked at.
        use_case: gives features, metric and tolerance.
        held_out: rows with labels that the model was not fitted on.
    """
    from leeway.damage.batch import estimate_damage

    found = estimate_damage(held_out, rows, use_case, model)
    return found.blamed if found.verdict == "confirmed" else ()
