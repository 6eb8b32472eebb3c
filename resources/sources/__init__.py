"""Sources: where the rows of a use case come from, batch by batch.

Belongs here: one module for each kind, behind one Protocol. Does not belong here: reading a file
(`resources.files`), judging rows (`leeway.data.validation`) or storing them. Import from here.
"""

from __future__ import annotations

from pathlib import Path

from leeway.spec import FileSource, Labels, LabelSource, UseCase
from resources.files import Layout, SourceError
from resources.opening import within
from resources.settings import PROJECT, get_settings
from resources.sources.archive import Archive
from resources.sources.base import BatchSource, Origin
from resources.sources.folder import Folder
from resources.sources.http_api import HttpApi
from resources.sources.package import Package
from resources.sources.single_file import SingleFile
from resources.sources.sql_table import SqlTable
from resources.sources.synthetic import Synthetic
from resources.sources.topic import Topic
from resources.web import Web

__all__ = [
    "Archive",
    "BatchSource",
    "Folder",
    "HttpApi",
    "Origin",
    "Package",
    "SingleFile",
    "SourceError",
    "SqlTable",
    "Synthetic",
    "Topic",
    "open_labels",
    "open_source",
]


def open_source(use_case: UseCase, web: Web | None = None) -> BatchSource:
    """The source that a use case names, asked by `web`; nothing is asked of it yet.

    What an installation reads may be what stands in for it (`resources.stand_ins`).
    A folder named like `path` plus `batches/` is not guessed at: a file is one table, a folder is
    one file a batch.
    """
    source = use_case.source
    if source.kind == "package":
        return Package(source)
    if source.kind == "kafka":
        read = [column for column in use_case.given_columns if not column.from_position]
        return Topic(source, [column.in_source for column in read])
    if source.kind == "simulator":
        return Synthetic(use_case, source, "simulator of synthetic rows")
    return _tables(source, use_case.key.name, web)


def open_labels(labels: Labels) -> BatchSource:
    """The source of a use case's labels; nothing is asked of it yet."""
    return _tables(labels.source, labels.key, None)


def _tables(source: LabelSource, key: str, web: Web | None) -> BatchSource:
    """A source of tables whose columns somebody else judges; rows of a database come by `key`."""
    if source.kind == "archive":
        return Archive(source, web)
    if source.kind == "http":
        return HttpApi(source, web)
    if source.kind == "sql":
        return SqlTable(source, key)
    path = _path_of(source)
    inside = get_settings().data_dir if source.below == "data_dir" else None
    if path.is_dir():
        return Folder(path, Layout.of(source), inside)
    return SingleFile(path, source, inside)


def _path_of(source: FileSource) -> Path:
    """Where a file or folder is; LEEWAY_DATA_DIR that is not set is told by the path."""
    if source.below == "data_dir":
        folder = get_settings().data_dir or Path("LEEWAY_DATA_DIR (not set)")
        path = folder / source.path
        if within(path, folder) is None:
            raise SourceError(
                f"{path}: a link that leads out of LEEWAY_DATA_DIR or to itself; copy what it names"
            )
        return path
    path = Path(source.path).expanduser()
    return path if path.is_absolute() else PROJECT / path
