"""What gives the target away, or says nothing of it, is left out or refused with the reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from leeway.scaffold.draft import infer
from leeway.scaffold.errors import CannotInfer
from leeway.scaffold.leaks import SAMPLED
from resources.files import SourceError, read_file
from tests.unit.drafts import CHURN, N, draft, mixed, noise, said


def test_free_text_names_and_codes_are_ignored_with_the_reason() -> None:
    note = [f"the customer called {row % 90} times and was not amused at all" for row in range(N)]
    code = [f"{row % 70:05d}" for row in range(N)]
    found = draft(CHURN | {"note": note, "name": [f"n{r}" for r in range(N)], "zip": code})
    assert {c.name for c in found.use_case.with_role("ignored")} == {"note", "name", "zip"}
    assert said(found, "note is ignored: it is free text")
    assert said(found, "name is ignored: it has another text in every row")
    assert said(found, "zip is ignored: it has 70 different texts in 200 rows")


def test_constant_and_empty_columns_are_ignored() -> None:
    found = draft(CHURN | {"k": [1] * N, "l": ["x"] * N, "empty": [None] * N})
    assert {c.name for c in found.use_case.with_role("ignored")} == {"k", "l", "empty"}
    assert said(found, "k, l are ignored: each is constant")


LEAKS = {
    "equal": (CHURN["y"], "is the target under another name"),
    "recoded": ([{"no": "N", "yes": "Y"}[y] for y in CHURN["y"]], "under another name"),
    "only for some": (
        [None if y == "no" else ["price", "service"][i % 2] for i, y in enumerate(CHURN["y"])],
        "determines the target",
    ),
    "score": (
        np.where(np.array(CHURN["y"]) == "yes", 5, -5) + noise(6),
        "bounds on its values separate the classes",
    ),
}


@pytest.mark.parametrize("kind", LEAKS)
def test_a_column_that_gives_a_class_away_is_ignored(kind: str) -> None:
    values, words = LEAKS[kind]
    found = draft(CHURN | {"leak": values})
    assert found.use_case.column("leak").role == "ignored"
    assert said(found, words)
    assert found.use_case.column("x").role == "feature"


def test_a_column_that_gives_a_number_away_is_ignored() -> None:
    y = noise(7) + 10
    table = {"id": range(N), "x": y + noise(8) * 0.3, "same": y, "log": np.log(y), "y": y}
    table["cents"] = (y * 92).round()
    found = draft(table)
    assert {c.name for c in found.use_case.with_role("ignored")} == {"same", "log", "cents"}
    assert found.use_case.column("x").role == "feature"


def test_a_flag_that_goes_with_the_rare_class_alone_is_used_with_a_warning() -> None:
    y = np.array(mixed("ok", "ok", "ok", "ok", "failed"))
    flag = np.where((y == "failed") & (np.arange(N) % 2 == 0), 1, 0)
    found = draft(CHURN | {"flag": flag, "y": y})
    assert found.use_case.column("flag").role == "feature"
    assert said(found, f"flag is '1' in {flag.sum()} rows, all of them 'failed'")


def test_a_number_that_can_be_read_in_two_ways_is_ignored_and_refused_as_a_target() -> None:
    found = draft(CHURN | {"price": ["1,234"] * 100 + ["5,678"] * 100})
    assert found.use_case.column("price").role == "ignored"
    assert said(found, "price is ignored: it holds numbers with a comma that may stand before")
    with pytest.raises(CannotInfer, match=r"'y' holds numbers with a comma.*such as '1,234'"):
        draft(CHURN | {"y": [f"{row % 9 + 1},{row + 234}" for row in range(N)]})
    both = draft(CHURN | {"price": ["1.5", "2,5"] * 100})
    assert said(both, "price is ignored: it holds numbers that are written in two ways")


def test_values_that_are_not_separated_by_commas_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("id;x;y\n" + "1;2;3\n" * 50)
    with pytest.raises(SourceError, match="the header 'id;x;y' has semicolons between the names"):
        read_file(path)
    path.write_text("id|x|y\n" + "1|2|3\n" * 50)
    with pytest.raises(CannotInfer, match=r"the header is one column, 'id\|x\|y'.*with commas"):
        infer(read_file(path), path="t.csv", target="y")


def test_a_column_name_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("id,x,x\n1,2,3\n")
    with pytest.raises(SourceError, match="the header names 'x' more than once"):
        read_file(path)


TARGETS = {
    "the same value in every row": ["a"] * N,
    "at least 30 are needed": [None] * (N - 10) + ["a", "b"] * 5,
    "holds 200 different values of type text": [f"t{row}" for row in range(N)],
    "numbers with a sign of currency or percent, such as '\\$1'": [
        f"{'$€'[r % 2]}{r + 1}" for r in range(N)
    ],
    "of type date": list(pd.date_range("2020-01-01", periods=N).strftime("%Y-%m-%d")),
    "class 'b' of the target 'y' has fewer than 6 rows": ["a"] * (N - 3) + ["b"] * 3,
}


@pytest.mark.parametrize("words", TARGETS)
def test_a_target_that_cannot_be_learned_is_refused(words: str) -> None:
    with pytest.raises(CannotInfer, match=words):
        draft(CHURN | {"y": TARGETS[words]})


def test_a_column_that_is_not_there_is_refused_with_the_closest() -> None:
    with pytest.raises(CannotInfer, match="--target 'idd': no such column; did you mean 'id'"):
        draft(CHURN, "idd")
    with pytest.raises(CannotInfer, match="must name different columns"):
        draft(CHURN, key="y")


def test_a_table_with_nothing_to_learn_from_is_refused_with_the_reasons() -> None:
    with pytest.raises(CannotInfer, match="no column is left to learn from: x is ignored"):
        draft({"id": range(N), "x": [1] * N, "y": CHURN["y"]})


def test_too_many_rows_that_would_be_rejected_are_refused() -> None:
    columns = {f"c{i}": np.array(noise(i, 2000), object) for i in range(10)}
    for i, values in enumerate(columns.values()):
        values[i * 20 : i * 20 + 15] = [f"w{row}" for row in range(15)]
    with pytest.raises(CannotInfer, match=r"up to 150 of 2000 rows hold .* c9 \(15 rows\)"):
        draft({"id": range(2000), **columns, "y": mixed("a", "b", rows=2000)})


def test_a_long_table_says_what_was_looked_at_in_a_sample() -> None:
    """Guards: the last row decides the type although leaks are looked for in a sample."""
    rows = SAMPLED + 1000
    a = np.arange(rows).astype(object) % 500
    a[-2] = 0.5
    found = draft({"id": range(rows), "a": a, "y": mixed("a", "b", rows=rows)})
    assert found.use_case.column("a").type == "number"
    assert said(found, f"leaks were looked for in {SAMPLED} of them")
