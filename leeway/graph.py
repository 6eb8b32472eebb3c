"""The asset graph of one use case: its nodes, what each reads, and what its result depends on.

Belongs here: names, edges, the code and the fields of the use case that a node's result depends
on. Does not belong here: how a node is computed (`assets`) or when (`leeway.plan`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from leeway.digests import digest_of, digest_of_files
from leeway.spec import Task, UseCase

PROJECT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Node:
    """One node: `upstream` names its inputs, `code` the files and `fields` the YAML it depends on.

    A field may name a part of one, such as `retraining.non_inferiority`.

    `per_batch` nodes are materialized batch by batch. `code` may hold `{name}`, the use case.
    `checks` names the checks that Leeway itself has for the node; dbt's tests come on top.
    """

    name: str
    upstream: tuple[str, ...]
    code: tuple[str, ...]
    fields: tuple[str, ...] = ()
    per_batch: bool = False
    checks: tuple[str, ...] = ()


# Modules that several nodes rest on; each node lists what its own modules import, too.
_FITTING = (
    "leeway/training/candidates.py",
    "leeway/training/estimators.py",
    "leeway/training/folds.py",
    "leeway/training/preprocessing.py",
    "leeway/training/transformers.py",
)
_CHOOSING = (
    "leeway/training/clusters.py",
    "leeway/training/decisions.py",
    "leeway/training/imputation.py",
    "leeway/training/scoring.py",
    "leeway/metrics/bootstrap.py",
    "leeway/metrics/evaluation.py",
    "leeway/metrics/formulas.py",
    "leeway/metrics/inputs.py",
    "leeway/metrics/perfection.py",
)
_SEARCHING = (
    "assets/choices.py",
    "assets/training.py",
    "assets/training_set.py",
    "leeway/data/frames.py",
    "leeway/data/training_set.py",
    *_FITTING,
    "leeway/training/readable.py",
    "leeway/training/search.py",
    "leeway/training/tuning.py",
    "leeway/training/model_file.py",
    *_CHOOSING,
)
_METRICS = (
    "leeway/metrics/evaluation.py",
    "leeway/metrics/formulas.py",
    "leeway/metrics/inputs.py",
    "leeway/metrics/bootstrap.py",
    "leeway/metrics/perfection.py",
)
DATA_NODES = (
    Node(
        "raw",
        (),
        (
            "assets/raw.py",
            "resources/files.py",
            "resources/quiet.py",
            "resources/sources/*.py",
            "resources/stand_ins.py",
            "resources/warehouse.py",
            "leeway/data/records.py",
            "leeway/data/synthetic.py",
            "leeway/data/validation.py",
            "leeway/data/values.py",
        ),
        ("source", "columns", "required_any"),
        per_batch=True,
        checks=("few_rejects",),
    ),
    Node(
        "staged",
        ("raw",),
        ("assets/cleaning.py", "dbt_project/models/{name}/staging/*", "dbt_project/macros/*"),
        per_batch=True,
    ),
    Node(
        "clean",
        ("staged",),
        # staged is a view: its SQL runs when clean is built.
        ("assets/cleaning.py", "dbt_project/models/{name}/*/*", "dbt_project/macros/*"),
        per_batch=True,
    ),
)
MODEL_NODES = (
    Node(
        "training_set",
        ("clean",),
        ("assets/training_set.py", "leeway/data/training_set.py", "leeway/data/frames.py"),
        ("task", "columns", "split", "max_rejected"),
    ),
    Node(
        "model_selection",
        ("training_set",),
        _SEARCHING,
        ("imputation", "features", "search"),
    ),
    Node(
        "tuned_model",
        ("training_set", "model_selection"),
        _SEARCHING,
        ("imputation", "features", "search"),
    ),
    Node(
        "explainers",
        ("training_set", "tuned_model"),
        (
            "assets/explainers.py",
            "assets/training_set.py",
            "leeway/data/frames.py",
            "leeway/data/training_set.py",
            "leeway/training/model_file.py",
            "leeway/explainers/shapley.py",
            "leeway/explainers/neighbourhood.py",
            "leeway/explainers/calibration.py",
            "leeway/explainers/conformal.py",
            *_FITTING,
            *_CHOOSING,
        ),
        ("explanation",),
    ),
    Node(
        "reference_profile",
        ("training_set",),
        (
            "assets/reference_profile.py",
            "assets/training_set.py",
            "leeway/data/training_set.py",
            "leeway/drift/profile.py",
            "leeway/drift/cells.py",
        ),
        ("columns",),
    ),
    Node(
        "release",
        ("training_set", "model_selection", "tuned_model", "explainers", "reference_profile"),
        (
            "assets/release.py",
            "assets/training_set.py",
            "leeway/evidence.py",
            "leeway/manifest.py",
            "leeway/release.py",
            "leeway/prediction.py",
            "leeway/data/frames.py",
            "leeway/data/training_set.py",
            "leeway/explainers/conformal.py",
            "leeway/training/model_file.py",
            *_METRICS,
        ),
        ("title", "task", "columns", "gates", "retraining.non_inferiority"),
        checks=("passes_gates",),
    ),
    Node(
        "predictions",
        ("clean", "release"),
        (
            "assets/predictions.py",
            "leeway/prediction.py",
            "leeway/explainers/conformal.py",
            "leeway/data/frames.py",
        ),
        ("columns", "explanation"),
        per_batch=True,
    ),
    Node(
        "performance",
        ("predictions", "clean"),
        ("assets/performance.py", "leeway/performance.py", "leeway/data/frames.py", *_METRICS),
        ("monitoring", "columns"),
        per_batch=True,
    ),
    Node(
        "drift",
        ("clean", "release"),
        (
            "assets/drift.py",
            "leeway/drift/verdict.py",
            "leeway/drift/cells.py",
            "leeway/drift/distances.py",
            "leeway/drift/effects.py",
            "leeway/drift/profile.py",
        ),
        ("columns", "drift"),
        per_batch=True,
        checks=("no_drift",),
    ),
)


def nodes_of(task: Task) -> tuple[Node, ...]:
    """The nodes of a use case, each after everything that it reads."""
    return DATA_NODES if task == "experiment" else DATA_NODES + MODEL_NODES


def node(name: str) -> Node:
    """The node called `name`.

    Raises:
        KeyError: when there is none.
    """
    for each in DATA_NODES + MODEL_NODES:
        if each.name == name:
            return each
    raise KeyError(name)


@cache
def _code_digest(patterns: tuple[str, ...]) -> str:
    files: list[Path] = []
    for pattern in patterns:
        found = [path for path in PROJECT.glob(pattern) if path.is_file()]
        files += found
    return digest_of_files(files)


def code_version(name: str, use_case: UseCase, each: Node) -> str:
    """Digest of everything but its inputs that decides a node's result: code and YAML."""
    patterns = tuple(pattern.format(name=name) for pattern in each.code)
    whole = use_case.model_dump(mode="json")
    fields = {field: _part(whole, field) for field in each.fields}
    return digest_of({"code": _code_digest(patterns), "fields": fields})


def _part(whole: Mapping[str, Any], field: str) -> Any:
    """The value at a dotted path."""
    found: Any = whole
    for name in field.split("."):
        found = found[name]
    return found


def with_upstream(nodes: Sequence[Node], versions: Mapping[str, str]) -> dict[str, str]:
    """Digest by node that changes with its own code version or one that it rests on.

    Dagster compares code versions node by node: with these, what the UI calls stale after a change
    of code is what a run would materialize.
    """
    found: dict[str, str] = {}
    for each in nodes:
        read = [found[name] for name in each.upstream]
        found[each.name] = digest_of([versions[each.name], *read])
    return found


def input_digest(version: str, batch: str, upstream: dict[str, str]) -> str:
    """Digest that two materializations share exactly when nothing they depend on differs."""
    return digest_of({"version": version, "batch": batch, "upstream": upstream})
