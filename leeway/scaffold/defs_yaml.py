"""A use case as the text of its `defs.yaml`.

Belongs here: layout and quoting. Does not belong here: what the use case says
(`leeway.scaffold.draft`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import yaml

from leeway.spec import Column, UseCase

_TYPE = "orchestration.components.UseCaseComponent"


def render_defs(use_case: UseCase, assumptions: Sequence[str]) -> str:
    """The text of the file; read again, its `attributes` are `use_case`.

    Fields at their defaults are left out. The assumptions are comments at the top.
    """
    whole = use_case.model_dump(mode="json", exclude_defaults=True)
    columns = whole.pop("columns")
    head = ["# Written by `leeway new`, and yours to edit. What it assumed:"]
    head += [f"# - {_one_line(sentence)}" for sentence in assumptions]
    body = [f"  {key}: {flow(value)}" for key, value in whole.items()]
    body += ["", "  columns:"]
    # The type has no default, and the order is that of the schema.
    body += [f"    - {flow(_tidy(each))}" for each in columns]
    return "\n".join([*head, f"type: {_TYPE}", "", "attributes:", *body, ""])


def flow(value: Any) -> str:
    """A value as YAML on one line."""
    text = yaml.safe_dump(
        value, default_flow_style=True, width=math.inf, allow_unicode=True, sort_keys=False
    )
    return text.removesuffix("\n...\n").rstrip("\n")


def _tidy(column: dict[str, Any]) -> dict[str, Any]:
    """A column with 0 instead of 0.0, and its description at the end."""
    tidy = {key: column[key] for key in Column.model_fields if key in column}
    if tidy.get("range"):
        tidy["range"] = [_whole(bound) for bound in tidy["range"]]
    tidy["description"] = tidy.pop("description")
    return tidy


def _whole(bound: float | None) -> float | int | None:
    return int(bound) if bound is not None and bound == int(bound) and abs(bound) < 1e15 else bound


def _one_line(sentence: str) -> str:
    """The sentence without what would end a comment."""
    return " ".join("".join(c if c.isprintable() else " " for c in sentence).split())
