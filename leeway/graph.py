"""The asset graph of one use case: its nodes, what each reads, and the fields it depends on.

Belongs here: names, edges, and the fields of the use case that a node's result depends on. Does not
belong here: how a node is computed (`assets`), when (`leeway.plan`), the files that its result
depends on (`leeway.node_code`), or the digest of both (`leeway.code_version`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from leeway.spec import Task, UseCase


@dataclass(frozen=True)
class Node:
    """One node: `upstream` names its inputs, `fields` the YAML that its result depends on.

    A field may name a part of one, such as `retraining.non_inferiority`.

    `per_batch` nodes are materialized batch by batch; the batches of `live` ones are windows of
    live traffic, else they are those of the source. `checks` names the checks that Leeway itself
    has for the node; dbt's tests come on top. `settled` names inputs that it takes as they are when
    it is made: what becomes of them later is news, and does not make it stale.
    """

    name: str
    upstream: tuple[str, ...]
    fields: tuple[str, ...] = ()
    per_batch: bool = False
    checks: tuple[str, ...] = ()
    settled: tuple[str, ...] = ()
    live: bool = False


DATA_NODES = (
    Node("raw", (), ("source", "columns", "required_any"), per_batch=True, checks=("few_rejects",)),
    Node("staged", ("raw",), per_batch=True),
    Node("clean", ("staged",), per_batch=True),
)
LABELS = Node("labels", ("clean",), ("labels", "columns"), per_batch=True)
MODEL_NODES = (
    Node("profile", ("clean",), ("columns",), per_batch=True),
    Node("training_set", ("clean",), ("task", "columns", "split", "max_rejected")),
    Node("model_selection", ("training_set",), ("imputation", "features", "search")),
    Node("tuned_model", ("training_set", "model_selection"), ("imputation", "features", "search")),
    Node("explainers", ("training_set", "tuned_model"), ("explanation", "costs")),
    Node("reference_profile", ("training_set", "profile"), ("columns",)),
    Node(
        "release",
        ("training_set", "model_selection", "tuned_model", "explainers", "reference_profile"),
        (
            "title",
            "task",
            "columns",
            "costs",
            "gates",
            "promotion",
            "monitoring.segments",
            "retraining.non_inferiority",
        ),
        checks=("passes_gates",),
    ),
    Node(
        "drift", ("profile", "release"), ("columns", "drift"), per_batch=True, checks=("no_drift",)
    ),
    Node(
        "damage",
        ("clean", "release"),
        ("task", "columns", "damage", "drift", "search.metric"),
        per_batch=True,
        checks=("no_damage",),
    ),
    Node("predictions", ("clean", "release"), ("columns", "explanation", "drift"), per_batch=True),
    Node(
        "performance",
        ("predictions", "clean", "release"),
        ("monitoring.segments", "columns", "costs", "gates"),
        per_batch=True,
        checks=("keeps_gates",),
    ),
    Node(
        "report",
        ("raw", "clean", "drift", "damage", "predictions", "performance", "release"),
        ("title", "columns", "max_rejected", "gates"),
        per_batch=True,
    ),
)
# A window is held against the champion of its time: another one is news for the next window.
TRAFFIC_NODES = (
    Node("traffic", (), ("columns",), per_batch=True, checks=("few_warnings",), live=True),
    Node(
        "traffic_drift",
        ("traffic", "release"),
        ("columns", "drift"),
        per_batch=True,
        checks=("no_drift",),
        settled=("release",),
        live=True,
    ),
    Node(
        "traffic_performance",
        ("traffic", "release"),
        ("monitoring.segments", "columns", "costs", "gates"),
        per_batch=True,
        checks=("keeps_gates",),
        settled=("release",),
        live=True,
    ),
)
EXPERIMENT_NODES = (
    Node(
        "experiment",
        ("clean",),
        ("columns", "max_rejected", "experiment.factors", "experiment.generators"),
        checks=("is_balanced", "has_pure_error"),
    ),
    Node("effects", ("experiment",), ("experiment.direction",), checks=("best_setting_holds",)),
    Node("savings", ("experiment", "effects"), ("experiment.savings",)),
)


def nodes_of(task: Task) -> tuple[Node, ...]:
    """The nodes that read the source, or what was made of it, each after everything it reads."""
    return DATA_NODES + (EXPERIMENT_NODES if task == "experiment" else MODEL_NODES)


def graph_of(use_case: UseCase) -> tuple[Node, ...]:
    """The nodes of a use case, each after everything that it reads."""
    block = use_case.experiment
    without_costs = block is not None and block.savings is None
    found = nodes_of(use_case.task)
    if use_case.labels is not None:
        found = _with_labels(found)
    if use_case.task != "experiment":
        found += TRAFFIC_NODES
    return tuple(each for each in found if not (each.name == "savings" and without_costs))


def _with_labels(nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    """The nodes where labels come apart from their rows: what reads a target reads them, too."""
    readers = {
        "training_set": {"settled": ("labels",)},  # as a new batch: trained on when it is wanted
        "performance": {},
    }
    found = []
    for each in nodes:
        if each.name in readers:
            upstream = (*each.upstream, "labels")
            each = replace(each, upstream=upstream, settled=readers[each.name].get("settled", ()))
        found += [each, LABELS] if each.name == "clean" else [each]
    return tuple(found)


def node(name: str) -> Node:
    """The node called `name`.

    Raises:
        KeyError: when there is none.
    """
    for each in (*DATA_NODES, LABELS, *MODEL_NODES, *TRAFFIC_NODES, *EXPERIMENT_NODES):
        if each.name == name:
            return each
    raise KeyError(name)
