"""Estimated against true damage: shifts of known strength, on rows whose labels are known.

Belongs here: making the shifts, the truth, and the summary. Does not belong here: the estimate
(`leeway.damage`).

    LEEWAY_DATA_DIR=... .venv/bin/python -W ignore -m benchmarks.damage --repetitions 20

Of each table a model is fitted on a part of the rows. In each repetition 1000 other rows are the
held-out reference, and a batch of 1000 is drawn, with replacement, from all the rest: a row is the
more likely the higher the rank of one of its columns, which is drawn by lot, too. At strength s the
logarithm of its chance is s times the normal score of the rank, upwards or downwards, so that a
normal column moves by s standard deviations. The truth is the metric of all the rest with these
chances as weights, less that with equal ones: neither the noise of the batch nor that of the
reference is in it. Harm is a change beyond the tolerance that is the default. Beside the estimate
of Leeway stand its two halves: weights alone, and expectations alone.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmarks.quality.tables import Rows, load
from benchmarks.timing import say

if TYPE_CHECKING:
    from leeway.damage.expected import Expected
    from leeway.metrics.auc import Estimate
    from leeway.prediction import Model
    from leeway.spec import UseCase

Floats = NDArray[np.float64]

# By table: the candidate that is fitted, and the metric.
CASES = {
    "california_housing": ("gradient_boosting", "mae"),
    "realtor_usa": ("gradient_boosting", "rmse"),
    "electricity_elec2": ("gradient_boosting", "macro_f1"),
    "noaa_weather": ("random_forest", "roc_auc"),
    "telecom_churn": ("logistic_regression", "roc_auc"),
    "telco_churn_ibm": ("logistic_regression", "macro_f1"),
    "ai4i2020": ("gradient_boosting", "log_loss_nats"),
}
STRENGTHS = (0.0, 0.5, 1.0, 1.5, 2.0)
MOST_TRAINED, REFERENCE, BATCH, MOST = 4000, 1000, 1000, 20_000
OURS, WEIGHTS, EXPECTED = HALVES = ("both", "weights alone", "expectations alone")
ALL = "all"


@dataclass(frozen=True)
class Measured:
    """One repetition: the true change in the unit of the metric, and what was found of it.

    `found` is empty where it was refused. `level` says whether the interval of the metric itself
    holds the true one; `seconds` are of CPU.
    """

    table: str
    strength: float
    verdict: str
    true: float
    harm: bool
    found: dict[str, Estimate]
    level: bool
    seconds: float


def main() -> int:
    """Measures and prints."""
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(prog="python -m benchmarks.damage")
    parser.add_argument("tables", nargs="*", choices=[[], *CASES], help="default: all")
    parser.add_argument("--repetitions", type=int, default=20, help="of each strength")
    options = parser.parse_args()
    folder = os.environ.get("LEEWAY_DATA_DIR")
    if not folder:
        raise SystemExit("LEEWAY_DATA_DIR names no folder: the tables are not part of the project")
    found = []
    for name in options.tables or list(CASES):
        every = list(measure(name, Path(folder), options.repetitions))
        found += every
        say(table_of(every))
        say(f"{name}: {np.median([each.seconds for each in every]):.2f} s of CPU an estimate")
    say(table_of(found))
    return 0


def measure(name: str, folder: Path, repetitions: int) -> Iterator[Measured]:
    """Every strength, so many times, on one table and one model."""
    rows = load(name, folder, MOST)
    algorithm, metric = CASES[name]
    use_case = _plain(rows.use_case, metric)
    rng = np.random.default_rng(42)
    order = rng.permutation(len(rows.target))
    trained = order[: min(MOST_TRAINED, len(order) // 3)]
    rest = order[len(trained) :]
    model = _fitted(rows, trained, use_case, algorithm)
    table = _table(rows, use_case)
    for strength in STRENGTHS:
        for _ in range(repetitions):
            drawn = rng.permutation(rest)
            reference, pool = drawn[:REFERENCE], drawn[REFERENCE:]
            chances = _chances(rows, pool, strength, rng)
            batch = rng.choice(pool, BATCH, p=chances)
            shifted = _metric(table, pool, model, use_case, chances * len(pool))
            plain = _metric(table, pool, model, use_case, np.ones(len(pool)))
            tables = table.take(pa.array(reference)), table.take(pa.array(batch))
            yield _measured(name, strength, tables, use_case, model, (plain, shifted))


def _measured(
    name: str,
    strength: float,
    tables: tuple[pa.Table, pa.Table],
    use_case: UseCase,
    model: Model,
    truth: tuple[float, float],
) -> Measured:
    from leeway.damage.batch import estimate_damage
    from leeway.damage.verdict import tolerance_of

    started = time.process_time()
    ours = estimate_damage(*tables, use_case, model)
    seconds = time.process_time() - started
    change, found = truth[1] - truth[0], {}
    harm = _worse(use_case.metric) * change > tolerance_of(
        use_case.metric, truth[0], use_case.damage.tolerance
    )
    if ours.change is not None:
        found = {OURS: ours.change}
        for half in (WEIGHTS, EXPECTED):
            with _only(half):
                made = estimate_damage(*tables, use_case, model).change
            if made is not None:
                found[half] = made
    level = ours.estimated is not None and ours.estimated.low <= truth[1] <= ours.estimated.high
    return Measured(name, strength, ours.verdict, change, harm, found, level, seconds)


@contextmanager
def _only(half: str) -> Iterator[None]:
    """Leaves out the expectations, or what they missed on the reference."""
    from leeway.damage import batch
    from leeway.damage.expected import Expected, expected_classes, expected_losses

    def changed(made: Expected, truth: Floats) -> Expected:
        if half == EXPECTED:
            return Expected(truth, made.of)
        return Expected(np.zeros_like(truth), lambda rows: np.zeros((len(rows), truth.shape[1])))

    def losses(inputs: Floats, truth: Floats, categories: NDArray[np.bool_]) -> Expected:
        return changed(expected_losses(inputs, truth, categories), truth)

    def classes(probabilities: Floats, codes: NDArray[np.intp]) -> Expected:
        made = expected_classes(probabilities, codes)
        return changed(made, np.eye(probabilities.shape[1])[codes])

    # In place of parameters that production would carry for this measurement alone.
    with (
        mock.patch.object(batch, "expected_losses", losses),
        mock.patch.object(batch, "expected_classes", classes),
        mock.patch.object(batch, "attribute", return_value=()),
    ):
        yield


def _plain(use_case: UseCase, metric: str) -> UseCase:
    """Without what has to be settled before a model can be fitted, and without costs."""
    from leeway.spec.training import Imputation

    search = use_case.search.model_copy(update={"metric": metric})
    changes = {"features": (), "imputation": Imputation(), "costs": None, "search": search}
    return use_case.model_copy(update=changes)


def _fitted(rows: Rows, trained: NDArray[np.intp], use_case: UseCase, algorithm: str) -> Model:
    from leeway.prediction import Model
    from leeway.training.folds import make_pipeline, one_thread

    pipeline = make_pipeline(use_case, algorithm, {}, len(trained))
    with one_thread():
        pipeline.fit(rows.frame.iloc[trained], rows.target[trained])
    classes = pipeline.classes_.tolist() if use_case.task == "classification" else None
    return Model(pipeline, classes)


def _table(rows: Rows, use_case: UseCase) -> pa.Table:
    """Features, target and a key, as the graph has them."""
    data: dict[str, Any] = {str(name): pa.array(column) for name, column in rows.frame.items()}
    data[use_case.target.name] = pa.array(rows.target)
    return pa.table(data | {use_case.key.name: pa.array(np.arange(len(rows.target)))})


def _chances(
    rows: Rows, pool: NDArray[np.intp], strength: float, rng: np.random.Generator
) -> Floats:
    """How likely each row of the pool is drawn, shape (rows,), by one column or its levels."""
    from scipy.special import ndtri
    from scipy.stats import rankdata

    name = rows.frame.columns[int(rng.integers(0, rows.frame.shape[1]))]
    column = rows.frame[name].to_numpy()[pool]
    if column.dtype == object:
        column = np.unique(column.astype(str), return_inverse=True)[1]
    filled = np.nan_to_num(column.astype(np.float64), nan=-1e300)
    # Equal values share the mean of their ranks: nothing but the column decides.
    score = ndtri((rankdata(filled) - 0.5) / len(filled))
    chances = np.exp(rng.choice([-1.0, 1.0]) * strength * score)
    return np.asarray(chances / chances.sum())


def _metric(
    table: pa.Table, chosen: NDArray[np.intp], model: Model, use_case: UseCase, weights: Floats
) -> float:
    from leeway.data.frames import target_array
    from leeway.metrics.formulas import classification_scorer, regression_scorer
    from leeway.metrics.inputs import encode
    from leeway.prediction import model_output

    rows = table.take(pa.array(chosen))
    truth, output = target_array(rows, use_case), model_output(model.pipeline, rows, use_case)
    if model.classes is None:
        score = regression_scorer(truth, output)
    else:
        score = classification_scorer(encode(truth, model.classes), output)
    return float(score(weights)[use_case.metric])


def _worse(metric: str) -> float:
    from leeway.spec import LOWER_IS_BETTER

    return 1.0 if metric in LOWER_IS_BETTER else -1.0


COLUMNS = (
    "table (metric)",
    "strength",
    "refused",
    "true change",
    "error: both",
    "weights",
    "expectations",
    "change held: both",
    "weights",
    "expectations",
    "level held",
    "confirmed: harm",
    "no harm",
)


def table_of(found: Sequence[Measured]) -> str:
    """Markdown: a line for each table and strength, and one for all tables of a strength.

    True changes and errors are means of sizes in the unit of the metric.
    """
    groups: dict[tuple[str, float], list[Measured]] = defaultdict(list)
    for each in found:
        groups[each.table, each.strength].append(each)
        groups[ALL, each.strength].append(each)
    lines = [_row(COLUMNS), _row(["---", *["---:"] * (len(COLUMNS) - 1)])]
    for table, strength in sorted(groups, key=lambda group: (group[0] == ALL, group)):
        lines.append(_row(_cells(table, strength, groups[table, strength])))
    return "\n".join(lines)


def _cells(table: str, strength: float, group: Sequence[Measured]) -> list[str]:
    made = [each for each in group if each.found]
    cells = [
        f"{table} ({CASES[table][1]})" if table in CASES else table,
        f"{strength:g}",
        f"{len(group) - len(made)} of {len(group)}",
    ]
    if table == ALL:  # their units differ
        cells += [""] * 4
    else:
        errors = [[abs(e.found[h].value - e.true) for e in made if h in e.found] for h in HALVES]
        cells += [_mean([abs(each.true) for each in made]), *map(_mean, errors)]
    for half in HALVES:
        intervals = [(each.found[half], each.true) for each in made if half in each.found]
        cells.append(_share([of.low <= true <= of.high for of, true in intervals]))
    cells.append(_share([each.level for each in made]))
    for harm in (True, False):
        cells.append(_count([each.verdict == "confirmed" for each in made if each.harm == harm]))
    return cells


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _mean(values: Sequence[float]) -> str:
    return f"{np.mean(values):.3g}" if values else ""


def _share(flags: Sequence[bool]) -> str:
    return f"{np.mean(flags):.0%}" if flags else ""


def _count(flags: Sequence[bool]) -> str:
    return f"{sum(flags)} of {len(flags)}"


if __name__ == "__main__":
    raise SystemExit(main())
