"""Rules that hold between the fields of a use case.

Belongs here: what one field says about another, with an error that names both. Does not belong
here: the shape of a single field (the other modules of `leeway.spec`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from leeway.spec.base import require_known
from leeway.spec.experiment_rules import check_experiment
from leeway.spec.metrics import LOWER_IS_BETTER, METRIC_RANGES, POSITIVE_RANGES, Gate
from leeway.spec.simulation import check_simulation
from leeway.spec.sources import BatchBy
from leeway.spec.training import CANDIDATES

if TYPE_CHECKING:
    from leeway.spec.table import Column
    from leeway.spec.use_case import UseCase


# Columns of our own beside those of a use case: of raw, of the training set and of predictions.
_OWN = frozenset({"part", "prediction"})
_OWN_BESIDE_KEY = frozenset({"low", "high"})  # of predictions, where no other column of theirs is
_OWN_PREFIXES = ("batch_", "row_number", "loaded_at", "probability_", "prediction_set")


def is_own(name: str) -> bool:
    """Whether a column of that name is, or could be taken for, one that Leeway adds."""
    return name in _OWN or name.startswith(_OWN_PREFIXES)


def check_use_case(use_case: UseCase) -> None:
    """Checks a whole use case.

    Raises:
        ValueError: names the field, the value, and what is allowed.
    """
    _check_columns(use_case)
    _check_roles(use_case)
    _check_references(use_case)
    _check_derived(use_case)
    check_experiment(use_case)
    check_simulation(use_case)
    if use_case.task != "experiment":
        _check_search(use_case)
    _check_costs(use_case)
    _check_labels(use_case)
    _check_trial(use_case)
    if use_case.task == "experiment" and any(use_case.schedules.model_dump().values()):
        raise ValueError("schedules: an experiment has no model to score or train; leave them out")
    judged = METRIC_RANGES[use_case.task] | (POSITIVE_RANGES if use_case.costs else {})
    for position, gate in enumerate(use_case.gates):
        _check_gate(judged, position, gate)


def _check_columns(use_case: UseCase) -> None:
    names = [c.name for c in use_case.columns] + [f.name for f in use_case.features]
    twice = _repeated(names)
    if twice is not None:
        raise ValueError(f"columns: {twice!r} is declared more than once; names must be unique")
    twice = _repeated(
        [c.in_source for c in use_case.columns if not (c.from_position or c.computed)]
    )
    if twice is not None:
        raise ValueError(
            f"columns: {twice!r} of the source is read by more than one column; "
            "give each a source_name of its own"
        )
    system = [name for name in names if is_own(name)]
    system += [c.name for c in use_case.with_role("key") if c.name in _OWN_BESIDE_KEY]
    if system:
        raise ValueError(
            f"columns: {system[0]!r} is or begins like one that Leeway adds; rename it"
        )


def _check_roles(use_case: UseCase) -> None:
    for role in ("key", "target"):
        found = [c.name for c in use_case.with_role(role)]
        if len(found) != 1:
            raise ValueError(
                f"columns: exactly one column needs role {role}; found {found or 'none'}"
            )
    if len(use_case.with_role("time")) > 1:
        raise ValueError("columns: at most one column may have role time")
    if use_case.split.by == "time" and not use_case.with_role("time"):
        raise ValueError("split.by: time needs a column with role time")
    if use_case.task == "experiment":
        return
    if not use_case.feature_columns:
        raise ValueError("columns: no column has role feature, so there is nothing to learn from")
    allowed = {"classification": ("category", "boolean"), "regression": ("number", "integer")}
    target = use_case.target
    if target.type not in allowed[use_case.task]:
        raise ValueError(
            f"columns: target {target.name!r} has type {target.type}; {use_case.task} needs "
            + " or ".join(allowed[use_case.task])
        )


def _check_references(use_case: UseCase) -> None:
    known = [column.name for column in use_case.columns]
    sources = {"source": use_case.source}
    if use_case.stand_in is not None and use_case.stand_in.source is not None:
        sources["stand_in.source"] = use_case.stand_in.source
    for where, source in sources.items():
        batch_by = getattr(source, "batch_by", None)  # not every kind is cut
        if batch_by is not None:
            require_known(f"{where}.batch_by.column", [batch_by.column], known)
            _check_batch_column(where, use_case.column(batch_by.column))
            _check_batches(where, batch_by)
    stored = [column.name for column in use_case.columns if column.role != "ignored"]
    given = [column.name for column in use_case.given_columns]
    require_known("required_any", use_case.required_any, given)
    require_known("monitoring.segments", use_case.monitoring.segments, stored)
    require_known("drift.smallest_change", use_case.drift.smallest_change, stored)
    for name in use_case.monitoring.segments:
        column = use_case.column(name)
        if column.type not in ("category", "boolean") or column.role == "key":
            raise ValueError(
                f"monitoring.segments: {name!r} is a {column.type} column with role {column.role}; "
                "a segment needs a category or boolean column that is not the key"
            )


def _check_batch_column(where: str, column: Column) -> None:
    if column.from_position or column.computed or column.source_name is not None:
        raise ValueError(
            f"{where}.batch_by.column: the source itself has no column {column.name!r}; rename it "
            "there, or give a folder whose files are the batches"
        )


def _check_batches(where: str, batch_by: BatchBy) -> None:
    values = Counter(str(value) for held in batch_by.batches.values() for value in held)
    twice = [value for value, count in values.items() if count > 1]
    if twice:
        raise ValueError(
            f"{where}.batch_by.batches: value {twice[0]!r} is listed more than once; "
            "each belongs to one batch"
        )
    empty = [batch for batch, held in batch_by.batches.items() if not held]
    if empty:
        raise ValueError(
            f"{where}.batch_by.batches: batch {empty[0]!r} holds no value; list at least one"
        )


def _check_derived(use_case: UseCase) -> None:
    filled = [c.name for c in use_case.feature_columns if c.type != "category"]
    require_known("imputation.columns", use_case.imputation.columns, filled)
    numeric = [c.name for c in use_case.feature_columns if c.type in ("number", "integer")]
    for position, feature in enumerate(use_case.features):
        if feature.kind == "ratio":
            used: tuple[str, ...] = (feature.numerator, feature.denominator)
        elif feature.kind == "clusters":
            used = feature.of
        else:
            used = (feature.left, feature.right)
        require_known(f"features[{position}]", used, numeric)
        twice = _repeated(used) if feature.kind == "clusters" else None
        if twice is not None:
            raise ValueError(
                f"features[{position}].of: {twice!r} is given more than once; name each column once"
            )


def _repeated(names: Sequence[str]) -> str | None:
    """The first name that is there more than once."""
    return next((name for name, count in Counter(names).items() if count > 1), None)


def _check_search(use_case: UseCase) -> None:
    candidates = use_case.search.candidates or ()
    require_known("search.candidates", candidates, CANDIDATES[use_case.task])
    twice = _repeated(candidates)
    if twice is not None:
        raise ValueError(f"search.candidates: {twice!r} is given more than once; name each once")
    if use_case.search.metric is not None:
        require_known("search.metric", [use_case.search.metric], METRIC_RANGES[use_case.task])


def _check_costs(use_case: UseCase) -> None:
    if use_case.costs is None:
        return
    if use_case.task != "classification":
        raise ValueError(
            f"costs: these are of decisions between two classes; {use_case.task} has none, "
            "leave them out"
        )
    target = use_case.target
    classes = ("false", "true") if target.type == "boolean" else target.values or ()
    if len(classes) != 2:
        raise ValueError(
            f"costs: target {target.name!r} declares {len(classes) or 'no'} values, and costs are "
            "of decisions between two; give it two values, or leave costs out"
        )
    require_known("costs.positive", [use_case.costs.positive], classes)


def _check_labels(use_case: UseCase) -> None:
    if use_case.labels is None:
        return
    if use_case.task == "experiment":
        raise ValueError("labels: an experiment has a response in each run; leave labels out")
    if use_case.key.type not in ("integer", "text", "category"):
        raise ValueError(
            f"labels: the key {use_case.key.name!r} is a {use_case.key.type} column, and labels "
            "find their rows by a key of type integer, text or category"
        )
    if use_case.target.required:
        raise ValueError(
            f"columns: target {use_case.target.name!r} is required, and with labels that come "
            "later a row has none at first; remove required"
        )


def _check_trial(use_case: UseCase) -> None:
    trial = use_case.trial
    if trial is None:
        return
    if use_case.task == "experiment":
        raise ValueError("trial: an experiment has no model to try; leave trial out")
    if use_case.promotion == "manual":
        raise ValueError(
            "trial: promotion is manual, and a trial promotes by itself; remove one of both"
        )
    if trial.labelled_rows is not None and use_case.labels is None:
        raise ValueError(
            f"trial.labelled_rows: {trial.labelled_rows} rows with a label are waited for, and "
            "the use case has no labels; add labels, or set null and hours"
        )


Ranges = Mapping[str, tuple[float | None, float | None]]


def _check_gate(ranges: Ranges, position: int, gate: Gate) -> None:
    where = f"gates[{position}]"
    if gate.metric in POSITIVE_RANGES and gate.metric not in ranges:
        raise ValueError(
            f"{where}.metric: {gate.metric} needs costs, which name the positive class"
        )
    require_known(f"{where}.metric", [gate.metric], ranges)
    low, high = ranges[gate.metric]
    if gate.metric in LOWER_IS_BETTER:
        if gate.at_most is None:
            raise ValueError(
                f"{where}.at_least: {gate.metric} is better when it is lower, and "
                f"{gate.at_least} would refuse the better models; use at_most"
            )
        if low is not None and gate.at_most < low:
            raise ValueError(
                f"{where}.at_most: {gate.metric} is never below {low}, got {gate.at_most}"
            )
        idle = high is not None and gate.at_most >= high
    else:
        if gate.at_least is None:
            raise ValueError(
                f"{where}.at_most: {gate.metric} is better when it is higher, and "
                f"{gate.at_most} would refuse the better models; use at_least"
            )
        if high is not None and gate.at_least > high:
            raise ValueError(
                f"{where}.at_least: {gate.metric} never exceeds {high}, got {gate.at_least}"
            )
        idle = low is not None and gate.at_least <= low
    if idle:
        raise ValueError(
            f"{where}: every {gate.metric} keeps this bound, because it is from {low} to {high}, "
            f"got {gate.at_least if gate.at_most is None else gate.at_most}; "
            "give a bound inside or remove the gate"
        )
