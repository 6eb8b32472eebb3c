"""The text of the files of a use case: it says what that says, and nothing in it is code."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from leeway.scaffold.dbt_models import render_models
from leeway.scaffold.defs_yaml import render_defs
from leeway.scaffold.names import identifiers, unit_of
from leeway.scaffold.ranges import range_of
from leeway.spec import UseCase
from leeway.spec.rules import is_own

COLUMNS: list[dict[str, Any]] = [
    {"name": "id", "type": "text", "role": "key", "from_position": True, "description": "the row"},
    {"name": "mass_g", "type": "number", "unit": "g", "range": (0, 9.5), "missing": ("NA",),
     "source_name": "Mass (g)", "description": "mass"},
    {"name": "open", "type": "number", "range": (None, 5), "description": "half a range"},
    {"name": "kind", "type": "category", "values": ("O'Brien", "yes", "1"), "description": "kind"},
    {"name": "note", "type": "text", "role": "ignored", "description": "free text"},
    {"name": "at", "type": "timestamp", "role": "time", "required": True, "description": "when"},
    {"name": "y", "type": "boolean", "role": "target", "description": "what is predicted"},
]  # fmt: skip


def use_case(**attributes: Any) -> UseCase:
    whole = {
        "title": "T", "task": "classification", "columns": COLUMNS,
        "source": {"kind": "file", "path": "t.csv"},
        "gates": [{"metric": "macro_f1", "at_least": 0.4}],
    }  # fmt: skip
    return UseCase.model_validate(whole | attributes)


def test_the_text_of_defs_yaml_is_the_use_case() -> None:
    text = render_defs(use_case(), ["a sentence", "two\nlines\x07, and a # and: more"])
    content = yaml.safe_load(text)
    assert content["type"] == "orchestration.components.UseCaseComponent"
    assert UseCase.model_validate(content["attributes"]) == use_case()
    assert "# - two lines , and a # and: more\n" in text


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.text(min_size=1, max_size=30).filter(lambda t: t == t.strip() and t))
def test_any_text_of_the_data_survives_defs_yaml(text: str) -> None:
    kinds = {**COLUMNS[3], "values": ("a", text + "b"), "source_name": text + " ", "missing": ()}
    made = use_case(columns=[*COLUMNS[:3], kinds, *COLUMNS[4:]], title=f"T {text}")
    assert UseCase.model_validate(yaml.safe_load(render_defs(made, [text]))["attributes"]) == made


def columns_of(text: str) -> dict[str, Any]:
    (model,) = yaml.safe_load(text)["models"]
    return {column["name"]: column for column in model["columns"]}


def test_models_have_every_column_that_is_stored_described_and_tested() -> None:
    files = render_models("mine", use_case())
    clean = columns_of(files["marts/_marts.yml"])
    stored = ["id", "mass_g", "open", "kind", "at", "y", "batch_id", "loaded_at"]
    assert list(clean) == list(columns_of(files["staging/_staging.yml"])) == stored
    assert all(column["description"] for column in clean.values())
    assert clean["mass_g"]["description"] == "Mass, in g ('Mass (g)' in the source)."
    assert clean["at"]["data_type"] == "timestamp with time zone"
    where = {"where": "these_batches"}
    known = {"to": "ref('mine_staged')", "field": "id"}
    assert clean["id"]["data_tests"] == [
        "unique",
        {"not_null": {"config": where}},
        {"relationships": {"arguments": known, "config": where}},
    ]
    assert clean["at"]["data_tests"] == [{"not_null": {"config": where}}]
    assert not any("data_tests" in clean[name] for name in ("mass_g", "open", "kind"))
    ranges, values = yaml.safe_load(files["marts/_marts.yml"])["models"][0]["data_tests"]
    assert ranges["within_ranges"] == {
        "name": "mine_clean_within_ranges",
        "arguments": {"ranges": {"mass_g": [0.0, 9.5], "open": [None, 5.0]}},
        "config": where,
    }
    assert values["among_values"]["arguments"] == {"values": {"kind": ["O'Brien", "yes", "1"]}}
    assert "    id,\n    mass_g,\n" in files["staging/mine_staged.sql"]
    assert "note" not in files["staging/mine_staged.sql"]
    assert "\nselect *\nfrom" in files["marts/mine_clean.sql"], "the contract names the columns"
    assert "contract={'enforced': true}" in files["marts/mine_clean.sql"]


@pytest.mark.parametrize("text", ["{{ env_var('HOME') }}", "{% do x %}", "{# x #}", "{{{{ 1"])
def test_what_jinja_would_read_is_in_no_model(text: str) -> None:
    kind = {**COLUMNS[3], "values": ("a", text), "source_name": text, "description": text}
    made = use_case(columns=[*COLUMNS[:3], kind, *COLUMNS[4:]], title=text)
    for place, content in render_models("mine", made).items():
        if place.endswith(".yml"):
            assert not any(mark in content for mark in ("{{", "{%", "{#")), place


def test_units_of_names() -> None:
    headers = {"bill_mm": "mm", "price_usd": "USD", "share_pct": "percent", "Torque [Nm]": "Nm",
               "Air temperature [K]": "K", "t (min)": "min", "t_min": None, "g": None,
               "Is it? (y/n)": None, "tenure_months": "months"}  # fmt: skip
    names = identifiers(list(headers))
    assert {header: unit_of(header, names[header]) for header in headers} == headers


def test_names_of_every_header_are_different_and_free() -> None:
    headers = ["", " ", "a", "A", "a ", "a_2", "9", "part", "select", "batch_1", "x" * 60, "X" * 60]
    names = identifiers(headers)
    assert list(names) == headers
    assert len(set(names.values())) == len(headers)
    assert (names[""], names["9"], names["select"]) == ("column_1", "source_9", "source_select")
    assert not any(is_own(name) for name in names.values())


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.lists(st.text(max_size=60), unique=True, min_size=1, max_size=8))
def test_any_header_gets_a_name(headers: list[str]) -> None:
    made = [
        {"name": name, "type": "number", "source_name": header, "description": "d"}
        for header, name in identifiers(headers).items()
    ]
    taken = {column["name"] for column in made}
    rest = [c for c in (COLUMNS[0], COLUMNS[6]) if c["name"] not in taken]
    if len(rest) == 2:
        use_case(columns=[*rest, *made])


@pytest.mark.parametrize(
    ("low", "high", "unit", "expected"),
    [
        (32.1, 59.6, "mm", (4.6, 88)), (0, 100, "percent", (0, 100)), (3, 3, None, (2.7, 3.3)),
        (-5, 5, None, (-15, 15)), (2, 40, "percent", (0, 100)), (0, 1e38, None, (0, None)),
        (-0.001, 0.002, None, (-0.004, 0.005)), (0, 0, None, (0, 0)),
    ],
)  # fmt: skip
def test_a_range_leaves_room_on_both_sides(
    low: float, high: float, unit: str | None, expected: tuple[float | None, float | None]
) -> None:
    assert range_of(low, high, unit) == pytest.approx(expected)
