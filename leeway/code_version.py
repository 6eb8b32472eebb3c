"""Digests of what a node's result depends on: its code, the fields of its use case, its inputs.

Belongs here: versions of nodes. Does not belong here: which files (`leeway.node_code`) and fields
(`leeway.graph`) a node names, or what follows from a version that changed (`leeway.plan`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from leeway.digests import digest_of, digest_of_files
from leeway.graph import Node
from leeway.node_code import CODE
from leeway.spec import UseCase

PROJECT = Path(__file__).resolve().parent.parent


@cache
def _code_digest(patterns: tuple[str, ...]) -> str:
    files: list[Path] = []
    for pattern in patterns:
        found = [path for path in PROJECT.glob(pattern) if path.is_file()]
        files += found
    return digest_of_files(files)


def definition_of(name: str, use_case: UseCase, each: Node) -> dict[str, Any]:
    """Everything but its inputs that decides a node's result: digest of its code, and its YAML."""
    patterns = tuple(pattern.format(name=name) for pattern in CODE[each.name])
    whole = use_case.model_dump(mode="json")
    fields = {field: _part(whole, field) for field in each.fields}
    return {"code": _code_digest(patterns), "fields": fields}


def code_version(name: str, use_case: UseCase, each: Node) -> str:
    """Digest of `definition_of`."""
    return digest_of(definition_of(name, use_case, each))


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
