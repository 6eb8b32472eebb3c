"""From the feature frame of a use case to the numbers that an estimator reads.

Belongs here: which transformer each column gets, in one scikit-learn `ColumnTransformer` that is
fitted with the model and therefore inside cross-validation. Does not belong here: the transformers
themselves (`leeway.training.transformers`), or the choice of the estimator
(`leeway.training.candidates`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from leeway.spec import DerivedFeature, UseCase

NUMBER, CATEGORY, TARGET_MEAN, DERIVED = "number", "category", "target_mean", "derived_"
POSITION = "position"
# The mean of a category in one part comes from the rows of the others.
TARGET_MEAN_FOLDS = 5
READ_GAPS = ("gradient_boosting", "xgboost")
LEFT = "left"  # the strategy of a column whose gaps stay
SETTLE = "leeway.training.decisions.settle"


def reads_gaps(use_case: UseCase, name: str) -> bool:
    """Whether a candidate is given missing numbers as they are.

    Boosting learns at each split which way a gap goes; what a use case says of imputation is kept.
    """
    return name in READ_GAPS and use_case.imputation.number is None


def build_preprocessor(use_case: UseCase, *, gaps: bool = False) -> Any:
    """An unfitted `ColumnTransformer` for the frames of `leeway.data.frames.feature_frame`.

    Numbers are standardised (mean 0, standard deviation 1) and then filled, so that nearest
    neighbours and regressions between columns do not depend on units. Derived features are made
    from raw values and then treated alike; k-means sees filled, standardised columns. Categories
    are filled and one-hot encoded; a category that was not there in `fit` gives zeros.

    A column with `encoding: target_mean` becomes the mean target of its category, drawn towards the
    mean of all rows the fewer rows it has (D. Micci-Barreca, SIGKDD Explorations 3, 2001; the
    empirical Bayes weight of scikit-learn), and an unseen category gives the mean of all rows. With
    `fit_transform` each row's mean comes from other rows than its own; `fit` and then `transform`
    of the same rows would leak their target. Several classes give the share of each. Beside it
    stands the category's position in the order of names, without the target.

    Columns that are constant or have no value give a constant and do not fail. With `gaps` missing
    numbers are left as NaN where the use case names no strategy.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline

    numbers = [c.name for c in use_case.feature_columns if c.type != "category"]
    categories = [c for c in use_case.feature_columns if c.type == "category"]
    one_hot = [c.name for c in categories if c.encoding == "one_hot"]
    by_target = [c.name for c in categories if c.encoding == "target_mean"]
    blocks: list[tuple[str, Any, list[str]]] = []
    if numbers:
        blocks.append((NUMBER, Pipeline(fill_steps(use_case, numbers, gaps=gaps)), numbers))
    for position, feature in enumerate(use_case.features):
        blocks.append((f"{DERIVED}{position}", *_derived_steps(use_case, feature, gaps)))
    if one_hot:
        blocks.append((CATEGORY, _category_steps(use_case), one_hot))
    if by_target:
        blocks.append((POSITION, _position_steps(use_case), by_target))
        blocks.append((TARGET_MEAN, _target_mean_steps(use_case), by_target))
    return ColumnTransformer(blocks, verbose_feature_names_out=False, sparse_threshold=0.0)


def output_sources(preprocessor: Any) -> list[str]:
    """For each column that a fitted preprocessor gives: the feature that it comes from.

    One-hot columns come from their category column, cluster distances from their derived feature.

    Returns:
        As many names as there are output columns, in their order.
    """
    sources: list[str] = []
    for name, steps, columns in preprocessor.transformers_:
        if name == CATEGORY:
            for column, known in zip(columns, steps[-1].categories_, strict=True):
                sources += [column] * len(known)
        elif name == TARGET_MEAN:
            width = len(steps.named_steps["encode"].encodings_) // len(columns)
            sources += [column for column in columns for _ in range(width)]
        elif name.startswith(DERIVED):
            derived = steps["derive"]
            sources += [derived.name] * len(derived.get_feature_names_out())
        else:
            sources += list(columns)
    return sources


def imputer(strategy: str, seed: int) -> Any:
    """An unfitted imputer of standardised numbers, which keeps a column without any value as 0.

    Args:
        strategy: `median`, `mean`, `knn` (5 neighbours) or `iterative` (Bayesian ridge regression
            of each column on the others, in 10 rounds).
        seed: random state of `iterative`.

    Raises:
        ValueError: when the strategy is `auto`, which is no imputer until it is settled.
    """
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401  # allows the next import
    from sklearn.impute import IterativeImputer, SimpleImputer

    from leeway.training.transformers import NeighbourImputer

    if strategy == "auto":
        raise ValueError(f"imputation.number is auto: settle it with {SETTLE}")
    if strategy == "knn":
        return NeighbourImputer(keep_empty_features=True)
    if strategy == "iterative":
        return IterativeImputer(random_state=seed, keep_empty_features=True)
    return SimpleImputer(strategy=strategy, keep_empty_features=True)


def fill_steps(
    use_case: UseCase, columns: Sequence[str], *, gaps: bool = False
) -> list[tuple[str, Any]]:
    """The steps that standardise number columns and then fill them, each by its strategy.

    With `gaps` a column that has no strategy of its own, nor from the use case, is not filled.
    """
    from leeway.training.transformers import GapScaler, MixedImputer

    usual = use_case.imputation.number or (LEFT if gaps else "median")
    strategies: list[str] = [use_case.imputation.columns.get(name, usual) for name in columns]
    used = list(dict.fromkeys(strategies))
    seed = use_case.search.seed
    imputers = [(strategy, imputer(strategy, seed)) for strategy in used if strategy != LEFT]
    if not imputers:
        return [("scale", GapScaler())]
    fill = imputers[0][1] if len(used) == 1 else MixedImputer(imputers, strategies)
    return [("scale", GapScaler()), ("impute", fill)]


def _category_steps(use_case: UseCase) -> Any:
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder

    from leeway.training.transformers import CategoryImputer, category_name

    encoder = OneHotEncoder(
        handle_unknown="ignore", sparse_output=False, feature_name_combiner=category_name
    )
    return Pipeline(
        [("impute", CategoryImputer(use_case.imputation.category)), ("encode", encoder)]
    )


def _position_steps(use_case: UseCase) -> Any:
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    from leeway.training.transformers import CategoryImputer, CategoryPosition

    fill = CategoryImputer(use_case.imputation.category)
    steps = [("impute", fill), ("order", CategoryPosition()), ("scale", StandardScaler())]
    return Pipeline(steps)


def _target_mean_steps(use_case: UseCase) -> Any:
    from sklearn.model_selection import KFold
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    from leeway.training.transformers import CategoryImputer, TargetMeanEncoder

    folds = KFold(TARGET_MEAN_FOLDS, shuffle=True, random_state=use_case.search.seed)
    kind = "continuous" if use_case.task == "regression" else "auto"
    return Pipeline(
        [
            ("impute", CategoryImputer(use_case.imputation.category)),
            ("encode", TargetMeanEncoder(target_type=kind, cv=folds)),
            ("scale", StandardScaler()),
        ]
    )


def _derived_steps(use_case: UseCase, feature: DerivedFeature, gaps: bool) -> tuple[Any, list[str]]:
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    from leeway.training.transformers import ClusterDistances, PairTransformer

    if feature.kind == "clusters":
        if not isinstance(feature.k, int):
            raise ValueError(f"{feature.name}: k is a range: settle it with {SETTLE}")
        distances = ClusterDistances(feature.name, feature.k, use_case.search.seed)
        fill = fill_steps(use_case, feature.of)
        steps = [*fill, ("derive", distances), ("rescale", StandardScaler())]
        return Pipeline(steps), list(feature.of)
    pair = PairTransformer(feature.name, feature.kind)
    if feature.kind == "ratio":
        columns = [feature.numerator, feature.denominator]
    else:
        columns = [feature.left, feature.right]
    return Pipeline([("derive", pair), *fill_steps(use_case, [feature.name], gaps=gaps)]), columns
