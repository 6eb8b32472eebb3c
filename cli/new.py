"""`leeway new`: a use case from a file.

Belongs here: reading the file, asking `leeway.scaffold` for the use case, writing its files, and
saying what was assumed. Does not belong here: any inference, or the text of a file.

A folder that exists is never touched, so that a file somebody edited stays: the dbt models that are
missing are made from the defs.yaml that is there.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cli.output import console, say
from leeway.identifiers import check_batch, check_identifier
from leeway.scaffold.dbt_models import render_models
from leeway.scaffold.defs_yaml import render_defs
from leeway.scaffold.draft import Draft, infer
from leeway.scaffold.errors import CannotInfer
from leeway.spec import FileSource
from orchestration.use_cases import InvalidUseCase, load_use_case
from resources.files import Layout, SourceError, check_suffix, stem_of
from resources.layouts import layout_of
from resources.quiet import read_quietly
from resources.settings import PROJECT
from resources.use_case_files import defs_folder, differing, models_folder, write_folder

if TYPE_CHECKING:
    import pyarrow as pa

DEFS = "defs.yaml"


@dataclass(frozen=True)
class NewReport:
    """What was written, what is left as it is, and what was assumed."""

    use_case: str
    task: str
    written: list[str]
    kept: list[str]
    assumptions: list[str]

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)


def new(name: str, data: Path, target: str, key: str | None, time: str | None) -> NewReport:
    """Writes what is missing of a use case, and says what was assumed.

    Raises:
        InvalidUseCase: when the name cannot be one, or a file is there that is not what would be
            written.
        SourceError: when the file cannot be read, or no use case can be made of it.
    """
    try:
        check_identifier(name)
    except ValueError as error:
        raise InvalidUseCase(str(error)) from error
    draft = infer_file(data, target, key, time)
    defs = {DEFS: render_defs(draft.use_case, draft.assumptions)}
    kept = differing(defs_folder(name), defs) if (defs_folder(name) / DEFS).exists() else []
    use_case = load_use_case(defs_folder(name) / DEFS) if kept else draft.use_case
    models = render_models(name, use_case)
    written = []
    if models_folder(name).exists():
        kept += differing(models_folder(name), models)
    else:
        write_folder(models_folder(name), models)
        written.append(str(models_folder(name).relative_to(PROJECT)))
    if not (defs_folder(name) / DEFS).exists():  # last: with it the use case is there
        write_folder(defs_folder(name), defs)
        written.append(str((defs_folder(name) / DEFS).relative_to(PROJECT)))
    report = NewReport(name, use_case.task, written, kept, list(draft.assumptions))
    _print(report, draft)
    return report


def infer_file(data: Path, target: str, key: str | None, time: str | None) -> Draft:
    """What is inferred from a file.

    Raises:
        SourceError: when it cannot be read, or no use case can be made of it.
    """
    path = data.expanduser().absolute()
    if path.is_dir():
        raise SourceError(
            f"{path}: is a folder; give one of its files, and then write the folder as source.path "
            "in defs.yaml: each file is a batch"
        )
    suffix = check_suffix(path.name, str(path))
    try:
        check_batch(stem_of(path.name))
    except ValueError as error:
        plain = re.sub("[^A-Za-z0-9]+", "-", stem_of(path.name)).strip("-")[:63] or "table"
        raise SourceError(
            f"{path}: its name becomes the batch id, but {error}; rename the file, for example to "
            f"{plain}{suffix}"
        ) from error
    table, layout = _read(path)
    shown = str(path.relative_to(PROJECT)) if path.is_relative_to(PROJECT) else str(path)
    try:
        with console.status(f"{path.name}: {table.num_rows} rows") as line:
            draft = infer(
                table,
                path=shown,
                target=target,
                key=key,
                time=time,
                progress=lambda column: line.update(f"{path.name}: {column}"),
            )
    except CannotInfer as error:
        raise SourceError(f"{path}: {error}") from error
    source = FileSource(kind="file", path=shown, **asdict(layout))
    return Draft(
        draft.use_case.model_copy(update={"source": source}),
        (*_sheet_note(table), *_layout_notes(layout), *draft.assumptions),
    )


def _read(path: Path) -> tuple[pa.Table, Layout]:
    """The table, and how its file is laid out where that is not usual."""
    guessed = layout_of(path)
    table = read_quietly(path, guessed)
    found = (table.schema.metadata or {}).get(b"header")  # of a sheet, which was looked for
    if found is None:
        return table, guessed
    return table, Layout(header=int(found) if int(found) > 1 else None)


def _layout_notes(layout: Layout) -> list[str]:
    said = []
    if layout.delimiter is not None:
        said.append(f"values are separated by {layout.delimiter!r} (source.delimiter)")
    if layout.header is not None:
        said.append(
            f"row {layout.header} has the names, and what is above is no data (source.header)"
        )
    return said


def _sheet_note(table: pa.Table) -> list[str]:
    """What of a file of Excel was left out."""
    about = table.schema.metadata or {}
    others = json.loads(about.get(b"other_sheets", b"[]"))
    if not others:
        return []
    return [
        f"the table is the first sheet, {about[b'sheet'].decode()}, and not {', '.join(others)}; "
        "source.sheet in defs.yaml names another"
    ]


def _print(report: NewReport, draft: Draft) -> None:
    say(f"{report.use_case}: {report.task}; it was assumed that")
    for sentence in draft.assumptions:
        say(f"  - {sentence}")
    for each in report.written:
        say(f"wrote {each}")
    name = report.use_case
    if report.kept:
        say(
            f"kept as it was: {'; '.join(report.kept)}. What was edited is never written over. "
            "To have a file as Leeway would write it, move its folder away and repeat the command"
        )
    elif not report.written:
        say(f"{name}: its files are there already, as they would be written; nothing was changed")
    say(f"Next: read orchestration/defs/{name}/{DEFS}, then `leeway run {name}`")
