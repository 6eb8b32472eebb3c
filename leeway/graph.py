"""The asset graph of one use case: its nodes, what each reads, and what its result depends on.

Belongs here: names, edges, the code and the fields of the use case that a node's result depends
on. Does not belong here: how a node is computed (`assets`), when (`leeway.plan`), or the digest of
what it depends on (`leeway.code_version`).
"""

from __future__ import annotations

from dataclasses import dataclass

from leeway.spec import Task, UseCase


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
    "leeway/training/rounds.py",
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
    "leeway/training/trials.py",
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
    "leeway/metrics/costs.py",
    "leeway/metrics/positive.py",
)
_ANALYSING = (
    "assets/design.py",
    "leeway/experiment/aliases.py",
    "leeway/experiment/coding.py",
    "leeway/experiment/design.py",
    "leeway/experiment/missing_cells.py",
    "leeway/experiment/runs.py",
    "leeway/experiment/yates.py",
    "leeway/experiment/anova.py",
    "leeway/experiment/best_setting.py",
    "leeway/experiment/effects.py",
    "leeway/experiment/error.py",
    "leeway/experiment/summary.py",
)
DATA_NODES = (
    Node(
        "raw",
        (),
        (
            "assets/judging.py",
            "assets/loading.py",
            "assets/raw.py",
            "resources/files.py",
            "resources/opening.py",
            "resources/quiet.py",
            "resources/sources/*.py",
            "resources/stand_ins.py",
            "resources/warehouse.py",
            "leeway/data/messages.py",
            "leeway/data/records.py",
            "leeway/data/simulation.py",
            "leeway/data/synthetic.py",
            "leeway/experiment/aliases.py",
            "leeway/experiment/cells.py",
            "leeway/data/notations.py",
            "leeway/data/shared_keys.py",
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
            "leeway/metrics/bootstrap.py",
            "leeway/metrics/costs.py",
            *_FITTING,
            *_CHOOSING,
        ),
        ("explanation", "costs"),
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
            "leeway/performance.py",
            "leeway/release.py",
            "leeway/prediction.py",
            "leeway/data/frames.py",
            "leeway/data/training_set.py",
            "leeway/explainers/conformal.py",
            "leeway/training/model_file.py",
            *_METRICS,
        ),
        (
            "title",
            "task",
            "columns",
            "costs",
            "gates",
            "promotion",
            "monitoring",
            "retraining.non_inferiority",
        ),
        checks=("passes_gates",),
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
        ("predictions", "clean", "release"),
        (
            "assets/performance.py",
            "leeway/performance.py",
            "leeway/data/frames.py",
            "leeway/data/training_set.py",
            *_METRICS,
        ),
        ("monitoring", "columns", "costs", "gates"),
        per_batch=True,
        checks=("keeps_gates",),
    ),
    Node(
        "report",
        ("raw", "clean", "drift", "performance", "release"),
        (
            "assets/report.py",
            "leeway/report.py",
            "leeway/data/quality.py",
            "leeway/drift/verdict.py",
            "leeway/drift/cells.py",
            "leeway/drift/distances.py",
            "leeway/drift/effects.py",
            "leeway/drift/profile.py",
            "resources/pdf.py",
        ),
        ("title", "columns", "max_rejected"),
        per_batch=True,
    ),
)
EXPERIMENT_NODES = (
    Node(
        "experiment",
        ("clean",),
        (
            "assets/experiment.py",
            "resources/warehouse.py",
            "leeway/data/notations.py",
            "leeway/data/values.py",
            *_ANALYSING,
        ),
        ("columns", "max_rejected", "experiment.factors", "experiment.generators"),
        checks=("is_balanced", "has_pure_error"),
    ),
    Node(
        "effects",
        ("experiment",),
        ("assets/effects.py", "leeway/experiment/plots.py", *_ANALYSING),
        ("experiment.direction",),
        checks=("best_setting_holds",),
    ),
    Node(
        "savings",
        ("experiment", "effects"),
        (
            "assets/savings.py",
            "resources/warehouse.py",
            "leeway/experiment/lives.py",
            "leeway/experiment/payback.py",
            "leeway/experiment/savings.py",
            *_ANALYSING,
        ),
        ("experiment.savings",),
    ),
)


def nodes_of(task: Task) -> tuple[Node, ...]:
    """The nodes that a task can have, each after everything that it reads."""
    return DATA_NODES + (EXPERIMENT_NODES if task == "experiment" else MODEL_NODES)


def graph_of(use_case: UseCase) -> tuple[Node, ...]:
    """The nodes of a use case, each after everything that it reads."""
    block = use_case.experiment
    without_costs = block is not None and block.savings is None
    found = nodes_of(use_case.task)
    return tuple(each for each in found if not (each.name == "savings" and without_costs))


def node(name: str) -> Node:
    """The node called `name`.

    Raises:
        KeyError: when there is none.
    """
    for each in DATA_NODES + MODEL_NODES + EXPERIMENT_NODES:
        if each.name == name:
            return each
    raise KeyError(name)
