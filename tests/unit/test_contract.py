"""A body is what the release takes, or is refused with the field, its value and what is allowed."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import pytest

from leeway.served.answers import warnings_of
from leeway.served.contract import MOST_INSTANCES, BadRequest, Contract
from leeway.served.inputs import inputs_of
from leeway.served.row_keys import LONGEST_KEY, RowKey
from leeway.spec import UseCase
from tests.unit.measured_penguins import ATTRIBUTES, TABLE


def use_case() -> UseCase:
    """Penguins with bounds of the bill, known islands, any sex, and a year that is required."""
    changed: dict[str, dict[str, Any]] = {
        "bill_length_mm": {"range": [20, 80]},
        "island": {"values": ["Biscoe", "Dream", "Torgersen"]},
        "sex": {"values": None},
        "year": {"role": "feature", "required": True},
    }
    columns = [{**each, **changed.get(each["name"], {})} for each in ATTRIBUTES["columns"]]
    return UseCase.model_validate(ATTRIBUTES | {"columns": columns})


INPUTS = inputs_of(TABLE, use_case())
CONTRACT = Contract(INPUTS)
EXAMPLE = {each.name: each.example for each in INPUTS}


def keyed(kind: str) -> Contract:
    """One whose rows have a key of that type."""
    return Contract(INPUTS, RowKey({"name": "penguin_id", "type": kind}))


def body(*instances: dict[str, Any]) -> bytes:
    return json.dumps({"instances": [EXAMPLE | each for each in instances]}).encode()


def instances(data: bytes) -> list[dict[str, Any]]:
    """The rows of a body, by name of the input."""
    return [CONTRACT.by_name(each) for each in CONTRACT.rows(data)]


def test_an_example_of_the_training_part_is_taken() -> None:
    assert instances(body({})) == [EXAMPLE]


def test_a_float_that_is_whole_is_an_integer_as_json_schema_has_it() -> None:
    (found,) = instances(body({"year": 2008.0, "bill_length_mm": 40.0}))
    assert (found["year"], type(found["year"])) == (2008, int)
    assert type(found["bill_length_mm"]) is float
    with pytest.raises(BadRequest) as caught:
        instances(body({"year": 1e25}))
    assert caught.value.problem.where == "instances[0].year"
    for odd in (b"[]", b'{"instances": 1}', b'{"instances": [1, null]}'):
        with pytest.raises(BadRequest):
            instances(odd)


def test_what_is_absent_is_missing_and_what_is_required_is_not() -> None:
    (found,) = instances(b'{"instances": [{"year": 2008}]}')
    assert found == {**dict.fromkeys(EXAMPLE), "year": 2008}
    with pytest.raises(BadRequest, match="year"):
        instances(b'{"instances": [{}]}')


@pytest.mark.parametrize(
    ("change", "where", "value", "allowed"),
    [
        ({"bill_length_mm": 81}, "bill_length_mm", 81, "number from 20 to 80 mm, or null"),
        ({"bill_length_mm": "40"}, "bill_length_mm", "40", "number from 20 to 80 mm, or null"),
        ({"bill_length_mm": True}, "bill_length_mm", True, "number from 20 to 80 mm, or null"),
        ({"year": 2008.5}, "year", 2008.5, "integer from 2007 to 2100 year"),
        ({"year": 2**70}, "year", 2**70, "integer from 2007 to 2100 year"),
        ({"year": None}, "year", None, "integer from 2007 to 2100 year"),
        ({"island": "Atlantis"}, "island", "Atlantis", "one of Biscoe, Dream, Torgersen, or null"),
        ({"sex": 1}, "sex", 1, "category, or null"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(
    change: dict[str, Any], where: str, value: Any, allowed: str
) -> None:
    with pytest.raises(BadRequest) as caught:
        instances(body({}, change))
    found = caught.value.problem
    assert found.where == f"instances[1].{where}"
    assert (found.value, found.allowed) == (value, allowed)


def test_a_field_that_is_not_known_is_not_ignored() -> None:
    with pytest.raises(BadRequest, match="unknown field `bill_lenght_mm`") as caught:
        instances(body({"bill_lenght_mm": 40}))
    assert "bill_length_mm" in str(caught.value.problem.allowed)


@pytest.mark.parametrize("count", [0, MOST_INSTANCES + 1])
def test_too_few_and_too_many_instances_are_refused(count: int) -> None:
    with pytest.raises(BadRequest, match="length"):
        instances(body(*[{}] * count))


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{", b"\xff\xfe{}", b'{"instances": [{"bill_length_mm": NaN}]}',
        b'{"instances": [{"bill_length_mm": Infinity}]}', b'{"a":' * 100_000,
        b'{"instances": [{"sex": "\xff"}]}', b'{"instances": [{"year": 2008}]} x',
    ],
)  # fmt: skip
def test_what_is_not_json_is_said_to_be_none(data: bytes) -> None:
    with pytest.raises(BadRequest):
        instances(data)


@pytest.mark.parametrize(
    "data",
    [b"[]", b"null", b"1", b"[" * 100_000, b'{"instances": {}}', b'{"instances": [1]}',
     b'{"instances": [{"bill_length_mm": 1e999, "year": 2008}]}',
     b'{"instances": [{"bill_length_mm": ' + b"9" * 5000 + b', "year": 2008}]}'],
)  # fmt: skip
def test_what_is_json_of_another_shape_is_refused_with_a_reason(data: bytes) -> None:
    with pytest.raises(BadRequest) as caught:
        instances(data)
    assert caught.value.readable
    assert caught.value.problem.message


def test_a_category_is_read_as_in_a_batch_and_spelt_as_it_is_allowed() -> None:
    found = instances(body({"island": " dream ", "sex": " "}, {"sex": "cafe\u0301"}))
    assert (found[0]["island"], found[0]["sex"]) == ("Dream", None)
    assert found[1]["sex"] == "caf\u00e9"


def test_a_category_that_the_inference_log_cannot_hold_is_refused_as_in_a_batch() -> None:
    with pytest.raises(BadRequest) as caught:
        instances(body({}, {"sex": "fe\0male"}))
    problem = caught.value.problem
    assert (problem.where, problem.value) == ("instances[1].sex", "fe\0male")
    assert problem.message == "the category holds a NUL character, which PostgreSQL cannot store"
    schema = msgspec.json.schema(CONTRACT.instance)["$defs"]["Instance"]["properties"]["sex"]
    assert re.fullmatch(schema["pattern"], "fe male")
    assert not re.fullmatch(schema["pattern"], "fe\0male")


def test_what_the_model_does_not_know_is_warned_of() -> None:
    unknown = EXAMPLE | {"sex": "other", "body_mass_g": 9000.0, "bill_length_mm": None}
    found = {each.input: each for each in warnings_of(unknown, INPUTS)}
    assert {name: each.code for name, each in found.items()} == {
        "sex": "unseen_category",
        "body_mass_g": "outside_training_range",
    }
    assert found["body_mass_g"].message == (
        "9000 g is outside of what the model was trained on, 2700 to 6300 g"
    )
    assert warnings_of(EXAMPLE, INPUTS) == []


def test_the_schema_says_what_is_taken() -> None:
    schema = msgspec.json.schema(CONTRACT.request)
    fields = schema["$defs"]["Instance"]["properties"]
    bill = fields["bill_length_mm"]
    assert bill["anyOf"][0] == {"type": "number", "minimum": 20.0, "maximum": 80.0}
    assert (bill["unit"], bill["examples"]) == ("mm", [EXAMPLE["bill_length_mm"]])
    assert fields["island"]["enum"] == ["Biscoe", "Dream", "Torgersen", None]
    assert schema["$defs"]["Instance"]["required"] == ["year"]


@pytest.mark.parametrize(
    ("kind", "given", "taken"),
    [
        ("integer", [7, -1], ["7", "-1"]),
        ("integer", [7.0, None], ["7", None]),
        ("text", ["2009-17", " x "], ["2009-17", "x"]),
        ("category", ["cafe\u0301", None], ["caf\u00e9", None]),
        ("text", [" ", "a"], [None, "a"]),
        ("text", [None, None], [None, None]),
    ],
)
def test_a_key_is_taken_as_the_text_that_labels_have_and_is_no_input(
    kind: str, given: list[Any], taken: list[str | None]
) -> None:
    contract = keyed(kind)
    rows = contract.rows(body(*({"penguin_id": each} for each in given)))
    assert contract.keys(rows) == taken
    assert [contract.by_name(row) for row in rows] == [EXAMPLE, EXAMPLE]
    assert [msgspec.json.decode(msgspec.json.encode(row)) for row in rows] == [EXAMPLE, EXAMPLE]


def test_rows_without_a_key_have_none() -> None:
    contract = keyed("integer")
    assert contract.keys(contract.rows(body({}, {}))) is None
    assert contract.keys(contract.rows(body({}, {"penguin_id": 1}))) == [None, "1"]
    assert CONTRACT.keys(CONTRACT.rows(body({}))) is None


@pytest.mark.parametrize(
    ("kind", "value"),
    [("integer", "7"), ("integer", 2**63), ("integer", 7.5), ("text", 7), ("text", "a\0b"),
     ("text", "k" * (LONGEST_KEY + 1))],
)  # fmt: skip
def test_a_key_that_cannot_be_one_is_named_with_what_is_allowed(kind: str, value: Any) -> None:
    contract = keyed(kind)
    with pytest.raises(BadRequest) as caught:
        contract.rows(body({"penguin_id": value}))
    problem = caught.value.problem
    assert (problem.where, problem.value) == ("instances[0].penguin_id", value)
    assert problem.allowed == contract.key.allowed  # type: ignore[union-attr]


def test_the_key_is_named_among_what_an_instance_may_have() -> None:
    with pytest.raises(BadRequest, match="unknown field") as caught:
        keyed("text").rows(body({"penguin": 1}))
    assert str(caught.value.problem.allowed).endswith("or the key penguin_id")
