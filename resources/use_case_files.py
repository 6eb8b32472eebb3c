"""The files of a new use case in the project: written whole, never over what is there.

Belongs here: where the files of a use case are, comparing and writing them. Does not belong here:
their text (`leeway.scaffold`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from resources.settings import PROJECT


def defs_folder(name: str) -> Path:
    """The folder of a use case's defs.yaml."""
    return PROJECT / "orchestration" / "defs" / name


def models_folder(name: str) -> Path:
    """The folder of a use case's dbt models."""
    return PROJECT / "dbt_project" / "models" / name


def write_folder(folder: Path, files: Mapping[str, str]) -> None:
    """Writes a folder that does not exist, all of it or nothing.

    It is made beside the folder that holds it, where neither dbt nor Dagster looks, and renamed.

    Raises:
        OSError: when it exists and is not empty, or cannot be written.
    """
    with tempfile.TemporaryDirectory(prefix=".new-", dir=folder.parent.parent) as beside:
        made = Path(beside) / folder.name
        for place, text in files.items():
            path = made / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
        folder.parent.mkdir(exist_ok=True)
        made.rename(folder)


def differing(folder: Path, files: Mapping[str, str]) -> list[str]:
    """What is not in the folder as it would be written: one line per file, with how it differs."""
    found = []
    for place, text in files.items():
        path = folder / place
        if not path.is_file():
            found.append(f"{path.relative_to(PROJECT)} is missing")
        elif path.read_bytes() != text.encode():
            found.append(f"{path.relative_to(PROJECT)} differs")
    return found
