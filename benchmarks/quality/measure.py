"""One contender on one fold: its metric on rows that it did not see, and the CPU seconds it took.

Belongs here: folds, metrics, clocks, and a file that a run is taken up from. Does not belong here:
what is measured (`benchmarks.quality.contenders`), or the words of the result
(`benchmarks.quality.summary`).

The metrics are scikit-learn's, not Leeway's own.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.contenders import CONTENDERS, FLAML, LEEWAY, Predictions
from benchmarks.quality.tables import Rows, load

FOLDS, SEED = 5, 42  # those of SOURCE.md


@dataclass(frozen=True)
class Measured:
    """`value` in the unit of the metric; `cpu` in seconds, of the process and its children."""

    table: str
    contender: str
    fold: int
    rows: int
    value: float
    cpu: float
    said: str


def measure(
    tables: Sequence[str],
    contenders: Sequence[str],
    folder: Path,
    most: int,
    results: Path,
    say: Callable[[str], None],
) -> list[Measured]:
    """Measures what `results`, a file of JSON lines, does not hold yet, and adds it there."""
    done = read(results)
    _load_libraries()
    for table in tables:
        rows = load(table, folder, most)
        for fold, (fit, test) in enumerate(_folds(rows)):
            for contender in contenders:
                known = {(m.table, m.contender, m.fold): m for m in done if m.rows == len(rows.raw)}
                if (table, contender, fold) in known:
                    continue
                ours = known.get((table, LEEWAY, fold))
                if contender == FLAML and ours is None:
                    raise SystemExit(f"{table}: measure {LEEWAY} first, its seconds are the budget")
                started = _cpu()
                predicted, said = CONTENDERS[contender](rows, fit, test, ours.cpu if ours else 0)
                cpu = _cpu() - started
                value = score(rows, test, predicted)
                one = Measured(table, contender, fold, len(rows.raw), value, cpu, said)
                done.append(one)
                with results.open("a") as file:
                    file.write(json.dumps(asdict(one)) + "\n")
                say(f"  {table:<20} fold {fold} {contender:<8} {value:10.5g} {cpu:7.1f} s  {said}")
    return done


def read(results: Path) -> list[Measured]:
    """What a file of JSON lines holds; nothing where there is no file."""
    lines = results.read_text().splitlines() if results.exists() else []
    return [Measured(**json.loads(line)) for line in lines]


def score(rows: Rows, test: NDArray[np.intp], predicted: Predictions) -> float:
    """The metric of the table on the test rows of a fold.

    Raises:
        KeyError: when the metric is none of those that tables are compared in.
    """
    from sklearn import metrics

    truth, metric = rows.target[test], rows.use_case.metric
    classes = np.unique(rows.target)
    if metric == "roc_auc":
        return float(metrics.roc_auc_score(truth == classes[1], predicted[:, 1]))
    if metric == "macro_f1":
        return float(metrics.f1_score(truth, classes[predicted.argmax(axis=1)], average="macro"))
    errors = {"mae": metrics.mean_absolute_error, "rmse": metrics.root_mean_squared_error}
    return float(errors[metric](truth, predicted))


def _folds(rows: Rows) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    from sklearn.model_selection import KFold, StratifiedKFold

    if rows.use_case.task == "regression":
        return list(KFold(FOLDS, shuffle=True, random_state=SEED).split(rows.raw))
    return list(
        StratifiedKFold(FOLDS, shuffle=True, random_state=SEED).split(rows.raw, rows.target)
    )


def _load_libraries() -> None:
    """Imports are no part of anybody's seconds."""
    import importlib

    from benchmarks.quality.contenders import has_flaml

    names = ["optuna", "sklearn.ensemble", "sklearn.linear_model", "xgboost", "scipy.stats"]
    for name in [*names, *(["flaml"] if has_flaml() else [])]:
        importlib.import_module(name)


def _cpu() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
