"""Cross-validation: which rows judge which model.

Belongs here: the folds of a training part, models fitted on the others, and predictions for rows
that their model has not seen. Does not belong here: what is compared (`leeway.training.search`), or
the metrics (`leeway.training.scoring`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from leeway.training.candidates import MANY_ROWS, TREES_TO_CHOOSE, default_estimator
from leeway.training.preprocessing import TARGET_MEAN_FOLDS, build_preprocessor, reads_gaps
from leeway.training.rounds import fit_until_no_gain, stops_early

if TYPE_CHECKING:
    import pandas as pd

    from leeway.spec import UseCase


Positions = tuple[NDArray[np.intp], NDArray[np.intp]]


class TooFewRows(ValueError):
    """There are not enough rows to fit on some and judge on others; the message says what to do."""


def cross_validation_folds(target: NDArray[Any], use_case: UseCase) -> list[Positions]:
    """Positions of the rows to fit on and of those to judge, for each fold.

    Shuffled with the seed of the search; each class has the same share in every fold. They are
    shuffled also when the test part was split off by time: within the training part models are then
    chosen by rows that are older than some they were fitted on. The test part is always later.

    Raises:
        TooFewRows: when a fold would lack rows or a class, or when there is one class only.
    """
    from sklearn.model_selection import KFold, StratifiedKFold

    folds, seed = use_case.search.folds, use_case.search.seed
    if len(target) < folds:
        raise TooFewRows(
            f"{len(target)} rows cannot make {folds} folds: collect more rows or lower search.folds"
        )
    _check_target_means(len(target), use_case)
    rows = np.zeros(len(target))
    if use_case.task != "classification":
        return list(KFold(folds, shuffle=True, random_state=seed).split(rows))
    _check_classes(target, folds)
    return list(StratifiedKFold(folds, shuffle=True, random_state=seed).split(rows, target))


def _check_target_means(rows: int, use_case: UseCase) -> None:
    fitted = rows - -(-rows // use_case.search.folds)
    encoded = [c.name for c in use_case.feature_columns if c.encoding == "target_mean"]
    if encoded and fitted < TARGET_MEAN_FOLDS:
        raise TooFewRows(
            f"{fitted} of {rows} rows are fitted at a time, and the target means of {encoded[0]!r} "
            f"need {TARGET_MEAN_FOLDS}: collect more rows, or leave out encoding: target_mean"
        )


def _check_classes(target: NDArray[Any], folds: int) -> None:
    counts = Counter(target.tolist())
    if len(counts) < 2:
        raise TooFewRows(
            f"every one of the {len(target)} rows has class {next(iter(counts))!r}: "
            "a classifier needs rows of at least two classes"
        )
    rarest = min(counts, key=lambda label: (counts[label], label))
    if counts[rarest] < folds:
        fewer = f"lower search.folds to {counts[rarest]}, " if counts[rarest] >= 2 else ""
        rows = "row" if counts[rarest] == 1 else "rows"
        raise TooFewRows(
            f"class {rarest!r} has {counts[rarest]} {rows} but there are {folds} folds: "
            f"{fewer}collect more of them, or merge the class with another"
        )


def sample_positions(target: NDArray[Any], use_case: UseCase, most: int) -> NDArray[np.intp]:
    """Positions of at most `most` rows, ascending, drawn with the seed of the search.

    A class that has enough rows for the folds still has them.
    """
    import pandas as pd

    if len(target) <= most:
        return np.arange(len(target))
    order = np.random.default_rng(use_case.search.seed).permutation(len(target))
    if use_case.task == "classification":
        drawn = pd.Series(target[order])
        rank = drawn.groupby(drawn).cumcount().to_numpy()
        order = order[np.argsort(rank >= use_case.search.folds, kind="stable")]
    return np.sort(order[:most])


def make_pipeline(use_case: UseCase, name: str, parameters: Mapping[str, Any], rows: int) -> Any:
    """An unfitted `Pipeline` with the steps `preprocess` and `model`.

    Args:
        use_case: gives columns, imputation, derived features and the seed.
        name: one of the candidates of the task.
        parameters: override the defaults of the candidate.
        rows: how many it will be fitted on, which decides the defaults.
    """
    from sklearn.pipeline import Pipeline

    model = default_estimator(name, use_case.task, use_case.search.seed, rows)
    model.set_params(**parameters)
    preprocess = build_preprocessor(use_case, gaps=reads_gaps(use_case, name))
    return Pipeline([("preprocess", preprocess), ("model", model)])


def one_thread() -> AbstractContextManager[Any]:
    """A context in which BLAS and OpenMP use one thread: sums then always have one order.

    Only libraries that are loaded are limited, so those of scikit-learn are loaded first: one that
    came later had a thread per core, which on a busy machine wait for each other for seconds.
    """
    import sklearn.ensemble  # noqa: F401  # loads OpenMP and BLAS
    from threadpoolctl import threadpool_limits

    return cast("AbstractContextManager[Any]", threadpool_limits(limits=1))


@dataclass(frozen=True)
class Fold:
    """One fold, preprocessed by what was learned from the rows outside it.

    `rows` and `target` are those to fit on; `judged` are positions in the frame, and `judged_rows`
    and `judged_target` what they hold.
    """

    rows: NDArray[np.float64]
    target: NDArray[Any]
    judged: NDArray[np.intp]
    judged_rows: NDArray[np.float64]
    judged_target: NDArray[Any]


def prepare_folds(
    frame: pd.DataFrame, target: NDArray[Any], use_case: UseCase, *, gaps: bool = False
) -> list[Fold]:
    """Preprocesses every fold once, for all models that are fitted on it.

    What `make_pipeline` would learn from the same rows is the same, bit for bit. `gaps` is what
    `reads_gaps` says of the models.

    Raises:
        TooFewRows: as `cross_validation_folds`.
    """
    return list(_prepared(frame, target, use_case, gaps))


def _prepared(
    frame: pd.DataFrame, target: NDArray[Any], use_case: UseCase, gaps: bool
) -> Iterator[Fold]:
    """One fold after the other: all of a million rows at once take gigabytes."""
    for fit, judged in cross_validation_folds(target, use_case):
        preprocessor = build_preprocessor(use_case, gaps=gaps)
        # As a Pipeline does: what is made from the target is fitted without the row itself.
        rows = preprocessor.fit_transform(frame.iloc[fit], target[fit])
        judged_rows = preprocessor.transform(frame.iloc[judged])
        yield Fold(rows, target[fit], judged, judged_rows, target[judged])


def fit_model(fold: Fold, use_case: UseCase, name: str, parameters: Mapping[str, Any]) -> Any:
    """A candidate, fitted on the rows outside a fold, with the rounds of its parameters."""
    model = default_estimator(name, use_case.task, use_case.search.seed, _rows_of(fold))
    return model.set_params(**parameters).fit(fold.rows, fold.target)


def fit_to_choose(
    fold: Fold, use_case: UseCase, name: str, parameters: Mapping[str, Any]
) -> tuple[Any, int | None]:
    """A candidate, fitted on the rows outside a fold to be compared with others.

    From `MANY_ROWS` rows on boosting is stopped early, by rows that are not judged either, and a
    forest has `TREES_TO_CHOOSE` trees.

    Returns:
        The model, and the rounds after which it was best; None where it is not stopped.
    """
    rows = _rows_of(fold)
    if rows < MANY_ROWS:
        return fit_model(fold, use_case, name, parameters), None
    if name == "random_forest":
        parameters = {**parameters, "n_estimators": TREES_TO_CHOOSE}
    if not stops_early(name):
        return fit_model(fold, use_case, name, parameters), None
    model = default_estimator(name, use_case.task, use_case.search.seed, rows)
    model.set_params(**parameters)
    return model, fit_until_no_gain(model, name, fold.rows, fold.target)


def _rows_of(fold: Fold) -> int:
    return len(fold.rows) + len(fold.judged)


def out_of_fold(
    frame: pd.DataFrame,
    target: NDArray[Any],
    use_case: UseCase,
    name: str,
    parameters: Mapping[str, Any],
) -> NDArray[np.float64]:
    """For each row, what a model says that was fitted without its fold.

    Returns:
        Probabilities (rows, classes), classes sorted; or predictions (rows,) for regression.

    Raises:
        TooFewRows: as `cross_validation_folds`.
    """
    classification = use_case.task == "classification"
    shape = (len(target), len(np.unique(target))) if classification else (len(target),)
    result = np.full(shape, np.nan)
    with one_thread():
        for fold in _prepared(frame, target, use_case, reads_gaps(use_case, name)):
            model = fit_model(fold, use_case, name, parameters)
            predict = model.predict_proba if classification else model.predict
            result[fold.judged] = predict(fold.judged_rows)
    return result
