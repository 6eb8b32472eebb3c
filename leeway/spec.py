"""What a use case is: the schema of one `defs.yaml`.

Belongs here: the pydantic models that a YAML file is validated against, and the rules that hold
between its fields. Does not belong here: reading the file (`orchestration.components`), turning it
into assets (`assets`), or any rule about rows (`leeway.validation`).
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from leeway.identifiers import BATCH_PATTERN, check_identifier
from leeway.spec_rules import check_use_case, require_known

Identifier = Annotated[str, AfterValidator(check_identifier)]
BatchId = Annotated[str, Field(pattern=BATCH_PATTERN)]
Task = Literal["classification", "regression", "experiment"]
ColumnType = Literal["number", "integer", "category", "boolean", "text", "date", "timestamp"]
Role = Literal["key", "time", "target", "feature", "monitored", "ignored"]

NUMERIC_TYPES: frozenset[ColumnType] = frozenset({"number", "integer"})
FEATURE_TYPES: frozenset[ColumnType] = frozenset({"number", "integer", "category", "boolean"})

CLASSIFICATION_CANDIDATES = (
    "logistic_regression",
    "decision_tree",
    "random_forest",
    "gradient_boosting",
    "xgboost",
)
REGRESSION_CANDIDATES = (
    "ridge",
    "lasso",
    "decision_tree",
    "random_forest",
    "gradient_boosting",
    "xgboost",
)
# Bounds that a gate can reach. None: unbounded on that side.
METRIC_RANGES: dict[str, dict[str, tuple[float | None, float | None]]] = {
    "classification": {
        "accuracy": (0, 1),
        "balanced_accuracy": (0, 1),
        "macro_f1": (0, 1),
        "log_loss_nats": (0, None),
        "roc_auc": (0, 1),
        "pr_auc": (0, 1),
        "brier_score": (0, 2),
    },
    "regression": {
        "mae": (0, None),
        "rmse": (0, None),
        "r2": (None, 1),
        "mape_percent": (0, None),
        "median_ape_percent": (0, None),
    },
    "experiment": {},
}
LOWER_IS_BETTER = frozenset(
    {"log_loss_nats", "brier_score", "mae", "rmse", "mape_percent", "median_ape_percent"}
)


class Strict(BaseModel):
    """Refuses unknown keys, so that a misspelled option is an error and not silence.

    Refuses NaN and infinity, too: no value can be compared with the one, or reaches the other.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, content: Any) -> Any:
        if isinstance(content, dict):
            require_known("keys", content, cls.model_fields)
        return content


class Column(Strict):
    """One column of the source table."""

    name: Identifier
    type: ColumnType
    role: Role = "feature"
    description: str = Field(min_length=1)
    unit: str | None = Field(default=None, description="unit of the values, such as mm or g")
    range: tuple[float | None, float | None] | None = Field(
        default=None, description="closed interval of allowed values; null is unbounded"
    )
    values: tuple[str, ...] | None = Field(
        default=None, min_length=1, description="allowed categories"
    )
    missing: tuple[str, ...] = Field(
        default=(), description="texts that mean a missing value, besides the empty one"
    )
    required: bool = Field(default=False, description="a row without a value is rejected")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.range is not None:
            if self.type not in NUMERIC_TYPES:
                raise ValueError(
                    f"range is for number and integer columns; {self.name} is {self.type}"
                )
            low, high = self.range
            if low is not None and high is not None and low > high:
                raise ValueError(f"range [{low}, {high}] is empty: give the lower bound first")
        if self.values is not None and self.type != "category":
            raise ValueError(f"values is for category columns; {self.name} is {self.type}")
        if self.role == "feature" and self.type not in FEATURE_TYPES:
            raise ValueError(
                f"a {self.type} column cannot be a feature; use role monitored, time or ignored"
            )
        return self


class BatchBy(Strict):
    """How the rows of one table are cut into batches: by the values of a column."""

    column: Identifier
    batches: dict[BatchId, tuple[str | int, ...]] = Field(
        min_length=1, description="batch id to the values it holds, oldest batch first"
    )


class PackageSource(Strict):
    """A table that a Python package carries."""

    kind: Literal["package"]
    package: Literal["palmerpenguins"]
    batch_by: BatchBy


class FileSource(Strict):
    """A file, or a folder whose files are batches in order of their names (CSV or Parquet)."""

    kind: Literal["file"]
    path: str = Field(min_length=1, description="relative paths start at the project's folder")
    batch_by: BatchBy | None = None


Source = Annotated[PackageSource | FileSource, Field(discriminator="kind")]


class Imputation(Strict):
    """How missing feature values are filled; fitted inside cross-validation."""

    number: Literal["median", "mean", "knn", "iterative"] = "median"
    category: Literal["most_frequent", "constant"] = "most_frequent"


class RatioFeature(Strict):
    """`numerator / denominator`; a zero denominator gives a missing value, which is imputed."""

    kind: Literal["ratio"]
    name: Identifier
    numerator: Identifier
    denominator: Identifier


class ProductFeature(Strict):
    """`left * right`."""

    kind: Literal["product"]
    name: Identifier
    left: Identifier
    right: Identifier


class ClusterFeature(Strict):
    """Distances to the centres of k-means clusters of some numeric columns."""

    kind: Literal["clusters"]
    name: Identifier
    of: tuple[Identifier, ...] = Field(min_length=1)
    k: int = Field(ge=2, le=50)


DerivedFeature = Annotated[
    RatioFeature | ProductFeature | ClusterFeature, Field(discriminator="kind")
]


class Split(Strict):
    """How the test part is held out before anything is fitted."""

    test: float = Field(default=0.2, gt=0, lt=0.5, description="share of rows held out")
    by: Literal["random", "time"] = "random"
    seed: int = Field(default=42, ge=0)


class Search(Strict):
    """Candidates are compared by cross-validation, then the winner is tuned."""

    metric: str | None = Field(default=None, description="null: macro_f1, or mae for regression")
    candidates: tuple[str, ...] | None = Field(default=None, description="null: all of the task")
    folds: int = Field(default=5, ge=2, le=20)
    trials: int = Field(default=20, ge=1, le=1000)
    seed: int = Field(default=42, ge=0)


class Gate(Strict):
    """A bound that the held-out metric of a release must keep."""

    metric: str
    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _one_bound(self) -> Self:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("give exactly one of at_least and at_most")
        return self


class Drift(Strict):
    """When a batch has drifted from the reference profile of the champion's training part."""

    effect: float = Field(
        default=0.1,
        gt=0,
        lt=1,
        description="smallest Kolmogorov-Smirnov distance or total variation worth acting on",
    )
    confidence: float = Field(
        default=0.99, gt=0.5, lt=1, description="of the lower bound that must exceed the effect"
    )
    min_rows: int = Field(default=30, ge=2, description="fewer rows give the verdict undefined")


_DURATION = re.compile(r"([0-9]{1,6})\s*(s|m|h|d)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _duration(value: str) -> str:
    if not _DURATION.fullmatch(value):
        raise ValueError(
            f"{value!r} is not a duration; write a number of up to six digits and s, m, h or d, "
            "such as 36h"
        )
    return value


Duration = Annotated[str, AfterValidator(_duration)]


def as_timedelta(duration: str) -> timedelta:
    """Length of a duration such as `36h`.

    Raises:
        ValueError: when the text is not a number followed by s, m, h or d.
    """
    match = _DURATION.fullmatch(duration)
    if match is None:
        raise ValueError(f"{duration!r} is not a duration")
    return timedelta(seconds=int(match[1]) * _SECONDS[match[2]])


class Retraining(Strict):
    """When a model is trained again."""

    on: tuple[Literal["drift", "freshness"], ...] = ("drift",)
    cooldown: Duration = "1d"
    non_inferiority: float = Field(
        default=0.05,
        ge=0,
        description="largest mean loss increase that a model trained after drift may have",
    )


class Freshness(Strict):
    """How old the newest batch may be."""

    warn_after: Duration
    fail_after: Duration

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        warn, fail = as_timedelta(self.warn_after), as_timedelta(self.fail_after)
        if warn < timedelta(minutes=1) or fail <= warn:
            raise ValueError(
                f"need 1m <= warn_after < fail_after, got {self.warn_after} and {self.fail_after}"
            )
        return self


class Explanation(Strict):
    """What a release carries to explain its predictions."""

    neighbours: int = Field(default=5, ge=1, le=50)
    components: Literal[2] = 2
    coverage: float = Field(
        default=0.9, gt=0.5, lt=1, description="of the conformal prediction set"
    )


class Monitoring(Strict):
    """What is watched per batch besides the whole."""

    segments: tuple[Identifier, ...] = ()


class UseCase(Strict):
    """One use case: everything that its asset graph is built from."""

    title: str = Field(min_length=1, max_length=120)
    description: str = ""
    owners: tuple[str, ...] = Field(default=("team:data",), min_length=1)
    task: Task
    source: Source
    columns: tuple[Column, ...] = Field(min_length=1)
    required_any: tuple[Identifier, ...] = Field(
        default=(), description="a row must have a value in at least one of these columns"
    )
    max_rejected: float = Field(
        default=0.05, ge=0, le=1, description="largest share of a batch's rows that may be rejected"
    )
    imputation: Imputation = Imputation()
    features: tuple[DerivedFeature, ...] = ()
    split: Split = Split()
    search: Search = Search()
    gates: tuple[Gate, ...] = ()
    drift: Drift = Drift()
    retraining: Retraining = Retraining()
    freshness: Freshness | None = None
    explanation: Explanation = Explanation()
    monitoring: Monitoring = Monitoring()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        check_use_case(self)
        return self

    def with_role(self, role: Role) -> tuple[Column, ...]:
        """The columns of one role, in the order of the file."""
        return tuple(column for column in self.columns if column.role == role)

    def column(self, name: str) -> Column:
        """The column called `name`.

        Raises:
            KeyError: when there is none.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    @property
    def key(self) -> Column:
        """The column that identifies a row."""
        return self.with_role("key")[0]

    @property
    def target(self) -> Column:
        """The column that is predicted."""
        return self.with_role("target")[0]

    @property
    def feature_columns(self) -> tuple[Column, ...]:
        """The columns a model reads, before any derived feature."""
        return self.with_role("feature")

    @property
    def candidates(self) -> tuple[str, ...]:
        """Names of the algorithms that are compared."""
        every = (
            CLASSIFICATION_CANDIDATES if self.task == "classification" else REGRESSION_CANDIDATES
        )
        return self.search.candidates or every

    @property
    def metric(self) -> str:
        """The metric that candidates are compared by."""
        default = "macro_f1" if self.task == "classification" else "mae"
        return self.search.metric or default
