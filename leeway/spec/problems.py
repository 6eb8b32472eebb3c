"""What is wrong with a file that does not fit its schema, in words for the person who wrote it.

Belongs here: one line per problem. Does not belong here: the schemas, or reading files.
"""

from __future__ import annotations

from pydantic import ValidationError

# Problems with a part of a mapping or list; the message says which.
_OF_PARTS = ("missing", "value_error", "union_tag_invalid", "union_tag_not_found")
LONGEST_SHOWN = 80  # characters of a value that is refused


def problem_lines(place: object, error: ValidationError, whole: str) -> list[str]:
    """One line per problem: file, field, what is wrong, the value.

    Args:
        place: of the file.
        error: what its schema says of it.
        whole: what a problem with no field of its own is about.
    """
    lines = []
    for problem in error.errors(include_url=False):
        field = ".".join(str(part) for part in problem["loc"]) or whole
        message = problem["msg"].removeprefix("Value error, ")
        lines.append(f"{place}: {field}: {message}{_shown(problem['input'], problem['type'])}")
    return lines


def _shown(value: object, problem: str) -> str:
    """The value, of a long one the beginning; nothing where it is not what is wrong."""
    if isinstance(value, dict | list) and problem in _OF_PARTS:
        return ""
    text = repr(value)
    return ", got " + (text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}...")
