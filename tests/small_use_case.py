"""A use case of three columns, for tests of where its rows come from."""

from __future__ import annotations

from typing import Any

from leeway.spec import UseCase


def small(source: dict[str, Any], **attributes: Any) -> UseCase:
    """A regression of `y` on `x`, with the key `id`."""
    columns = [
        {"name": "id", "type": "integer", "role": "key"},
        {"name": "x", "type": "number"},
        {"name": "y", "type": "number", "role": "target"},
    ]
    return UseCase.model_validate(
        {
            "title": "t",
            "task": "regression",
            "source": source,
            "columns": [{"description": "d"} | column for column in columns],
            **attributes,
        }
    )
