"""docs/faults.md names tests, and pytest finds one for each word by which it chooses them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.docs.test_capabilities import ROOT, defined_in

# What the document calls the files that it names often.
SHORT = {
    "arrival": "tests/faults/test_arrival.py",
    "archive": "tests/contract/test_source_archive.py",
    "files": "tests/contract/test_source_files.py",
    "graph": "tests/graph/test_bad_input.py",
    "http": "tests/contract/test_source_http.py",
    "links": "tests/contract/test_source_links.py",
    "sql": "tests/contract/test_source_sql.py",
    "topic": "tests/contract/test_source_topic.py",
    "unpacked": "tests/contract/test_source_unpacked.py",
}
CHOICE = re.compile(r"(?:LEEWAY_KILLS=\w+ … )?(?P<file>\S+?)(?: -k (?P<words>\"[^\"]+\"|\w+))?")


def chosen(text: str) -> Iterator[tuple[str, str]]:
    """File and word of each choice of tests; of a file as a whole, the word of every test."""
    for span in re.findall(r"`([^`\n]+)`", text):
        found = CHOICE.fullmatch(span)
        if found is None:
            continue
        file, _, name = SHORT.get(found["file"], found["file"]).partition("::")
        if file.startswith("tests/") and file.endswith(".py"):
            words = name or (found["words"] or "test_").strip('"')
            yield from ((file, word) for word in words.split(" or "))


def missing(text: str) -> list[tuple[str, str]]:
    return [
        (file, word) for file, word in chosen(text) if not any(word in n for n in defined_in(file))
    ]


def test_every_choice_of_tests_finds_one() -> None:
    text = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
    assert len(list(chosen(text))) > 70
    assert missing(text) == []


@pytest.mark.parametrize(
    "span", ["links -k gigabyte_of_gold", 'http -k "page_that or no_such"', "tests/faults/no.py"]
)
def test_a_choice_that_finds_none_is_noticed(span: str) -> None:
    assert len(missing(f"| x | `{span}` |")) == 1
