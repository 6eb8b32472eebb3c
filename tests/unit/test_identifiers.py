"""Names of a use case and of a batch have only characters that are safe in SQL and in a path."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from leeway.identifiers import check_batch, check_identifier


@pytest.mark.parametrize("word", ["select", "user", "left", "xmin", "ctid", "leeway", "pg_temp"])
def test_a_reserved_word_is_no_identifier(word: str) -> None:
    with pytest.raises(ValueError, match="is a reserved word"):
        check_identifier(word)


@pytest.mark.parametrize("name", ["a", "a" * 48, "bill_length_mm", "x1", "selected"])
def test_an_ordinary_name_is_an_identifier(name: str) -> None:
    assert check_identifier(name) == name


@pytest.mark.parametrize("batch", ["2009", "2007-2008", "A_b-1", "a" * 63])
def test_an_ordinary_id_is_a_batch(batch: str) -> None:
    assert check_batch(batch) == batch


# Mostly letters that are allowed, so that a good part of the texts is accepted.
nearly = st.text(st.sampled_from("abz019_-AZ \n./;'\"é٣"), max_size=8) | st.text(max_size=70)


@settings(max_examples=300, derandomize=True, deadline=None)
@given(nearly)
@example("a\n")
def test_an_accepted_identifier_has_only_safe_characters(text: str) -> None:
    try:
        check_identifier(text)
    except ValueError:
        return
    assert set(text) <= set("abcdefghijklmnopqrstuvwxyz0123456789_")
    assert 1 <= len(text) <= 48


@settings(max_examples=300, derandomize=True, deadline=None)
@given(nearly)
@example("a\n")
def test_an_accepted_batch_has_only_safe_characters(text: str) -> None:
    try:
        check_batch(text)
    except ValueError:
        return
    assert all(c.isascii() and (c.isalnum() or c in "_-") for c in text)
    assert text[0] not in "_-"


SQL = ["'", '"', "`", ";", "-- ", "/*", "*/", "\\", "\0", "$$", "%s", "{}", "(", ")", ",", ".", " ",
       "\n", "\r", "\t", "=", "|", "&", ":", "\u2019", "\uff07", "\u0131", "\u00e9", "\u200b",
       "%27"]  # fmt: skip
AROUND = ["{}", "a{}", "{}a", "a{}b", "a{}; drop table raw", "a{} or 1=1", "x{}pg_sleep(9)",
          "{} union select 1", "a{}{}b", "1{}1"]  # fmt: skip
PATHS = ["..", ".", "/etc/passwd", "a/b", "a\\b", "%2e%2e", "..%2f", "a\0b", "a\u2215b", "a\uff0fb",
         "a" * 256, "a.", "a..", "-a", "~", "C:a", "a:b", "", "a/../b", "\u2024\u2024"]  # fmt: skip


@pytest.mark.parametrize("check", [check_identifier, check_batch])
def test_no_payload_of_sql_is_a_name(check: Callable[[str], str]) -> None:
    payloads = [each.replace("{}", text) for text in SQL for each in AROUND]
    assert len(payloads) == 300
    assert [payload for payload in payloads if accepted(check, payload)] == []


@pytest.mark.parametrize("check", [check_identifier, check_batch])
def test_no_path_is_a_name(check: Callable[[str], str]) -> None:
    assert [path for path in PATHS if accepted(check, path)] == []


def accepted(check: Callable[[str], str], text: str) -> bool:
    try:
        check(text)
    except ValueError:
        return False
    return True
