"""What a service takes and gives for one release: types that validate, document and are filled in.

Belongs here: the request as a type of its inputs, the types of answers, and what is wrong with a
body. Does not belong here: the inputs themselves (`leeway.served.inputs`), or HTTP.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from unicodedata import normalize

import msgspec
from msgspec import Meta, Struct

from leeway.served.inputs import Input
from leeway.served.row_keys import RowKey
from leeway.spec.table import LARGEST_NUMBER

MOST_INSTANCES = 100
MOST_EXPLAINED = 10  # of a large forest, each takes half a second
LONGEST_TEXT = 10_000
_INT64 = (-(2**63), 2**63 - 1)
_NO_NUL = r"^[^\u0000]*$"
_PLACE = re.compile(r" - at `\$\.?(.*)`$")
_STEP = re.compile(r"\[(\d+)\]|([^.\[]+)")


class Warned(Struct, frozen=True):
    """An input that was predicted with, and is unlike those that the model was trained on."""

    input: str
    code: Literal["unseen_category", "outside_training_range"]
    message: str


class Classified(Struct, frozen=True):
    """The answer for one instance of a classification."""

    prediction_id: str
    prediction: str
    probabilities: dict[str, float]
    prediction_set: list[str] | None
    warnings: list[Warned]


class Estimated(Struct, frozen=True):
    """The answer for one instance of a regression, in the unit of the target."""

    prediction_id: str
    prediction: float
    interval: tuple[float, float] | None
    warnings: list[Warned]


class Answers(Struct, frozen=True):
    """Which release answers; its sets and intervals hold at `coverage`."""

    use_case: str
    target: str
    unit: str | None
    coverage: float
    model_version: int
    release: str


class Classes(Answers, frozen=True):
    """The answers of a classification, in the order of the instances."""

    predictions: list[Classified]


class Estimates(Answers, frozen=True):
    """The answers of a regression, in the order of the instances."""

    predictions: list[Estimated]


@dataclass(frozen=True)
class Problem:
    """What is wrong with a body: where, with which value, and what is allowed there."""

    where: str
    message: str
    value: Any = None
    allowed: str | None = None


class BadRequest(ValueError):
    """The body is not what the release takes."""

    def __init__(self, problem: Problem, *, readable: bool = True) -> None:
        super().__init__(problem.message)
        self.problem = problem
        self.readable = readable  # JSON, if not the right one


class Contract:
    """The request of one release: its inputs, and the key of a row where it has one."""

    def __init__(self, inputs: Sequence[Input], key: RowKey | None = None) -> None:
        self.inputs = {each.name: each for each in inputs}
        self.key = key
        self.instance = msgspec.defstruct(
            "Instance",
            [*(_field(each) for each in inputs), *([] if key is None else [key.field()])],
            kw_only=True,
            forbid_unknown_fields=True,
        )
        self.request = self._request("PredictRequest", MOST_INSTANCES)
        self.explain_request = self._request("ExplainRequest", MOST_EXPLAINED)
        self._decoders: dict[int, Any] = {
            MOST_INSTANCES: msgspec.json.Decoder(self.request),
            MOST_EXPLAINED: msgspec.json.Decoder(self.explain_request),
        }
        self._integers = {each.name for each in inputs if each.type == "integer"}
        if key is not None and key.type == "integer":
            self._integers.add(key.name)
        self._categories = [(e, _as_they_are(e)) for e in inputs if e.type == "category"]

    def by_name(self, row: Any) -> dict[str, Any]:
        """A row by name of the input, without its key."""
        return {name: getattr(row, name) for name in self.inputs}

    def keys(self, rows: Sequence[Any]) -> list[str | None] | None:
        """Takes the keys out of rows; None where none has one."""
        return None if self.key is None else self.key.taken(rows)

    def rows(self, body: bytes, most: int = MOST_INSTANCES) -> list[Any]:
        """The instances of a body, of the type `instance`: its attributes are the inputs.

        Each category is as it is spelt in the allowed ones.

        Args:
            body: JSON.
            most: rows that it may have, MOST_INSTANCES or MOST_EXPLAINED.

        Raises:
            BadRequest: names the first field that is wrong, its value and what is allowed.
        """
        try:
            request = self._decoded(body, most)
        except msgspec.ValidationError as error:
            raise BadRequest(self._problem(str(error), body)) from error
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise BadRequest(Problem("body", f"not JSON: {error}"), readable=False) from error
        for number, row in enumerate(request.instances):
            for each, known in self._categories:
                value = getattr(row, each.name)
                if value not in known:
                    setattr(row, each.name, _spelt(each, value, number))
        found: list[Any] = request.instances
        return found

    def _decoded(self, body: bytes, most: int) -> Any:
        """The request; JSON has one kind of number, so that 2.0 is an integer, too."""
        decode = self._decoders[most].decode
        try:
            return decode(body)
        except msgspec.ValidationError:
            whole = _with_integers(body, self._integers)
            if whole is None:
                raise
            return decode(whole)

    def _request(self, name: str, most: int) -> type[Struct]:
        listed = Annotated[
            list[self.instance],  # type: ignore[name-defined]  # made at run time
            Meta(min_length=1, max_length=most),
        ]
        return msgspec.defstruct(name, [("instances", listed)], forbid_unknown_fields=True)

    def _problem(self, message: str, body: bytes) -> Problem:
        place = _PLACE.search(message)
        where = place.group(1) if place else ""
        steps = [int(number) if number else name for number, name in _STEP.findall(where)]
        name = str(steps[-1]) if steps else ""
        allowed = allowed_told(self.inputs[name]) if name in self.inputs else None
        if self.key is not None and name == self.key.name:
            allowed = self.key.allowed
        if "unknown field" in message:
            allowed = f"one of {', '.join(self.inputs)}"
            allowed += "" if self.key is None else f", or the key {self.key.name}"
        return Problem(where or "body", _PLACE.sub("", message), _value_at(body, steps), allowed)


def _value_at(body: bytes, steps: Sequence[str | int]) -> str | int | float | bool | None:
    """The value that was refused, where it is a plain one and what follows it can be read."""
    try:
        value = msgspec.json.decode(body)
        for step in steps:
            value = value[step]
    except (msgspec.DecodeError, RecursionError, LookupError, TypeError):
        return None
    return value if isinstance(value, str | int | float | bool) else None


def _with_integers(body: bytes, names: Collection[str]) -> bytes | None:
    """The body with floats that are whole as integers, where these are asked for; None: as it is.

    Only instances are looked at, of a body whose shape may be any.
    """
    try:
        content = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return None
    instances = content.get("instances") if isinstance(content, dict) else None
    changed = False
    for row in instances if isinstance(instances, list) else ():
        for name in names if isinstance(row, dict) else ():
            value = row.get(name)
            if isinstance(value, float) and value.is_integer():
                row[name], changed = int(value), True
    return msgspec.json.encode(content) if changed else None


def allowed_told(each: Input) -> str:
    """What is allowed for an input, in words."""
    told: str = each.type
    if each.values is not None:
        told = f"one of {', '.join(each.values)}"
    elif each.low is not None or each.high is not None:
        ends = [f"from {each.low:.15g}"] if each.low is not None else []
        ends += [f"to {each.high:.15g}"] if each.high is not None else []
        told = f"{each.type} {' '.join(ends)}"
    unit = f" {each.unit}" if each.unit else ""
    return f"{told}{unit}" if each.required else f"{told}{unit}, or null"


def spelling(each: Input, text: str) -> str | None:
    """A category as it is spelt in the allowed ones; None where it is not one of them."""
    if each.values is None or text in each.values or not text:
        return text
    alike = [known for known in each.values if known.casefold() == text.casefold()]
    return alike[0] if len(alike) == 1 else None


def _field(each: Input) -> Any:
    kind: Any = {"number": float, "integer": int, "boolean": bool, "category": str}[each.type]
    if each.type in ("number", "integer"):
        least, most = _INT64 if each.type == "integer" else (-LARGEST_NUMBER, LARGEST_NUMBER)
        low = least if each.low is None else max(least, kind(each.low))
        high = most if each.high is None else min(most, kind(each.high))
        kind = Annotated[kind, Meta(ge=low, le=high)]
    elif each.type == "category":
        kind = Annotated[kind, Meta(max_length=LONGEST_TEXT)]
    more: dict[str, Any] = {"unit": each.unit} if each.unit else {}
    if each.values is not None:
        more["enum"] = [*each.values, *([] if each.required else [None])]
    elif each.type == "category":
        more["pattern"] = _NO_NUL
    about = Meta(description=each.description, examples=[each.example], extra_json_schema=more)
    if each.required:
        return (each.name, Annotated[kind, about])
    return (each.name, Annotated[kind | None, about], None)


def _as_they_are(each: Input) -> frozenset[str | None]:
    """Categories that are spelt as they are in the training part, which most are."""
    known = each.seen if each.values is None else each.values
    return frozenset(known or ()) | (frozenset() if each.required else {None})


def _spelt(each: Input, value: str | None, row: int) -> str | None:
    """The category as it is read from a batch; of allowed ones as they are spelt there."""
    text = "" if value is None else normalize("NFC", value).strip()
    found = spelling(each, text) or None
    what = None
    if "\0" in text:
        what = "holds a NUL character, which PostgreSQL cannot store"
    elif found is None and (text or each.required):
        what = "is not allowed" if text else "is missing"
    if what is not None:
        problem = Problem(
            f"instances[{row}].{each.name}", f"the category {what}", value, allowed_told(each)
        )
        raise BadRequest(problem)
    return found
