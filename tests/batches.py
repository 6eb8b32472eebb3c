"""What the tests put into a source: the real penguins, and files that are not new.

Belongs here: rows and files of batches. Does not belong here: what is made of them.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import palmerpenguins
import pandas as pd


def penguins(first_key: int = 1, **filters: Any) -> pd.DataFrame:
    """The real penguins with a key; `filters` keep the rows whose column has one of the values."""
    table = palmerpenguins.load_penguins()
    for column, values in filters.items():
        table = table[table[column].isin(values)]
    table = table.reset_index(drop=True)
    table.insert(0, "penguin_id", range(first_key, first_key + len(table)))
    return table


def age(path: Path) -> None:
    """Makes a file one that has not changed for a minute, as most of a source are."""
    then = path.stat().st_mtime - 60
    os.utime(path, (then, then))
