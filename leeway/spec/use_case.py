"""One use case: the schema of one `defs.yaml`.

Belongs here: which parts a use case has, and questions about the whole. Does not belong here: the
parts themselves, or reading the file (`orchestration.use_cases`).
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from leeway.spec.base import Identifier, Strict
from leeway.spec.damage import Damage
from leeway.spec.experiment import Experiment
from leeway.spec.labels import Labels
from leeway.spec.metrics import Gate
from leeway.spec.policies import Drift, Freshness, Monitoring, Retraining, Schedules
from leeway.spec.rules import check_use_case
from leeway.spec.sources import Source, StandIn
from leeway.spec.table import Column, Role
from leeway.spec.training import (
    CANDIDATES,
    DecisionCosts,
    DerivedFeature,
    Explanation,
    Imputation,
    Search,
    Split,
)
from leeway.spec.trial import Trial

Task = Literal["classification", "regression", "experiment"]


class UseCase(Strict):
    """One use case: everything that its asset graph is built from."""

    title: str = Field(min_length=1, max_length=120)
    description: str = ""
    owners: tuple[str, ...] = Field(default=("team:data",), min_length=1)
    task: Task
    source: Source
    stand_in: StandIn | None = None
    columns: tuple[Column, ...] = Field(min_length=1)
    labels: Labels | None = Field(
        default=None, description="labels that come apart from their rows, and later"
    )
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
    costs: DecisionCosts | None = Field(
        default=None, description="for two classes; null: the most probable class is decided for"
    )
    gates: tuple[Gate, ...] = ()
    promotion: Literal["automatic", "manual"] = Field(
        default="automatic",
        description="manual: a release that would be promoted waits for `leeway promote`",
    )
    trial: Trial | None = Field(
        default=None,
        description="what a release that is proven better stands beside the champion, in the "
        "service, before it takes its place; null: it does so at once",
    )
    drift: Drift = Drift()
    damage: Damage = Damage()
    retraining: Retraining = Retraining()
    freshness: Freshness | None = None
    explanation: Explanation = Explanation()
    monitoring: Monitoring = Monitoring()
    schedules: Schedules = Schedules()
    experiment: Experiment | None = None

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
        """The column that is predicted, or the response of an experiment."""
        return self.with_role("target")[0]

    @property
    def feature_columns(self) -> tuple[Column, ...]:
        """The columns a model reads, before any derived feature."""
        return self.with_role("feature")

    @property
    def given_columns(self) -> tuple[Column, ...]:
        """The columns that a batch is stored with; dbt computes the others."""
        return tuple(c for c in self.columns if c.role != "ignored" and not c.computed)

    @property
    def candidates(self) -> tuple[str, ...]:
        """Names of the algorithms that are compared."""
        return self.search.candidates or CANDIDATES[self.task]

    @property
    def metric(self) -> str:
        """The metric that candidates are compared by."""
        default = "macro_f1" if self.task == "classification" else "mae"
        return self.search.metric or default
