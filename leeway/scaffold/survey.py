"""The table under the names of its columns, each looked at once.

Belongs here: going through the columns. Does not belong here: what is seen in one
(`leeway.scaffold.content`), or what follows (`leeway.scaffold.draft`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pyarrow as pa

from leeway.scaffold.content import Content, content_of
from leeway.scaffold.errors import CannotInfer
from leeway.scaffold.notations import NUMBERS

_MOST_COLUMNS = 1000  # PostgreSQL ends at 1600


@dataclass(frozen=True)
class Survey:
    """By name of each column: its values, its header and its facts."""

    columns: dict[str, pa.ChunkedArray]
    headers: dict[str, str]
    contents: dict[str, Content]
    rows: int


def survey(table: pa.Table, names: Mapping[str, str], progress: Callable[[str], None]) -> Survey:
    """Looks at every column.

    Args:
        table: as its source gives it.
        names: of the columns by their headers.
        progress: is told the name of each column before it is looked at.

    Raises:
        CannotInfer: when there are no rows, or too many columns.
    """
    if table.num_rows == 0:
        raise CannotInfer("the file has a header but no rows")
    if len(names) > _MOST_COLUMNS:
        raise CannotInfer(
            f"{len(names)} columns are more than {_MOST_COLUMNS}, which is near what a table of "
            "PostgreSQL can have; leave out some of them"
        )
    contents: dict[str, Content] = {}
    for header, name in names.items():
        progress(name)
        contents[name] = content_of(table[header])
    # 1,234 and 1.234 are what the numbers of the other columns say, if they say one thing.
    found = {each.notation.written for each in contents.values()} & {*NUMBERS}
    if len(found) == 1:
        (usual,) = found
        for header, name in names.items():
            if contents[name].unusable is not None or contents[name].type == "number":
                contents[name] = content_of(table[header], usual)
    headers = {name: header for header, name in names.items()}
    columns = {name: table[header] for header, name in names.items()}
    return Survey(columns, headers, contents, table.num_rows)
