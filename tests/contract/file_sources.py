"""Files as sources, for the tests of every kind of source and for those of files alone.

Belongs here: files with the rows of three years, and the use case of a path. Does not belong here:
what must hold of them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from leeway.spec import BatchBy, FileSource, UseCase
from resources.sources import BatchSource, Folder, SingleFile
from tests.batches import age

Make = Callable[[Path], BatchSource]
YEARS = BatchBy(column="year", batches={"2007-2008": (2007, 2008), "2009": ("2009",)})
CSV = b"id,year,x\n1,2009,a\n2,2007,b\n3,2008,c\n"


def write(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    age(path)


def single_file(folder: Path) -> BatchSource:
    write(folder / "t.csv", CSV)
    source = FileSource(kind="file", path=str(folder / "t.csv"), batch_by=YEARS)
    return SingleFile(folder / "t.csv", source)


def whole_file(folder: Path) -> BatchSource:
    write(folder / "t-1.csv", CSV)
    source = FileSource(kind="file", path=str(folder / "t-1.csv"))
    return SingleFile(folder / "t-1.csv", source)


def parquet_file(folder: Path) -> BatchSource:
    table = pa.table({"id": [1, 2, 3], "year": [2009.0, 2007.0, 2008.0], "x": ["a", "b", None]})
    parquet.write_table(table, folder / "t.parquet")
    age(folder / "t.parquet")
    source = FileSource(kind="file", path=str(folder / "t.parquet"), batch_by=YEARS)
    return SingleFile(folder / "t.parquet", source)


def folder_of_files(folder: Path) -> BatchSource:
    write(folder / "2009.csv", b"id,year,x\n1,2009,a\n")
    write(folder / "2007-2008.CSV", b"id,year,x\n2,2007,b\n3,2008,c\n")
    (folder / "notes.txt").write_bytes(b"not a batch")
    (folder / ".hidden.csv").write_bytes(b"not a batch")
    return Folder(folder)


def of_path(path: str) -> UseCase:
    columns: list[dict[str, Any]] = [
        {"name": "id", "type": "integer", "role": "key", "description": "d"},
        {"name": "x", "type": "category", "description": "d"},
        {"name": "y", "type": "number", "role": "target", "description": "d"},
    ]
    source = {"kind": "file", "path": path}
    return UseCase.model_validate(
        {"title": "t", "task": "regression", "source": source, "columns": columns}
    )
