"""`leeway new` on tables that it was not written for: what it finds, says, and refuses."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
import yaml

import cli.new
from leeway.data.validation import validate
from leeway.scaffold.defs_yaml import render_defs
from leeway.spec import FileSource, UseCase
from resources.files import Layout, SourceError, read_file
from resources.layouts import layout_of
from tests.batches import age
from tests.own_tables import KINDS, Kind


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_table_becomes_a_use_case(kind: Kind, tmp_path: Path) -> None:
    path = kind.make(tmp_path)
    age(path)
    draft = cli.new.infer_file(path, kind.target, None, None)
    found, said = draft.use_case, "\n".join(draft.assumptions)
    assert found.task == kind.task
    assert isinstance(found.source, FileSource)
    roles = {name: (found.column(name).type, found.column(name).role) for name in kind.roles}
    assert roles == kind.roles
    assert [words for words in kind.says if words not in said] == []
    assert UseCase.model_validate(yaml.safe_load(render_defs(found, []))["attributes"]) == found
    judged = validate(read_file(path, Layout.of(found.source)), found, batch="b")
    assert (judged.rows, judged.rejected_rows) == (kind.rows, 0)


ROWS = [f"{row},{row * 37 % 101}.5,{'ab'[row * 13 % 7 % 2]}\n" for row in range(60)]
TABLE = "".join(["id,x,y\n", *ROWS])
REFUSED: dict[str, tuple[str, bytes, str]] = {
    "20 rows": ("t.csv", "".join(["id,x,y\n", *ROWS[:20]]).encode(),
                "20 of 20 rows .* at least 30 are needed .* add rows to the file"),
    "a name twice": ("t.csv", TABLE.replace("id,x", "x,x").encode(),
                     "the header names 'x' more than once; give each its own"),
    "Latin-1": ("t.csv", TABLE.replace("5,a", "5,ä").encode("latin-1"),
                "is not UTF-8: b'.xe4'.* iconv -f WINDOWS-1252 -t UTF-8"),
    "UTF-16": ("t.csv", TABLE.encode("utf-16"), "is not UTF-8.* iconv -f UTF-16 -t UTF-8"),
    "no names": ("t.csv", TABLE.partition("\n")[2].encode(),
                 "no such column: the first row, 0, 0.5, a, looks like values and not like names"),
    "blanks between": ("t.csv", TABLE.replace(",", " ").encode(),
                       "the header is one column, 'id x y': the values are separated by something"),
    "an object": ("t.jsonl", b'{"id": 1, "x": {"a": 2}, "y": "a"}\n' * 40,
                  "row 1: 'x' holds an object.* write what is in it as fields of the row"),
    "a list": ("t.json", b"[]", r"cannot read \.json files; there are \.csv"),
    "damaged gzip": ("t.csv.gz", gzip.compress(TABLE.encode())[:12] + b"\xff" * 99,
                     "no gzip, or damaged: .*; copy it again"),
    "a name with blanks": ("My table (1).csv", TABLE.encode(), "for example to My-table-1.csv"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_used_is_refused_with_the_remedy(what: str, tmp_path: Path) -> None:
    name, content, words = REFUSED[what]
    path = tmp_path / name
    path.write_bytes(content)
    age(path)
    with pytest.raises(SourceError, match=words):
        cli.new.infer_file(path, "y", None, None)


def test_names_below_a_title_are_found_and_values_are_not_taken_for_names(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    for text, layout in (
        (TABLE, Layout()),
        ("Report\n\n" + TABLE, Layout(header=3)),
        ("Report\f\n" + TABLE, Layout(header=2)),
        ("Report of 2024;;\n" + TABLE.replace(",", ";"), Layout(header=2, delimiter=";")),
        (TABLE.replace("id,", ","), Layout()),
        (TABLE.replace(",", ";").replace(".", ","), Layout(delimiter=";")),
        ("a;b\n" + "1,5;2,5\n" * 40, Layout(delimiter=";")),
        ("x\n" + "1\n" * 40, Layout()),
        ("", Layout()),
    ):
        path.write_text(text)
        assert layout_of(path) == layout, text[:40]
