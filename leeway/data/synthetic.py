"""Made-up rows that keep to the columns of a use case, with a target that can be learned.

Belongs here: a table of the same schema, where no real one can be had. Does not belong here: when
it is used (`resources.stand_ins`). It says nothing of the world: no number in it was observed.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from leeway.data.simulation import Numbers, follow, wear_out
from leeway.data.values import ARROW_TYPES
from leeway.spec import SyntheticRows

if TYPE_CHECKING:
    from leeway.spec import Column, Experiment, UseCase

MISSING = 0.03  # share of values in a column that may lack some
NOISE = 0.2  # standard deviation of what no feature explains; that of the rest is 1
_START = datetime(2024, 1, 1, tzinfo=UTC)
_LEVELS = tuple("abcde")  # of a category whose values are not declared


def synthetic_table(
    use_case: UseCase, batch: str, number: int, rows: int, made: SyntheticRows | None = None
) -> pa.Table:
    """One batch of made-up rows, the same ones each time; every row keeps the declared rules.

    Each feature rests on a standard normal variable, and the target on a weighted sum of these,
    one product of two, and noise. Batches follow the same law, at later times. The rows of an
    experiment are the cells of its design, one after the other, and the variables their codes.
    What `made` declares of the target or of a tool's wear holds instead.

    Args:
        use_case: the columns, by the names that the source has for them.
        batch: its id, which begins a key that is text.
        number: of the batch, from 0.
        rows: how many, at least 1.
        made: the seed, and a truth to follow; its numbers of rows and batches are not looked at.
    """
    made = made or SyntheticRows()
    random = np.random.default_rng([made.seed, number])
    if use_case.experiment is not None:
        latent = _codes(use_case.experiment, rows)
    else:
        latent = {each.name: random.standard_normal(rows) for each in use_case.feature_columns}
    worn: Numbers | None = None
    if made.wear is not None:
        worn, conditions = wear_out(made.wear, latent, random)
        latent |= conditions
    table: dict[str, pa.Array] = {}
    for column in use_case.columns:
        if column.role == "ignored" or column.from_position or column.computed:
            continue
        if column.role == "key":
            values = _keys(column, batch, number, rows)
        elif column.role == "time":
            values = _times(column, number, rows)
        elif made.wear is not None and worn is not None and column.name == made.wear.column:
            values = list(_bounded(column, worn))
        elif column.role == "target" and made.truth is not None:
            values = list(_bounded(column, follow(made.truth, latent, random)))
        elif column.role == "target":
            values = _target(use_case, latent, random)
        elif use_case.experiment is not None and column.name in latent:
            values = _settings(use_case.experiment, column, latent[column.name])
        else:
            normal = latent.get(column.name, random.standard_normal(rows))
            values = _with_gaps(_values(column, normal), column, use_case, random)
        table[column.in_source] = pa.array(values, ARROW_TYPES[column.type])
    return pa.table(table)


def _codes(block: Experiment, rows: int) -> dict[str, Numbers]:
    """-1 or +1 for each factor and run; the cells come in standard order, again and again."""
    from leeway.experiment.cells import cells_of

    cells = np.array(cells_of(block))
    runs = cells[np.arange(rows) % len(cells)]
    return {factor.column: runs[:, place] for place, factor in enumerate(block.factors)}


def _settings(block: Experiment, column: Column, codes: Numbers) -> list[Any]:
    """The levels that codes stand for."""
    factor = next(each for each in block.factors if each.column == column.name)
    return [factor.high if code > 0 else factor.low for code in codes]


def _values(column: Column, normal: Numbers) -> list[Any]:
    """Standard normal numbers as values of the column, in the same order of size."""
    if column.type == "boolean":
        return [bool(each) for each in normal > 0]
    if column.type == "category":
        levels = column.values or _LEVELS
        return [levels[each] for each in _level(normal, len(levels))]
    if column.type == "text":
        return [f"text {each}" for each in _level(normal, 100)]
    if column.type in ("date", "timestamp"):
        days = [_START + timedelta(days=float(each)) for each in np.round(30 * normal)]
        return [day.date() for day in days] if column.type == "date" else list(days)
    return list(_numbers(column, normal))


def _numbers(column: Column, normal: Numbers) -> Numbers:
    """Within a closed range, log-normal above a lower bound, else around 0."""
    low, high = column.range or (None, None)
    if low is not None and high is not None:
        values = low + (high - low) / (1 + np.exp(-normal))
    elif low is not None:
        values = low + 100 * np.exp(normal / 2)
    elif high is not None:
        values = high - 100 * np.exp(-normal / 2)
    else:
        values = 10 * normal
    return _bounded(column, values)


def _bounded(column: Column, values: Numbers) -> Numbers:
    """Values within the range of the column, whole where it holds integers."""
    low, high = column.range or (None, None)
    if column.type == "integer":
        values = np.rint(values)
        low = None if low is None else np.ceil(low)  # rounding must not step over a bound
        high = None if high is None else np.floor(high)
    return np.clip(values, -np.inf if low is None else low, np.inf if high is None else high)


def _level(normal: Numbers, count: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Which of `count` levels a number is in; all are about as frequent."""
    from scipy.special import ndtr

    return np.minimum(np.asarray(ndtr(normal) * count, np.int64), count - 1)


def _keys(column: Column, batch: str, number: int, rows: int) -> list[Any]:
    """Keys that no other batch has; each batch has a billion numbers for itself."""
    if column.type in ("text", "category"):
        return [f"{batch}-{each}" for each in range(1, rows + 1)]
    return [number * 10**9 + each for each in range(1, rows + 1)]


def _times(column: Column, number: int, rows: int) -> list[Any]:
    """Times that ascend within the batch and from batch to batch: 30 days, or one unit, each."""
    at = number + np.arange(rows) / rows
    if column.type in ("number", "integer"):
        low, high = column.range or (None, None)
        shifted = (low or 0.0) + at
        values = np.minimum(shifted, np.inf if high is None else high)
        return list(np.floor(values)) if column.type == "integer" else list(values)
    moments = [_START + timedelta(days=30 * float(each)) for each in at]
    return [each.date() for each in moments] if column.type == "date" else list(moments)


def _with_gaps(
    values: list[Any], column: Column, use_case: UseCase, random: np.random.Generator
) -> list[Any]:
    """Without some of the values, where a row may lack them."""
    lacking = random.random(len(values)) < MISSING
    if column.required or column.name in use_case.required_any:
        return values
    return [None if gone else value for value, gone in zip(values, lacking, strict=True)]


def _target(
    use_case: UseCase, latent: dict[str, Numbers], random: np.random.Generator
) -> list[Any]:
    """The target of each row: one score as a number, or the class with the largest score."""
    column = use_case.target
    seen = list(latent.values())
    if use_case.experiment is None:
        seen = [_seen(use_case.column(name), normal) for name, normal in latent.items()]
    rows = len(seen[0])
    if use_case.task != "classification":
        return list(_numbers(column, _score(seen, 0) + NOISE * random.standard_normal(rows)))
    classes: tuple[Any, ...] = (
        (False, True) if column.type == "boolean" else (column.values or _LEVELS[:2])
    )
    scores = np.stack([_score(seen, shift) for shift in range(len(classes))])
    scores += NOISE * random.standard_normal(scores.shape)
    return [classes[each] for each in np.argmax(scores, axis=0)]


def _seen(column: Column, normal: Numbers) -> Numbers:
    """What a model can see of the normal numbers: of a category, the middle of each level."""
    from scipy.special import ndtri

    if column.type in ("number", "integer"):
        return normal
    count = 2 if column.type == "boolean" else len(column.values or _LEVELS)
    return np.asarray(ndtri((_level(normal, count) + 0.5) / count))


def _score(seen: list[Numbers], shift: int) -> Numbers:
    """A weighted sum and a product, with a standard deviation of about 1; one for each shift."""
    weights = np.roll(0.8 ** np.arange(len(seen)), 2 * shift)
    weights[(1 + shift) % 2 :: 2] *= -1  # neighbouring classes point away from each other
    total = sum(weight * each for weight, each in zip(weights, seen, strict=True))
    return np.asarray((total + 0.3 * seen[0] * seen[-1]) / np.sqrt((weights**2).sum() + 0.09))
