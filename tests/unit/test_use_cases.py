"""A folder with a defs.yaml is a use case when its names are safe and the file can be read."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from leeway.identifiers import check_batch, check_identifier
from orchestration.use_cases import (
    DEFS,
    InvalidUseCase,
    find_use_case,
    load_use_case,
    load_use_cases,
)
from tests.unit.changed_defs import batches, changed, column, put, write


def test_the_shipped_penguins_load() -> None:
    penguins = load_use_cases(DEFS)["penguins"]
    assert penguins.target.name == "species"
    assert penguins.key.name == "penguin_id"
    assert penguins.metric == "macro_f1"
    assert [c.name for c in penguins.with_role("time")] == ["year"]


def test_use_cases_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("zebras", "ants"):
        changed(tmp_path, lambda attributes: None).rename(write(tmp_path, "", name))
    (tmp_path / "flowers").rmdir()
    assert list(load_use_cases(tmp_path)) == ["ants", "zebras"]


def test_a_use_case_is_found_whatever_the_files_of_others_say(tmp_path: Path) -> None:
    changed(tmp_path, lambda attributes: None)
    edited = write(tmp_path, "attributes: {title: [}", "edited")
    assert find_use_case("flowers", tmp_path).title == "Flowers"
    with pytest.raises(InvalidUseCase, match=re.escape(str(edited))):
        load_use_cases(tmp_path)
    for name in ("nosuch", "../flowers", "."):
        with pytest.raises(InvalidUseCase, match=r"no use case .*; there are edited, flowers$"):
            find_use_case(name, tmp_path)
    (tmp_path / "none").mkdir()
    with pytest.raises(InvalidUseCase, match=r"there are none$"):
        find_use_case("flowers", tmp_path / "none")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "needs the keys type and attributes"),
        ("[1, 2]", "needs the keys type and attributes"),
        ("type: x\nattributes: 3", "needs the keys type and attributes"),
        ("type: x\nattributes: {}\natributes: {}", "keys: unknown name 'atributes'; did you mean"),
        ("type: x\nattributes: {title: a,\n title: b}", "'title' is given more than once"),
        ("type: x\nattributes: {title: a,\n title: b}", "line 3, column 2"),
        ("attributes: {title: [}", "line 1, column 22"),
        ("attributes: !!python/object/apply:os.system ['true']", "python/object/apply"),
    ],
)
def test_a_file_that_is_not_yaml_or_not_a_use_case_is_refused(
    tmp_path: Path, text: str, says: str
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(InvalidUseCase) as refused:
        load_use_case(path)
    assert str(refused.value).startswith(f"{path}: ")
    assert says in str(refused.value)


def test_the_bare_word_on_is_a_key(tmp_path: Path) -> None:
    """Regression: YAML 1.1 reads it as true, and the message said that `on` is known."""
    path = changed(tmp_path, put({"on": ["damage"]}, "retraining"))
    text = path.read_text()
    path.write_text(text.replace("'on':", "on:"))
    assert path.read_text() != text
    assert load_use_case(path).retraining.on == ("damage",)


def test_a_file_that_is_not_utf8_is_refused_with_its_name(tmp_path: Path) -> None:
    path = write(tmp_path, "")
    path.write_bytes("type: größe".encode("latin-1"))
    with pytest.raises(InvalidUseCase, match=re.escape(str(path))):
        load_use_case(path)


def test_a_file_that_cannot_be_read_is_refused_with_its_name_and_a_remedy(tmp_path: Path) -> None:
    """Regression: it was taken for a fault of LEEWAY_HOME. Root may read any file."""
    path = tmp_path / "flowers" / "defs.yaml"
    path.mkdir(parents=True)
    remedy = "make it a file that you may read, or remove its folder"
    with pytest.raises(InvalidUseCase) as refused:
        load_use_case(path)
    assert str(refused.value) == f"{path}: Is a directory; {remedy}"


@pytest.mark.parametrize(
    ("value", "path", "shown"),
    [
        ({"a": [1]}, ["title"], "title: Input should be a valid string, got {'a': [1]}"),
        ([], ["columns"], "got []"),
        (["x"] * 99, ["title"], f", got {['x'] * 99}"[:86] + "..."),
        ("x" * 99, ["task"], f"got '{'x' * 79}..."),
    ],
)
def test_what_is_refused_is_shown_and_of_what_is_long_the_beginning(
    tmp_path: Path, value: object, path: list[str], shown: str
) -> None:
    """Regression: nothing was shown of a list or a mapping."""
    with pytest.raises(InvalidUseCase) as refused:
        load_use_case(changed(tmp_path, put(value, *path)))
    assert str(refused.value).endswith(shown)


def test_the_whole_of_what_lacks_a_part_is_not_shown(tmp_path: Path) -> None:
    """It may hold the password of an address, and the message names the part."""
    source = {"url": "https://ana:hunter2canary@h/x", "pth": 1}
    for value in (source, {"kind": "http"} | source, {"kind": "file"}):
        with pytest.raises(InvalidUseCase) as refused:
            load_use_case(changed(tmp_path, put(value, "source")))
        assert "hunter2canary" not in str(refused.value)
        assert ", got {" not in str(refused.value)


@pytest.mark.parametrize("name", ["Flowers", "select", "my flowers", "pg_flowers", "leeway"])
def test_a_folder_whose_name_cannot_be_a_schema_is_refused(tmp_path: Path, name: str) -> None:
    text = changed(tmp_path, lambda attributes: None).read_text()
    with pytest.raises(InvalidUseCase, match=re.escape(repr(name))):
        load_use_case(write(tmp_path, text, name))


INJECTIONS = [
    "x; drop table raw",
    'x"; --',
    "x'",
    "../etc",
    "..",
    ".",
    "/etc/passwd",
    "a/b",
    "a\\b",
    "a\n",
    "\na",
    "a\0",
    "a b",
    "",
    "-a",
    "é",
    "\uff41",
    "a\u200b",
    "%2e%2e",
    "{name}",
    "$(id)",
]


@pytest.mark.parametrize("text", [*INJECTIONS, "_a", "1a", "A", "a-b", "a" * 49])
def test_what_could_leave_its_place_is_no_identifier(text: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is not a name: use lower-case letters"):
        check_identifier(text)
    with pytest.raises(InvalidUseCase, match=r"columns\.2\.name: .* at most 48 characters"):
        load_use_case(changed(tmp_path, column(2, name=text)))


@pytest.mark.parametrize("text", [*INJECTIONS, "_a", "a" * 64])
def test_what_could_leave_its_place_is_no_batch(text: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is not a batch id: use letters"):
        check_batch(text)
    with pytest.raises(InvalidUseCase, match=r"source\.file\.batch_by\.batches"):
        load_use_case(changed(tmp_path, batches(**{text: [1]})))


TEN = ",".join("x" * 10)
BOMBS = {
    "aliases": f"attributes:\n  title:\n    - &l0 [{TEN}]\n"
    + "".join(f"    - &l{n} [{','.join([f'*l{n - 1}'] * 10)}]\n" for n in range(1, 9)),
    "itself": "attributes: &a\n  title: *a\n",
    "deep": "attributes: " + "[" * 20_000 + "]" * 20_000,
    "values": "attributes: {title: [" + "1," * 300_000 + "]}",
    "bytes": "attributes: {title: " + "x" * 5_000_000 + "}",
    "keys": "attributes:\n" + "".join(f"  k{n}: 1\n" for n in range(100_000)),
}
SAID = {
    "aliases": "more than 300000 values, with those of its aliases",
    "itself": "more than 300000 values, with those of its aliases",
    "deep": "too deep within one another",
    "values": "more than 300000 values",
    "bytes": "more than 5000000 bytes",
    "keys": "unknown name",
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_file_that_costs_more_than_a_use_case_is_refused_at_once(
    tmp_path: Path, bomb: str
) -> None:
    """Regression: the keys of a mapping were compared pair by pair, 20,000 of them in 9 s."""
    path = write(tmp_path, BOMBS[bomb], "bomb")
    before = time.process_time()
    with pytest.raises(InvalidUseCase, match=SAID[bomb]):
        load_use_case(path)
    assert time.process_time() - before < 10
