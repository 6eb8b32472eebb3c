"""YAML that a person wrote, read so that nothing of it is lost silently and none of it runs.

Belongs here: reading, a key that is given twice, and how much a file may hold. Does not belong
here: what a file may say (`leeway.spec`), or which files there are.
"""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import Any

import yaml

# A table of 1,600 columns, PostgreSQL's most, with 100 categories each has less of both.
MOST_BYTES, MOST_VALUES = 5_000_000, 300_000


class _UniqueKeys(yaml.CSafeLoader):  # of libyaml, which the wheels bring: nine times as fast
    """Refuses a key that is given twice, of which YAML would silently take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        known: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in known:
                told = f"the key {key.value!r} is given more than once"
                raise yaml.constructor.ConstructorError(None, None, told, key.start_mark)
            known.add(key.value)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> Any:
    """What a file holds; None where it is empty.

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
