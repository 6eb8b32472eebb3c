"""What says how each step of the cleaning is made: the YAML of the source, and the SQL of dbt.

Belongs here: digests of definitions, without Leeway's own code. Does not belong here: whether a
node must be materialized again (`leeway.code_version`), or what a change of one means
(`leeway.drift.origin`).

What merely names the data is no definition: a batch more in `batch_by`, or the digest of a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from leeway.digests import digest_of, digest_of_files
from leeway.spec import UseCase

SAID_ONLY = ("description", "role")  # of a column: they change no value
# Below the project; `{name}` is the use case.
_MACROS = "dbt_project/macros/*.sql"
SQL = {
    "staged": ("dbt_project/models/{name}/staging/*.sql", _MACROS),
    "clean": ("dbt_project/models/{name}/marts/*.sql", _MACROS),
}


def definitions_of(name: str, use_case: UseCase, project: Path) -> dict[str, str]:
    """Digest by layer of what says how it is made, each without those before it.

    Raw has one for its source and one for each column, by `of_column`.
    """
    fields = use_case.model_dump(mode="json", include={"source", "columns"})
    found = {"raw": digest_of(_how_it_is_read(fields["source"]))}
    for column in fields["columns"]:
        found[of_column("raw", column["name"])] = digest_of(
            {key: column[key] for key in sorted(column) if key not in SAID_ONLY}
        )
    for layer, patterns in SQL.items():
        files = (project.glob(pattern.format(name=name)) for pattern in patterns)
        found[layer] = digest_of_files(chain.from_iterable(files))
    return found


def _how_it_is_read(source: Mapping[str, Any]) -> dict[str, Any]:
    found = {key: value for key, value in source.items() if key != "digest"}
    if "batches" in (found.get("batch_by") or {}):
        found["batch_by"] = found["batch_by"]["column"]
    return found


def of_column(layer: str, column: str) -> str:
    """The name of a column's own definition at a layer."""
    return f"{layer}.{column}"
