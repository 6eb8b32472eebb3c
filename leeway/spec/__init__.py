"""What a use case is: the schema of one `defs.yaml`.

Belongs here: the pydantic models that a YAML file is validated against, and the rules that hold
between their fields. Does not belong here: reading the file (`orchestration.use_cases`), turning it
into assets (`assets`), or any rule about rows (`leeway.data.validation`). Import from here.
"""

from leeway.spec.damage import Damage
from leeway.spec.experiment import CuttingMinutes, Experiment, SavingsCosts
from leeway.spec.labels import Labels, LabelSource
from leeway.spec.metrics import LOWER_IS_BETTER, METRIC_RANGES, Gate, unit_of
from leeway.spec.policies import (
    SCHEDULED,
    Drift,
    Freshness,
    Retraining,
    Scheduled,
    as_timedelta,
)
from leeway.spec.simulation import SimulatorSource, SyntheticRows, Truth, Wear
from leeway.spec.sources import (
    ARCHIVES,
    ArchiveSource,
    BatchBy,
    FileSource,
    HttpSource,
    PackageSource,
    SqlSource,
    StandIn,
)
from leeway.spec.table import (
    DATES,
    LARGEST_NUMBER,
    NUMERIC_TYPES,
    Column,
    ColumnType,
    Encoding,
    Role,
    Written,
)
from leeway.spec.topics import KafkaSource
from leeway.spec.training import (
    CANDIDATES,
    LARGEST_SEED,
    ClusterFeature,
    DecisionCosts,
    DerivedFeature,
)
from leeway.spec.trial import Trial
from leeway.spec.use_case import Task, UseCase

__all__ = [
    "ARCHIVES",
    "CANDIDATES",
    "DATES",
    "LARGEST_NUMBER",
    "LARGEST_SEED",
    "LOWER_IS_BETTER",
    "METRIC_RANGES",
    "NUMERIC_TYPES",
    "SCHEDULED",
    "ArchiveSource",
    "BatchBy",
    "ClusterFeature",
    "Column",
    "ColumnType",
    "CuttingMinutes",
    "Damage",
    "DecisionCosts",
    "DerivedFeature",
    "Drift",
    "Encoding",
    "Experiment",
    "FileSource",
    "Freshness",
    "Gate",
    "HttpSource",
    "KafkaSource",
    "LabelSource",
    "Labels",
    "PackageSource",
    "Retraining",
    "Role",
    "SavingsCosts",
    "Scheduled",
    "SimulatorSource",
    "SqlSource",
    "StandIn",
    "SyntheticRows",
    "Task",
    "Trial",
    "Truth",
    "UseCase",
    "Wear",
    "Written",
    "as_timedelta",
    "unit_of",
]
