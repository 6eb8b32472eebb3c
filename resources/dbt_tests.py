"""What a dbt test that failed has found: the rows that its SQL gives.

Belongs here: reading them. Does not belong here: running dbt (`resources.dbt`), or what a check
says (`assets.cleaning`).

dbt itself tells how many there are, and no value of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from resources.postgres import transaction
from resources.settings import Settings

_MOST = 5
_LONGEST = 80  # characters of a value


def found_by(
    test: Mapping[str, Any], target: Path, settings: Settings
) -> list[dict[str, str | None]]:
    """The first rows that fail a test, as texts by the names of its result.

    Args:
        test: its node in the manifest.
        target: folder of the call of dbt that ran it.
        settings: of the warehouse.
    """
    file, path = Path(test["original_file_path"]), Path(test["path"])
    # As dbt has it: a test that is a file of its own is in no folder of that name.
    place = file if path.name == file.name else file / path
    compiled = target.joinpath("compiled", test["package_name"], place).read_text(encoding="utf-8")
    with transaction(settings) as cursor:
        cursor.execute("set transaction read only")
        # dbt's own statement, as it ran: with the batches of the call written into it. It may end
        # with a comment.
        cursor.execute(f"select * from (\n{compiled}\n) as failing limit {_MOST}")  # noqa: S608
        names = [each.name for each in cursor.description or ()]
        rows = cursor.fetchall()
    return [dict(zip(names, map(_text, row), strict=True)) for row in rows]


def _text(value: object) -> str | None:
    return None if value is None else str(value)[:_LONGEST]
