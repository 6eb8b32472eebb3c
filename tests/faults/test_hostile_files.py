"""A file that is damaged, or made to do harm, is a table or a refusal, and never more than that.

A few by default; the figures of docs/faults.md:
`LEEWAY_KILLS=500 .venv/bin/pytest -q tests/faults/test_hostile_files.py`.
"""

from __future__ import annotations

import ast
import io
import itertools
import json
import math
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv

from leeway.data.synthetic import synthetic_table
from leeway.data.validation import SchemaMismatch, Validated, validate
from leeway.spec import UseCase
from orchestration.use_cases import load_use_cases
from resources.files import SourceError, read_data
from resources.settings import PROJECT
from tests.faults.harness import figure, finish, seeded, start, times
from tests.faults.hostile import mutated, whole
from tests.faults.intake import COLUMNS, use_case
from tests.parser_bounds import bounded_parser

pytestmark = [pytest.mark.faults, pytest.mark.timeout(3600)]
ROWS = 40
CAUGHT = "mend the source"


@pytest.fixture(autouse=True)
def _little() -> Iterator[None]:
    with bounded_parser(64):
        yield


# The columns of a batch (D1)


def batch_of(what: UseCase, number: int) -> pa.Table:
    """Rows as a file of the use case has them: text, without a key that is made of positions."""
    table = synthetic_table(what, f"b{number}", number, ROWS)
    made = [
        c.in_source for c in what.columns if c.from_position and c.in_source in table.schema.names
    ]
    return table.drop_columns(made)


def judged(table: pa.Table, what: UseCase) -> Validated:
    file = io.BytesIO()
    csv.write_csv(table, file)
    return validate(read_data("t.csv", file.getvalue(), "p"), what, batch="b")


def filled(table: pa.Table, name: str, values: list[object]) -> pa.Table:
    texts = pa.array([None if value is None else str(value) for value in values], pa.string())
    return table.set_column(table.schema.names.index(name), name, texts)


def renamed(table: pa.Table, name: str, other: str) -> pa.Table:
    return table.rename_columns([other if each == name else each for each in table.schema.names])


Mutation = Callable[[pa.Table, str, str], pa.Table]
N = range(ROWS)
# By the table, a column of numbers and the target.
MUTATIONS: dict[str, Mutation] = {
    "number missing": lambda t, x, y: t.drop_columns([x]),
    "target missing": lambda t, x, y: t.drop_columns([y]),
    "all but one missing": lambda t, x, y: t.select([x]),
    "number renamed": lambda t, x, y: renamed(t, x, f"{x}_new"),
    "target renamed": lambda t, x, y: renamed(t, y, y.swapcase()),
    "names numbered": lambda t, x, y: t.rename_columns([str(i) for i in range(t.num_columns)]),
    "number now words": lambda t, x, y: filled(t, x, [f"w{i}" for i in N]),
    "number with unit": lambda t, x, y: filled(t, x, [f"{i} kg" for i in N]),
    "decimal comma": lambda t, x, y: filled(t, x, [f"{i},5" for i in N]),
    "number now dates": lambda t, x, y: filled(t, x, [f"2024-01-{i % 28 + 1:02d}" for i in N]),
    "number not finite": lambda t, x, y: filled(t, x, ["inf"] * ROWS),
    "target of another kind": lambda t, x, y: filled(t, y, [f"? {i}" for i in N]),
}
HARMLESS: dict[str, Callable[[pa.Table], pa.Table]] = {
    "as it is": lambda t: t,
    "another order": lambda t: t.select(sorted(t.schema.names)),
    "a column more": lambda t: t.append_column("beak", pa.array(["orange"] * ROWS)),
    "one row": lambda t: t.slice(3, 1),
}


def test_a_changed_column_is_caught_and_a_good_batch_never_is() -> None:
    caught = good = 0
    # Of a source that has the target; the rows of tool_wear get theirs from dbt.
    use_cases = {n: each for n, each in load_use_cases().items() if not each.target.computed}
    assert len(use_cases) == 5
    for name, what in use_cases.items():
        table = batch_of(what, 0)
        number = next(
            c.in_source for c in what.columns if c.type in ("number", "integer")
            and c.role not in ("key", "ignored") and c.in_source != what.target.in_source
        )  # fmt: skip
        for case, mutate in MUTATIONS.items():
            try:
                accepted = judged(mutate(table, number, what.target.in_source), what).accepted
            except SchemaMismatch as error:
                told = str(error).lower()
            else:
                told = f"{accepted.num_rows} rows accepted" if accepted.num_rows else CAUGHT
            assert CAUGHT in told, f"{name}: {case}: {told}"
            caught += 1
        for number_of_batch in range(min(10, times(1))):
            for harmless in HARMLESS.values():
                kept = harmless(batch_of(what, number_of_batch))
                assert judged(kept, what).accepted.num_rows == kept.num_rows
                good += 1
    figure(f"D1: {caught} of {caught} mutations caught; 0 of {good} good batches refused")


# Numbers that are none (D2)

SPECIAL = [
    math.nan, math.inf, -math.inf, -0.0, 0.0, 1e308, -1e308, 1e-308, 5e-324, 1e38, 1.1e38, -1.0,
    2.0**53 + 1, 2**63 - 1, -(2**63), 2**63, 1e-400, 100.0, 100.0000001,
]  # fmt: skip


@pytest.mark.parametrize("kind", ["text", "float"])
def test_every_one_of_a_hundred_thousand_rows_is_accepted_or_has_a_reason(kind: str) -> None:
    rng = seeded("special")
    n = 100_000
    special: list[Any] = [rng.choice(SPECIAL) if rng.random() < 0.5 else 5.0 for _ in range(n)]
    values: list[Any] = [float(v) if kind == "float" else repr(v) for v in special]
    x = pa.array(values)
    table = pa.table({"id": list(range(n)), "x": x, "kind": ["a"] * n})
    found = validate(table, use_case(PROJECT))
    accepted = found.accepted["row_number"].to_pylist()
    rejected = {each.row_number for each in found.rejects}
    assert sorted([*accepted, *rejected]) == list(range(1, n + 1))
    stored = found.accepted["x"].to_numpy(zero_copy_only=False)
    given = np.array([float(special[row - 1]) for row in accepted])
    assert np.array_equal(stored, given, equal_nan=True)
    assert np.all(np.isnan(stored) | ((stored >= 0) & (stored <= 100)))
    figure(f"D2 ({kind}): {n} rows: {len(accepted)} accepted, {len(rejected)} rejected, 0 lost")


# D3, letters:

LETTERS = [
    "größe",
    "e\u0301",
    "\u05e9\u05dc\u05d5\u05dd",
    "a\u200bb",
    "日本",
    "😀",
    "ﬁ",
    "İ",
    "naïve",
    "x",
]
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1",
             "cp1252", "shift_jis", "euc_kr"]  # fmt: skip


def test_a_text_is_what_was_written_or_refused_with_the_place() -> None:
    texts = [{"name": "note", "type": "text", "role": "monitored"}]
    what = use_case(PROJECT, [*COLUMNS, *texts])
    outcomes: Counter[str] = Counter()
    for encoding, newline, kind, quote in itertools.product(
        ENCODINGS, ["\n", "\r\n", "\r"], "ab", ["", '"']
    ):
        words = [word for word in LETTERS if _can(word, encoding)]
        rows = [f"{i},5,{kind},{quote}{word}{quote}" for i, word in enumerate(words)]
        data = newline.join(["id,x,kind,note", *rows, ""]).encode(encoding)
        try:
            found = validate(read_data("t.csv", data, "p"), what)
        except (SourceError, SchemaMismatch) as error:
            clear = "UTF-8" in str(error) or "missing column" in str(error)
            outcomes["refused" if clear else f"refused: {error}"] += 1
            continue
        assert found.accepted["note"].to_pylist() == words, encoding
        outcomes["read"] += 1
    assert set(outcomes) == {"read", "refused"}
    figure(f"D3: {sum(outcomes.values())} files: {dict(outcomes)}, 0 read as something else")
    assert outcomes["read"] == 2 * 3 * 2 * 2


def _can(word: str, encoding: str) -> bool:
    """Whether an encoding has the letters."""
    try:
        word.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def test_a_category_is_one_however_its_accent_is_written() -> None:
    columns: list[dict[str, Any]] = [
        {"name": "id", "type": "integer", "role": "key"},
        {"name": "x", "type": "number"},
        {"name": "kind", "type": "category", "values": ["e\u0301", "b"], "role": "target"},
    ]
    table = pa.table({"id": [1, 2], "x": [1, 2], "kind": ["\u00e9", "e\u0301"]})
    found = validate(table, use_case(PROJECT, columns))
    assert found.accepted["kind"].to_pylist() == ["\u00e9", "\u00e9"]


# D4, formulas:

PAYLOADS = [f"{a}{b}" for a in ("=", "+", "-", "@", "\t=", "\r=", " =", "\uff1d", "%0A=", '"=')
            for b in ("1+1", "cmd|'/c calc'!A0", 'HYPERLINK("http://x")', "SUM(A1:A9)", "A1", "1",
                      "IMPORTXML(B1)", "2+5+cmd|' /C calc'!A0", "DDE()", "x", "@", "-1", "'", ";",
                      "{1}", "é", "0x1", "1e5", "(1)", "#REF!")]  # fmt: skip


def test_a_formula_stays_text_and_is_written_to_no_sheet() -> None:
    assert len(PAYLOADS) == 200
    what = use_case(PROJECT, [
        {"name": "id", "type": "integer", "role": "key"},
        {"name": "x", "type": "number"},
        {"name": "kind", "type": "category", "role": "target"},
        {"name": "note", "type": "text", "role": "monitored"},
    ])  # fmt: skip
    rows = {"id": list(range(200)), "x": [-1] * 200, "kind": ["a"] * 200, "note": PAYLOADS}
    found = judged(pa.table(rows), what)
    assert found.accepted["note"].to_pylist() == [each.strip() for each in PAYLOADS]
    assert set(found.accepted["x"].to_pylist()) == {-1.0}
    assert writers() == {
        "resources/warehouse.py: write_csv",
        "resources/sources/base.py: write_csv",
        "leeway/served/tried.py: writer",
        "resources/labels.py: write_csv",
        "leeway/served/batch_answers.py: CSVWriter",
    }
    figure("D4: 200 payloads: 200 kept as text; one module writes CSV for people, and quotes them")


def writers() -> set[str]:
    """Calls that write CSV or Excel: COPY into PostgreSQL, digests of rows, answers of a batch.

    Of these the last are for people: what a sheet would run is quoted there
    (tests/unit/test_batches.py).
    """
    names = {"to_csv", "write_csv", "to_excel", "Workbook", "writer", "DictWriter", "CSVWriter"}
    found = set()
    for layer in ("leeway", "resources", "assets", "orchestration", "cli", "serving", "dashboard"):
        for path in (PROJECT / layer).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                called = node.func if isinstance(node, ast.Call) else None
                name = getattr(called, "attr", getattr(called, "id", None))
                if name in names:
                    found.add(f"{path.relative_to(PROJECT)}: {name}")
    return found


# Files that cost more than they are (D5)


def test_a_costly_file_is_read_or_refused_within_512_mb_and_10_seconds() -> None:
    # An arena for each thread reserves 64 MB of addresses, and another number in each run.
    child = start("read_hostile", LEEWAY_MAX_FILE_MB="64", MALLOC_ARENA_MAX="1")
    code, out, err = finish(child)
    assert code == 0, err
    *lines, memory = [json.loads(line) for line in out.splitlines()]
    read = [name for name, said, _ in lines if said is None]
    slowest = max(seconds for *_, seconds in lines)
    assert read == []
    for name, said, _ in lines:
        assert said.startswith("the/place: "), name
        assert len(said) < 1000, name
    assert slowest < 10
    figure(f"D5: {len(lines)} costly files: all refused, {memory / 2**10:.0f} MB and "
           f"{slowest:.1f} s at most, 0 deaths")  # fmt: skip


# Damaged files (D9)


def test_a_damaged_file_is_a_table_or_a_refusal() -> None:
    rng = seeded("damage")
    good = whole(rng)
    tables = {name: read_data(name, data, "p").num_rows for name, data in good}
    assert set(tables.values()) == {200}
    n = times(13)
    outcomes: Counter[str] = Counter()
    for number in range(n):
        name, data = good[number % len(good)]
        try:
            read_data(name, mutated(data, rng), "p")
        except SourceError as error:
            told = str(error)
            ended = "ended the program" in told
            outcomes["ended its parser" if ended else "refused"] += told.startswith("p: ")
        else:
            outcomes["read"] += 1
    assert sum(outcomes.values()) == n, "a refusal did not name the place"
    figure(f"D9: {n} damaged files: {dict(outcomes)}, 0 parent deaths")
