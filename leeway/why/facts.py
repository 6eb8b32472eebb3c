"""What was recorded of a model, a batch or a prediction, as an answer reads it.

Belongs here: rows of the ledger and of Dagster's runs by the names of their columns, and objects.
Does not belong here: reading them (`resources.why`), or what is said of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

ALL_ROWS = "all rows"  # the segment that leeway.performance calls so, without what it imports


class Commit(NamedTuple):
    """A row of leeway.commits. `version` and `inputs` are None where they were not recorded."""

    id: int
    node: str
    batch: str
    digest: str
    uri: str
    rows: int | None
    facts: Mapping[str, Any]
    run_id: str
    at: datetime
    version: str | None
    inputs: Mapping[str, str] | None

    @property
    def reason(self) -> str:
        """Why a node said what it said of a batch."""
        return str(self.facts.get("reason", "The reason was not recorded."))


class Head(NamedTuple):
    """What is said of every release of a use case; a row of leeway.releases in short."""

    version: int
    digest: str
    verdict: str
    reason: str
    awaits_person: bool
    at: datetime


class Release(NamedTuple):
    """A row of leeway.releases."""

    version: int
    digest: str
    training_key: str
    algorithm: str
    verdict: str
    reason: str
    facts: Mapping[str, Any]
    incident: str | None
    run_id: str
    at: datetime


class Move(NamedTuple):
    """A row of leeway.moves."""

    id: int
    version: int
    previous: int | None
    action: str
    who: str
    why: str
    at: datetime


class Incident(NamedTuple):
    """A row of leeway.incidents, and the version that it is about, where that is a release."""

    digest: str
    batch: str
    columns: Sequence[str]
    release_digest: str
    run_id: str
    at: datetime
    cause: str
    origin: str
    against: int | None


class Training(NamedTuple):
    """A row of leeway.trainings."""

    incident: str
    attempt: int
    run_id: str
    begun_at: datetime
    version: int | None
    unchanged: bool
    refused: str | None
    ended_at: datetime | None


class Decision(NamedTuple):
    """A row of leeway.decisions."""

    seq: int
    at: datetime
    state: str
    action: str
    incident: str | None
    attempt: int
    cause: str | None
    reason: str
    diagnosis: str
    policy: str


class Batch(NamedTuple):
    """A row of leeway.batches."""

    batch: str
    discovered_at: datetime


class Scored(NamedTuple):
    """A row of monitoring.scoring_runs."""

    batch: str
    run_id: str
    version: int
    release_digest: str
    rows: int
    at: datetime


class Metric(NamedTuple):
    """A row of monitoring.segment_metrics of all rows of a batch."""

    batch: str
    version: int
    segment: str
    metric: str
    value: float | None
    low: float | None
    high: float | None
    unit: str
    rows: int


class Run(NamedTuple):
    """A run of Dagster."""

    id: str
    job: str
    status: str
    tags: Mapping[str, str]


class Check(NamedTuple):
    """What a run of Dagster found at a check; `asset` is such as `penguins/drift`."""

    asset: str
    name: str
    run_id: str
    status: str


@dataclass(frozen=True)
class Gone:
    """What was to be read and is not there, or is another; `why` completes a sentence."""

    why: str


UNREAD = Gone("it was not read")


@dataclass(frozen=True)
class Runs:
    """What Dagster has recorded of runs; `problem` says why it has not been read."""

    by_id: Mapping[str, Run] = field(default_factory=dict)
    checks: Sequence[Check] = ()
    problem: str | None = None

    def found_in(self, run_id: str, *assets: str) -> list[Check]:
        """What a run found at the checks of these assets."""
        return [each for each in self.checks if each.run_id == run_id and each.asset in assets]


@dataclass(frozen=True)
class History:
    """What was recorded of a use case as a whole, the oldest first.

    `decisions` are the newest, and `refused` the newest trainings that were; `committed` has how
    many batches, or 1, readers see of each node.
    """

    use_case: str
    releases: Sequence[Head] = ()
    moves: Sequence[Move] = ()
    decisions: Sequence[Decision] = ()
    refused: Sequence[Training] = ()
    committed: Mapping[str, int] = field(default_factory=dict)

    @property
    def champion(self) -> int | None:
        """The version that is champion."""
        return self.moves[-1].version if self.moves else None


@dataclass(frozen=True)
class Lineage:
    """What a training set was made of: the commits that its inputs name, batch by batch.

    A batch of which a commit is not recorded any more, as when it was judged again, is missing.
    """

    clean: Mapping[str, Commit] = field(default_factory=dict)
    raw: Mapping[str, Commit] = field(default_factory=dict)
    arrived: Mapping[str, Batch] = field(default_factory=dict)


@dataclass(frozen=True)
class Story:
    """What was recorded of one version. None: there is no such record."""

    history: History
    release: Release
    incident: Incident | None = None
    verdict: Commit | None = None  # of the node that found the incident
    trainings: Sequence[Training] = ()  # that came to this version
    decision: Decision | None = None  # to train for the incident
    tuned: Commit | None = None
    training_set: Commit | None = None
    lineage: Lineage = field(default_factory=Lineage)
    definitions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    manifest: Mapping[str, Any] | Gone = UNREAD
    selection: Mapping[str, Any] | Gone = UNREAD
    tuning: Mapping[str, Any] | Gone = UNREAD
    looks: Sequence[Commit] = ()  # drift, damage and performance of batches under this version
    metrics: Sequence[Metric] = ()  # of the newest batch that was measured under this version
    incidents: Sequence[Incident] = ()  # about this version
    scored: Sequence[Scored] = ()
    runs: Runs = field(default_factory=Runs)
    tuned_gone: str = "the commit of its training is not recorded any more"  # where it is None
