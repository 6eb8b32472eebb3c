"""A form that is made from the inputs of a release, so that it asks for what the model reads.

Belongs here: one field per input. Does not belong here: what is done with the instance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

COLUMNS = 3


def instance_form(inputs: Sequence[Mapping[str, Any]], button: str, key: str) -> dict[str, Any]:
    """The instance that is filled in; the example of the release until somebody changes it.

    Empty once nothing was sent yet. A field that is left empty is missing.
    """
    with st.form(key):
        columns = st.columns(COLUMNS)
        found = {
            each["name"]: _field(columns[position % COLUMNS], each, f"{key}.{each['name']}")
            for position, each in enumerate(inputs)
        }
        sent = st.form_submit_button(button, type="primary")
    return found if sent else {}


def label_of(each: Mapping[str, Any]) -> str:
    """The name of an input with its unit."""
    unit = f" [{each['unit']}]" if each["unit"] else ""
    return f"{each['name']}{unit}{' *' if each['required'] else ''}"


def _field(column: Any, each: Mapping[str, Any], key: str) -> Any:
    label, told = label_of(each), _help(each)
    if each["type"] == "boolean":
        return column.selectbox(
            label, [None, True, False], index=[None, True, False].index(each["example"]),
            help=told, key=key, format_func=_shown,
        )  # fmt: skip
    if each["type"] == "category":
        return _category(column, each, label, told, key)
    kind = int if each["type"] == "integer" else float
    low, high = (None if each[end] is None else kind(each[end]) for end in ("low", "high"))
    example = None if each["example"] is None else kind(each["example"])
    step = 1 if kind is int else None
    return column.number_input(
        label, low, high, example, step, help=told, key=key, placeholder="missing",
        format="%d" if kind is int else "%g",
    )  # fmt: skip


def _category(column: Any, each: Mapping[str, Any], label: str, told: str, key: str) -> str | None:
    options = list(each["values"] if each["values"] is not None else each["seen"] or [])
    example = each["example"]
    chosen: str | None = column.selectbox(
        label,
        options,
        index=options.index(example) if example in options else None,
        help=told,
        key=key,
        placeholder="missing",
        accept_new_options=each["values"] is None,
    )
    return chosen


def _help(each: Mapping[str, Any]) -> str:
    told = str(each["description"])
    if each["seen_low"] is not None:
        told += f"; the model was trained on {each['seen_low']:.15g} to "
        told += f"{each['seen_high']:.15g}"
    return told


def _shown(value: bool | None) -> str:
    return "missing" if value is None else ("yes" if value else "no")
