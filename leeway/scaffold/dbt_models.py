"""The dbt models of a use case as text: a view that stages raw rows, and the clean table.

Belongs here: SQL and YAML for the columns of any use case. Does not belong here: the macros that
they use (`dbt_project/macros`), or writing files.

dbt reads Jinja in the YAML, too: neither a description nor a value of the data gets through as
code.
"""

from __future__ import annotations

import math
import re
from typing import Any

import yaml

from leeway.data.values import POSTGRES_TYPES
from leeway.spec import Column, UseCase

_JINJA = ("{{", "{%", "{#")
_OURS = (
    ("batch_id", "text", "Batch that the row came with."),
    ("loaded_at", "timestamp with time zone", "When the batch was loaded."),
)
_PLACE = "Topic, partition and offset of the row, where it came as a message."
_STAGED = """\
{{{{ config(materialized='view', alias='staged', \
meta={{'dagster': {{'asset_key': ['{name}', 'staged'], 'group': '{name}'}}}}) }}}}

-- Values are typed, and missing codes are null. Put one spelling per category, and anything else
-- that SQL can say of a row, here; nothing is filtered, so that counts agree with raw.
select
{columns}
from {{{{ source('{name}', 'raw') }}}}
"""
_CLEAN = """\
{{{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='append_new_columns',
    alias='clean',
    contract={{'enforced': true}},
    indexes=[{{'columns': ['batch_id']}}],
    pre_hook="{{{{ delete_batches() }}}}",
    post_hook="{{{{ fence('{name}', 'clean') }}}}",
    meta={{'dagster': {{'asset_key': ['{name}', 'clean'], 'group': '{name}'}}}}
) }}}}

-- Every column of staged, and no other one: the contract refuses what _marts.yml does not declare.
select *
from {{{{ ref('{name}_staged') }}}}
{{% if is_incremental() %}}
where {{{{ batch_filter() }}}}
{{% endif %}}
"""


def render_models(name: str, use_case: UseCase) -> dict[str, str]:
    """The files of `dbt_project/models/<name>` by their path there.

    Args:
        name: of the use case, an identifier.
        use_case: gives the columns; those that are ignored are in no model.
    """
    columns = [column for column in use_case.columns if column.role != "ignored"]
    names = [column.name for column in columns] + [ours[0] for ours in _OURS]
    selected = ",\n".join(f"    {each}" for each in names)
    return {
        "staging/_sources.yml": _yaml("sources", _source(name, use_case, columns)),
        "staging/_staging.yml": _yaml("models", _staged(name, columns)),
        f"staging/{name}_staged.sql": _STAGED.format(name=name, columns=selected),
        "marts/_marts.yml": _yaml("models", _clean(name, use_case, columns)),
        f"marts/{name}_clean.sql": _CLEAN.format(name=name),
    }


def _yaml(kind: str, content: dict[str, Any]) -> str:
    whole = {"version": 2, kind: [content]}
    text: str = yaml.safe_dump(
        whole, default_flow_style=None, sort_keys=False, allow_unicode=True, width=math.inf
    )
    return text


def _source(name: str, use_case: UseCase, columns: list[Column]) -> dict[str, Any]:
    number = {"name": "row_number", "description": "Position of the row in its batch, from 1."}
    ours = [{"name": each, "description": said} for each, _, said in _OURS]
    reasons = [
        {"name": "column_name", "description": "Column that the reason is about."},
        {"name": "value", "description": "The value as text."},
        {"name": "reason", "description": "Why the row was rejected."},
        {"name": "place", "description": _PLACE},
    ]
    accepted = "One row per row that passed the row rules; rejected rows are in rejects."
    rejected = "Why rows of a batch were not accepted, one line per reason."
    declared = [{"name": c.name, "description": description_of(c)} for c in columns]
    return {
        "name": name,
        "schema": name,
        "description": _plain(f"{use_case.title}: the rows as their source gave them."),
        "tables": [
            {"name": "raw", "description": accepted, "columns": [*declared, number, *ours]},
            {"name": "rejects", "description": rejected, "columns": [number, *reasons, *ours]},
        ],
    }


def _staged(name: str, columns: list[Column]) -> dict[str, Any]:
    return {
        "name": f"{name}_staged",
        "description": "Raw rows, typed; as many rows as raw.",
        "columns": [
            *({"name": c.name, "data_type": _type(c), "description": description_of(c)}
              for c in columns),
            *({"name": each, "data_type": kind, "description": said} for each, kind, said in _OURS),
        ],
    }  # fmt: skip


def _clean(name: str, use_case: UseCase, columns: list[Column]) -> dict[str, Any]:
    tested: list[dict[str, Any]] = [_tested(name, column) for column in columns]
    for each, kind, said in _OURS:
        tested.append({"name": each, "description": said, "data_type": kind})
    tested[-2]["data_tests"] = [_test("not_null")]
    of_many = _tests_of_columns(name, columns)
    return {
        "name": f"{name}_clean",
        "description": _plain(
            f"{use_case.title}: checked rows; what training, drift and predictions read."
        ),
        **({"data_tests": of_many} if of_many else {}),
        "columns": tested,
    }


def _tests_of_columns(name: str, columns: list[Column]) -> list[dict[str, Any]]:
    """One test for the ranges of all columns, and one for their values.

    dbt needs a third of a second for a test, whatever it looks at: 300 of them took minutes.
    """
    ranges = {
        c.name: list(c.range) for c in columns if c.range is not None and c.range != (None, None)
    }
    values = {
        c.name: list(c.values)
        for c in columns
        if c.values and not any(mark in value for value in c.values for mark in _JINJA)
    }
    found = []
    if ranges:
        found.append(_test("within_ranges", {"ranges": ranges}, f"{name}_clean_within_ranges"))
    if values:
        found.append(_test("among_values", {"values": values}, f"{name}_clean_among_values"))
    return found


def _tested(name: str, column: Column) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": column.name,
        "description": description_of(column),
        "data_type": _type(column),
    }
    tests: list[Any] = []
    if column.role == "key":
        found["constraints"] = [{"type": "not_null"}]
        # unique looks at all batches; each other test at what a row says of itself.
        known = {"to": f"ref('{name}_staged')", "field": column.name}
        tests += ["unique", _test("not_null"), _test("relationships", known)]
    elif column.required:
        tests.append(_test("not_null"))
    return found | ({"data_tests": tests} if tests else {})


def _test(
    kind: str, arguments: dict[str, Any] | None = None, name: str | None = None
) -> dict[str, Any]:
    called = {"name": name} if name else {}
    given = {"arguments": arguments} if arguments else {}
    return {kind: {**called, **given, "config": {"where": "these_batches"}}}


def _type(column: Column) -> str:
    return POSTGRES_TYPES[column.type].replace("timestamptz", "timestamp with time zone")


def description_of(column: Column) -> str:
    """What the column is, with its unit and what the source calls it."""
    unit = f", in {column.unit}" if column.unit else ""
    called = f" ({column.source_name!r} in the source)" if column.source_name is not None else ""
    said = f"{column.description[:1].upper()}{column.description[1:]}{unit}{called}."
    return _plain(said)


def _plain(text: str) -> str:
    """The text with nothing that Jinja would read."""
    return re.sub(r"\{(?=[{%#])", "{ ", text)
