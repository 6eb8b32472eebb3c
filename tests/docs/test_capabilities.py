"""docs/capabilities.md has every row once, and what it names as proof exists.

Tests are looked up in the source of their file, so that nothing is collected or imported.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.docs.test_readme import cli_verbs, makefile_verbs

ROOT = Path(__file__).resolve().parents[2]
ROWS = 266
KINDS = ("shown", "not yet", "does not apply")


class Row(NamedTuple):
    """One line of a table."""

    number: int
    name: str
    proof: str

    @property
    def kind(self) -> str:
        """Whether it is shown, or what its proof begins with instead."""
        return next((kind for kind in KINDS[1:] if self.proof.startswith(f"{kind}: ")), "shown")


def rows_of(text: str) -> list[Row]:
    found = re.findall(r"^\| (\d+) \| ([^|\n]+) \| ([^|\n]+) \|$", text, re.MULTILINE)
    return [Row(int(number), name, proof) for number, name, proof in found]


def named(text: str) -> list[str]:
    """What stands in code: tests, commands, files and names."""
    return re.findall(r"`([^`\n]+)`", text)


@cache
def defined_in(path: str) -> frozenset[str]:
    """The tests of a file; none when it is not there."""
    file = ROOT / path
    if not file.is_file():
        return frozenset()
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


def missing(spans: list[str]) -> list[str]:
    """The tests, verbs and files that are named and are not there."""
    found = []
    for span in spans:
        program, _, rest = span.partition(" ")
        if "::" in span:
            path, _, name = span.partition("::")
            there = name.startswith("test_") and name in defined_in(path)
        elif program == "leeway":
            there = rest.split()[0] in cli_verbs()
        elif program == "make":
            there = rest in makefile_verbs()
        else:
            there = "/" not in span or (ROOT / span).exists()
        if not there:
            found.append(span)
    return found


@cache
def proofs_in(path: str) -> frozenset[str]:
    """The tests of a file that `make proof` alone runs."""
    body = ast.parse((ROOT / path).read_text(encoding="utf-8")).body
    marks = {
        ast.unparse(node.targets[0]): node.value
        for node in body
        if isinstance(node, ast.Assign) and "not LONG" in ast.unparse(node.value)
    }
    return frozenset(
        node.name
        for node in body
        if isinstance(node, ast.FunctionDef)
        and (
            "pytestmark" in marks
            or any(
                "not LONG" in ast.unparse(each) or ast.unparse(each) in marks
                for each in node.decorator_list
            )
        )
    )


@pytest.fixture(scope="module")
def text() -> str:
    return (ROOT / "docs" / "capabilities.md").read_text(encoding="utf-8")


def test_every_row_is_there_once_and_in_order(text: str) -> None:
    assert [row.number for row in rows_of(text)] == list(range(1, ROWS + 1))
    lines = [line for line in text.splitlines() if re.match(r"\| *\d", line)]
    assert len(lines) == ROWS, "a row of another form is not read"


def test_every_row_that_is_shown_names_a_test_or_a_command(text: str) -> None:
    for row in rows_of(text):
        if row.kind == "shown":
            assert re.match(r"`(tests/\S+\.py::test_|leeway |make )", row.proof), row
        else:
            assert len(row.proof.partition(": ")[2]) > 10, row


def test_everything_that_is_named_exists(text: str) -> None:
    spans = named(text)
    assert sum("::" in span for span in spans) > 100
    assert missing(spans) == []


def test_a_long_proof_is_marked_as_one_and_nothing_else(text: str) -> None:
    found = re.findall(r"`(tests/\S+\.py)::(test_\w+)`( \(make proof\))?", text)
    wrong = [(path, name) for path, name, mark in found if (name in proofs_in(path)) != bool(mark)]
    assert wrong == []
    assert sum(bool(mark) for _, _, mark in found) > 5


def test_what_is_missing_is_noticed() -> None:
    here = "tests/docs/test_capabilities.py::test_what_is_missing_is_noticed"
    good = [here, "leeway run NAME", "make demo", "docs/adr", "monitoring.scoring_runs"]
    bad = [f"{here}_not", "tests/docs/none.py::test_x", "leeway fly", "make money", "docs/none.md"]
    bad += ["tests/docs/test_capabilities.py::rows_of"]
    assert missing(good + bad) == bad


def test_the_counts_are_those_of_the_rows(text: str) -> None:
    count = Counter(row.kind for row in rows_of(text))
    shown, later, never = (count[kind] for kind in KINDS)
    line = f"Of {ROWS} rows {shown} are shown, {later} are not yet there and {never} do not apply."
    assert line in text.splitlines()


def test_no_other_word_begins_a_proof(text: str) -> None:
    """A misspelt `not yet` would count as shown."""
    for row in rows_of(text):
        assert row.proof.startswith(("`", "not yet: ", "does not apply: ")), row
