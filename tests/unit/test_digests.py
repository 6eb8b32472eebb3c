"""Equal values have equal digests, and different ones have different digests."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leeway.digests import canonical_json, digest_of, digest_of_files

texts = st.text('ab,:"[]{}\\ é\n0', max_size=3)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.integers(0, 3) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=300, derandomize=True, deadline=None)
@given(values, values)
def test_two_values_share_a_digest_exactly_when_they_are_equal(left: Any, right: Any) -> None:
    assert (digest_of(left) == digest_of(right)) == (left == right)


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.lists(texts, min_size=1, max_size=4), st.lists(texts, min_size=1, max_size=4))
def test_parts_that_join_to_the_same_text_are_delimited(left: list[str], right: list[str]) -> None:
    joined = ["".join(left), "".join(right)]
    assert (digest_of(left) == digest_of(right)) == (left == right), joined


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (["ab", "c"], ["a", "bc"]),
        (["a,b"], ["a", "b"]),
        (['a","b'], ["a", "b"]),
        ([["a"], "b"], ["a", ["b"]]),
        ({"a": {"b": 1}}, {"a": 1, "b": 1}),
        ("1", 1),
        (None, "null"),
        ([], [None]),
        ("\u00e9", "e\u0301"),
    ],
)
def test_what_looks_alike_has_different_digests(left: object, right: object) -> None:
    assert digest_of(left) != digest_of(right)


def test_the_order_of_keys_does_not_matter() -> None:
    assert canonical_json({"b": 1, "a": [1, "é"]}) == b'{"a":[1,"\xc3\xa9"],"b":1}'
    assert digest_of({"b": 1, "a": 2}) == digest_of({"a": 2, "b": 1})


@pytest.mark.parametrize("value", [math.nan, math.inf, [-math.inf]])
def test_a_number_that_json_has_no_form_for_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        canonical_json(value)


def test_a_digest_is_sha256_of_the_canonical_json() -> None:
    empty = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    assert digest_of({}) == f"sha256:{empty}"


def files(folder: Path, contents: dict[str, str]) -> list[Path]:
    for name, content in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return [folder / name for name in contents]


def test_a_digest_of_files_has_no_order_and_no_folder(tmp_path: Path) -> None:
    one = files(tmp_path / "here", {"a": "1", "b": "2"})
    two = files(tmp_path / "there", {"b": "2", "a": "1"})
    assert digest_of_files(one) == digest_of_files(two)


@pytest.mark.parametrize(
    "contents",
    [
        {"x/a.sql": "1", "y/b.sql": "3"},
        {"x/a.sql": "1", "y/c.sql": "2"},
        {"x/a.sql": "12", "y/b.sql": ""},
        {"x/a.sql": "1"},
        {},
    ],
)
def test_a_digest_of_files_depends_on_each_name_and_content(
    tmp_path: Path, contents: dict[str, str]
) -> None:
    before = digest_of_files(files(tmp_path / "1", {"x/a.sql": "1", "y/b.sql": "2"}))
    assert digest_of_files(files(tmp_path / "2", contents)) != before


@pytest.mark.parametrize("changed", ["x/schema.yml", "y/schema.yml"])
def test_files_of_one_name_in_two_folders_both_count(tmp_path: Path, changed: str) -> None:
    """Regression: the second hid the first, so that a change of the first was not seen."""
    paths = files(tmp_path, {"x/schema.yml": "1", "y/schema.yml": "2"})
    before = digest_of_files(paths)
    (tmp_path / changed).write_text("3")
    assert digest_of_files(paths) != before
