"""How columns are counted when nobody declared them: by their types, or by how texts look.

Belongs here: the kind of an undeclared column, and reading texts as that kind. Does not belong
here: declared columns (`leeway.drift.declared`), or files (`resources.drift_files`).
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from leeway.drift.profile import Kind

# Of the texts that are there; the others, such as `n/a`, count as missing.
MOST = 0.99
_NUMBER = r"(?i)^[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|nan|inf|infinity)$"
# Only days that there are: pyarrow refuses a whole column for one 30 February.
_LEAP_YEAR = r"(?:\d\d(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)"
_DAY = (
    r"(?:\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])"
    r"|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|02-(?:0[1-9]|1\d|2[0-8]))"
    rf"|{_LEAP_YEAR}-02-29)"
)
_MOMENT = rf"^{_DAY}(?:[ T](?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{{1,6}})?)?)?$"
_BOOLEAN = r"(?i)^(?:true|false)$"


def kind_of(type_: pa.DataType) -> Kind | None:
    """How values of a type are counted; None: they cannot be compared, such as lists."""
    types = pa.types
    if types.is_dictionary(type_):
        return kind_of(type_.value_type) and "category"
    if types.is_floating(type_) or types.is_integer(type_) or types.is_decimal(type_):
        return "number"
    if types.is_date(type_) or types.is_timestamp(type_):
        return "number"
    if types.is_string(type_) or types.is_large_string(type_) or types.is_boolean(type_):
        return "category"
    return None


def kind_of_texts(texts: pa.ChunkedArray) -> Kind:
    """A number when nearly all texts are numbers, or all are dates; else a category."""
    present = pc.drop_null(texts)
    if not len(present):
        return "category"
    trimmed = pc.utf8_trim_whitespace(present)
    likely = max(_share(trimmed, form) for form in (_NUMBER, _MOMENT))
    return "number" if likely >= MOST else "category"


def numbers_of_texts(texts: pa.ChunkedArray) -> Iterator[pa.Array]:
    """Texts as numbers, or as seconds since 1970; what is neither is missing, as is 30 February."""
    for chunk in texts.chunks:
        trimmed = pc.utf8_trim_whitespace(chunk)
        form = _NUMBER if _share(trimmed, _NUMBER) >= _share(trimmed, _MOMENT) else _MOMENT
        known = pc.if_else(pc.match_substring_regex(trimmed, form), trimmed, None)
        yield known.cast(pa.float64() if form == _NUMBER else pa.timestamp("us"))


def levels_of_texts(texts: pa.ChunkedArray) -> Iterator[pa.Array]:
    """Texts as levels: `True` is the `true` that a column of booleans has."""
    for chunk in texts.chunks:
        is_boolean = pc.match_substring_regex(chunk, _BOOLEAN)
        yield pc.if_else(is_boolean, pc.utf8_lower(chunk), chunk)


def _share(texts: pa.Array | pa.ChunkedArray, form: str) -> float:
    return pc.mean(pc.match_substring_regex(texts, form).cast(pa.float64())).as_py() or 0.0
