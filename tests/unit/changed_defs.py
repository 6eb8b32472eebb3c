"""A defs.yaml that is valid, and changes of it that need not be.

Belongs here: its content, and putting a value into it. Does not belong here: what is refused.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

Change = Callable[[dict[str, Any]], object]

ATTRIBUTES: dict[str, Any] = {
    "title": "Flowers",
    "task": "classification",
    "source": {
        "kind": "file",
        "path": "flowers.csv",
        "batch_by": {"column": "year", "batches": {"first": [2001, 2002], "second": [2003]}},
    },
    "columns": [
        {"name": "id", "type": "integer", "role": "key", "description": "number"},
        {"name": "kind", "type": "category", "role": "target", "description": "kind"},
        {"name": "petal_mm", "type": "number", "range": [0, 90], "description": "petal"},
        {"name": "stem_mm", "type": "number", "description": "stem"},
        {"name": "soil", "type": "category", "values": ["wet", "dry"], "description": "soil"},
        {"name": "year", "type": "integer", "role": "time", "description": "year"},
        {"name": "note", "type": "text", "role": "ignored", "description": "remark"},
    ],
    "features": [
        {"kind": "ratio", "name": "slim", "numerator": "stem_mm", "denominator": "petal_mm"}
    ],
    "gates": [{"metric": "macro_f1", "at_least": 0.9}],
    "freshness": {"warn_after": "1d", "fail_after": "36h"},
    "monitoring": {"segments": ["soil"]},
}


def write(folder: Path, text: str, name: str = "flowers") -> Path:
    path = folder / name / "defs.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def changed(folder: Path, change: Change) -> Path:
    attributes = copy.deepcopy(ATTRIBUTES)
    change(attributes)
    content = {"type": "orchestration.components.UseCaseComponent", "attributes": attributes}
    return write(folder, yaml.safe_dump(content, sort_keys=False))


def put(value: object, *path: str | int) -> Change:
    def change(attributes: Any) -> None:
        for key in path[:-1]:
            attributes = attributes[key]
        attributes[path[-1]] = value

    return change


def column(position: int, **fields: object) -> Change:
    return lambda attributes: attributes["columns"][position].update(fields)


def batches(**held: object) -> Change:
    return put(held, "source", "batch_by", "batches")
