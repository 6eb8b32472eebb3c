"""The role of a column that is neither key nor target: feature, time, or ignored with the reason.

Belongs here: what the content and the name of one column mean. Does not belong here: leaks
(`leeway.scaffold.leaks`), or choosing between columns (`leeway.scaffold.choices`).
"""

from __future__ import annotations

from dataclasses import dataclass

from leeway.scaffold.choices import is_id
from leeway.scaffold.content import MOST_LEVELS, Content
from leeway.spec import NUMERIC_TYPES, ColumnType, Encoding, Role

_PER_LEVEL = 5
_SENTENCE = 30  # characters on average; a category as long as that needs more rows of each
_PER_SENTENCE = 20


@dataclass(frozen=True)
class Placed:
    """Type and role of a column; `why` it is ignored, as the rest of a sentence."""

    type: ColumnType
    role: Role
    why: str | None = None
    encoding: Encoding = "one_hot"


def placed(name: str, content: Content, *, is_time: bool) -> Placed:
    """What a column is used for, by itself."""
    if content.unusable is not None:
        return Placed("text", "ignored", content.unusable)
    if content.given == 0:
        return Placed(content.type, "ignored", "has no value in any row")
    if is_time:
        return Placed(content.type, "time")
    if content.distinct == 1 and content.given == content.rows:
        return Placed(content.type, "ignored", "is constant")
    if content.type in ("date", "timestamp"):
        why = f"is a {content.type}, which a model does not read; a feature made of it would be"
        return Placed(content.type, "ignored", why)
    if content.type in NUMERIC_TYPES:
        return _number(name, content)
    if content.type == "boolean":
        return Placed("boolean", "feature")
    return _text(content)


def _number(name: str, content: Content) -> Placed:
    if content.type == "integer" and content.unique and _is_count(content):
        return Placed(content.type, "ignored", "numbers the rows")
    if not is_id(name) or content.type != "integer":
        return Placed(content.type, "feature")
    return _category(content) or Placed(
        content.type, "ignored", "numbers something, by its name, and measures nothing"
    )


def _is_count(content: Content) -> bool:
    low, high = content.low, content.high
    return low is not None and high is not None and high - low + 1 == content.rows


def _text(content: Content) -> Placed:
    if (category := _category(content)) is not None:
        return category
    if _is_long(content):
        why = f"is free text, of {content.mean_length:.0f} characters on average"
    elif content.unique:
        why = "has another text in every row, as a name or a key has"
    else:
        why = (
            f"has {content.distinct} different texts in {content.given} rows; as a category it "
            f"would need {_PER_LEVEL} rows of each"
        )
    return Placed("text", "ignored", why)


def _category(content: Content) -> Placed | None:
    """A category where there are enough rows of each value, written as text or as a number."""
    long = _is_long(content)
    needed = content.distinct * (_PER_SENTENCE if long else _PER_LEVEL)
    if content.levels and content.given >= needed:
        return Placed("category", "feature")
    if not long and MOST_LEVELS < content.distinct <= content.given / _PER_LEVEL:
        return Placed("category", "feature", encoding="target_mean")
    return None


def _is_long(content: Content) -> bool:
    return content.mean_length > _SENTENCE
