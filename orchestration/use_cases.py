"""The use cases of this installation, read from their YAML without Dagster.

Belongs here: finding and validating `orchestration/defs/*/defs.yaml`, with errors that a person can
act on. Does not belong here: assets.
"""

from __future__ import annotations

from collections import Counter
from itertools import chain
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from leeway.identifiers import check_identifier
from leeway.spec import UseCase
from leeway.spec.base import require_known

DEFS = Path(__file__).parent / "defs"
# What Dagster's components may have at the top of a file.
_KEYS = ("type", "attributes", "requirements", "template_vars_module", "post_processing")
# Problems with a part of a mapping or list; the message says which.
_OF_PARTS = ("missing", "value_error", "union_tag_invalid", "union_tag_not_found")
LONGEST_SHOWN = 80  # characters of a value that is refused
# A table of 1,600 columns, PostgreSQL's most, with 100 categories each has less of both.
MOST_BYTES, MOST_VALUES = 5_000_000, 300_000


class InvalidUseCase(ValueError):
    """A defs.yaml is not a use case; the message has the file, the field and what is allowed."""


class _UniqueKeys(yaml.CSafeLoader):  # of libyaml, which the wheels bring: nine times as fast
    """Refuses a key that is given twice, of which YAML would silently take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        counts = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
        twice = next((key for key, count in counts.items() if count > 1), None)
        if twice is not None:
            raise yaml.constructor.ConstructorError(
                None, None, f"the key {twice!r} is given more than once", node.start_mark
            )
        return super().construct_mapping(node, deep)


def _parsed(path: Path) -> Any:
    """What a file holds.

    Raises:
        OSError: when it cannot be read.
        yaml.YAMLError: when it is no YAML.
        ValueError: when it is no UTF-8, or so much that it can be no use case.
    """
    with path.open("rb") as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise ValueError(f"it has more than {MOST_BYTES} bytes, which no use case needs")
    loader = _UniqueKeys(data.decode("utf-8"))
    try:
        node = loader.get_single_node()
        if node is not None and _values(node, {}) > MOST_VALUES:
            raise ValueError(f"it has more than {MOST_VALUES} values, with those of its aliases")
        return None if node is None else loader.construct_document(node)
    except RecursionError:
        raise ValueError("its lists and mappings are too deep within one another") from None
    finally:
        loader.dispose()


def _values(node: yaml.Node, known: dict[int, int]) -> int:
    """How many values a node is when every alias is written out."""
    if isinstance(node, yaml.ScalarNode):
        return 1
    if id(node) not in known:
        known[id(node)] = MOST_VALUES  # until it is counted: of one that holds itself
        pairs = isinstance(node, yaml.MappingNode)
        inner = chain.from_iterable(node.value) if pairs else node.value
        known[id(node)] = 1 + sum(_values(each, known) for each in inner)
    return known[id(node)]


def use_case_names(folder: Path = DEFS) -> list[str]:
    """The names of the use cases in their order, also of those whose file is not valid."""
    return sorted(path.parent.name for path in folder.glob("*/defs.yaml"))


def find_use_case(name: str, folder: Path = DEFS) -> UseCase:
    """The use case called `name`, whatever the files of the others say.

    Raises:
        InvalidUseCase: when its file is not one, or when there is none, with those that there are.
    """
    names = use_case_names(folder)
    if name not in names:
        raise InvalidUseCase(f"no use case {name!r}; there are {', '.join(names) or 'none'}")
    return load_use_case(folder / name / "defs.yaml")


def load_use_cases(folder: Path = DEFS) -> dict[str, UseCase]:
    """Every use case by name, in the order of the names.

    Raises:
        InvalidUseCase: at the first file that is not one.
    """
    return {name: load_use_case(folder / name / "defs.yaml") for name in use_case_names(folder)}


def load_use_case(path: Path) -> UseCase:
    """The use case in one file.

    Raises:
        InvalidUseCase: when the file is not one.
    """
    try:
        check_identifier(path.parent.name)
        content = _parsed(path)
    except (yaml.YAMLError, ValueError) as error:
        raise InvalidUseCase(f"{path}: {error}") from error
    except OSError as error:
        raise InvalidUseCase(
            f"{path}: {error.strerror}; make it a file that you may read, or remove its folder"
        ) from error
    if not isinstance(content, dict) or not isinstance(content.get("attributes"), dict):
        raise InvalidUseCase(f"{path}: needs the keys type and attributes")
    try:
        require_known("keys", content, _KEYS)
    except ValueError as error:
        raise InvalidUseCase(f"{path}: {error}") from error
    try:
        return UseCase.model_validate(content["attributes"])
    except ValidationError as error:
        raise InvalidUseCase("\n".join(_lines(path, error))) from error


def _lines(path: Path, error: ValidationError) -> list[str]:
    """One line per problem: file, field, what is wrong, the value."""
    lines = []
    for problem in error.errors(include_url=False):
        field = ".".join(str(part) for part in problem["loc"]) or "attributes"
        message = problem["msg"].removeprefix("Value error, ")
        lines.append(f"{path}: {field}: {message}{_shown(problem['input'], problem['type'])}")
    return lines


def _shown(value: object, problem: str) -> str:
    """The value, of a long one the beginning; nothing where it is not what is wrong."""
    if isinstance(value, dict | list) and problem in _OF_PARTS:
        return ""
    text = repr(value)
    return ", got " + (text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}...")
