"""What the tests put into a source: the real penguins, and files that are not new.

Belongs here: rows and files of batches. Does not belong here: what is made of them.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import palmerpenguins
import pandas as pd

LEAVERS = 240


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


def write_leavers(path: Path) -> None:
    """Rows of no use case, with all that `leeway new` has to see through.

    No key; names and values that are awkward in SQL, YAML and Jinja; codes, a date, a text.
    """
    random = np.random.default_rng(1)
    mass = random.normal(100, 10, LEAVERS).round(1)
    table = {
        "Body Mass (g)": np.where(np.arange(LEAVERS) % 40 == 3, -999, mass),
        "order": random.integers(0, 9, LEAVERS),
        "values": random.choice(["O'Brien", 'a "b"', "no"], LEAVERS),
        "tricky {{ 1/0 }}": random.choice(["{{ 1/0 }}", "{% raw %}", "x"], LEAVERS),
        "flag": random.choice([True, False], LEAVERS),
        "day": [f"2024-01-{row % 28 + 1:02d}" for row in range(LEAVERS)],
        "Last Name": [f"name {row}" for row in range(LEAVERS)],
        "left": np.where(mass + random.normal(0, 3, LEAVERS) > 100, "yes", "no"),
    }
    pd.DataFrame(table).to_csv(path, index=False)
    age(path)
