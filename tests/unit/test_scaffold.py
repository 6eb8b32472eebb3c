"""`leeway new` infers a use case from tables that it was not written for.

Tables are made as files and read as the sources read them, so that a value is the text it is there.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from leeway.data.validation import validate
from leeway.scaffold.content import content_of
from leeway.scaffold.draft import Draft, infer
from leeway.scaffold.errors import CannotInfer
from leeway.scaffold.leaks import SAMPLED
from resources.files import SourceError, read_file

N = 200
Table = Mapping[str, Sequence[Any]]


def noise(seed: int = 0, rows: int = N) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.random.default_rng(seed).normal(size=rows).round(3)


def mixed(*values: Any, rows: int = N) -> list[Any]:
    """The values at random, the same at every call, others for other values."""
    random = np.random.default_rng(zlib.crc32(repr(values).encode()))
    return [values[position] for position in random.integers(0, len(values), rows)]


CHURN: dict[str, Any] = {"id": range(1, N + 1), "x": noise(), "y": mixed("no", "yes", "no", "no")}


@pytest.fixture
def draft(tmp_path: Path) -> Any:
    """The draft for a table that went through a CSV file; every row of it must be accepted."""

    def call(table: Table, target: str = "y", *, rejected: int = 0, **options: Any) -> Draft:
        path = tmp_path / "t.csv"
        pd.DataFrame(dict(table)).to_csv(path, index=False)
        read = read_file(path)
        found = infer(read, path="t.csv", target=target, **options)
        assert validate(read, found.use_case, batch="t").rejected_rows == rejected
        return found

    return call


def said(found: Draft, words: str) -> bool:
    return any(words in sentence for sentence in found.assumptions)


def test_two_classes_with_a_key(draft: Any) -> None:
    found = draft(CHURN)
    use_case = found.use_case
    assert (use_case.task, use_case.key.name, use_case.key.type) == (
        "classification", "id", "integer",
    )  # fmt: skip
    assert (use_case.target.type, use_case.target.values) == ("category", ("no", "yes"))
    assert said(found, "id is the key")
    share = CHURN["y"].count("no") / N
    baseline = 2 * share / (1 + share) / 2
    assert baseline < use_case.gates[0].at_least <= baseline + 0.01


def test_several_classes_of_which_one_is_too_rare(draft: Any) -> None:
    y = mixed("a", "b", "c", rows=N - 3) + ["d"] * 3
    found = draft(CHURN | {"y": y}, rejected=3)
    assert found.use_case.target.values == ("a", "b", "c")
    assert said(found, "y: 'd' of fewer than 6 rows each cannot be learned")


def test_a_class_of_few_rows_lowers_the_number_of_folds(draft: Any) -> None:
    found = draft(CHURN | {"y": mixed("a", "b", rows=N - 9) + ["c"] * 9})
    assert found.use_case.search.folds == 3
    assert said(found, "3 folds instead of 5, since a class has only 9 rows")


def test_a_number_is_a_regression_with_unit_and_range(draft: Any) -> None:
    found = draft({"id": range(N), "a": noise(1), "y_usd": noise(2) + 100}, "y_usd")
    target = found.use_case.target
    assert (found.use_case.task, target.type, target.unit) == ("regression", "number", "USD")
    assert target.range[0] < 97
    assert target.range[1] > 103
    assert (found.use_case.gates[0].metric, found.use_case.gates[0].at_least) == ("r2", 0)


def test_whole_numbers_are_classes_when_there_are_few_and_numbers_when_some_are_rare(
    draft: Any,
) -> None:
    stars = draft(CHURN | {"y": mixed(1, 2, 3)})
    assert (stars.use_case.task, stars.use_case.target.values) == ("classification", tuple("123"))
    assert said(stars, "for a regression write task: regression")
    rare = draft(CHURN | {"y": [*mixed(1, 2, 3, rows=N - 3), 4, 4, 5]})
    assert (rare.use_case.task, rare.use_case.target.type) == ("regression", "integer")
    assert said(rare, "for a classification write task: classification")


def test_booleans_however_they_are_spelled(draft: Any) -> None:
    table = {"id": range(N), "a": mixed(True, False), "b": mixed(0, 1, 1), "y": mixed(1, 0, 0, 1)}
    use_case = draft(table).use_case
    assert {c.name: c.type for c in use_case.columns if c.role != "key"} == dict.fromkeys(
        "aby", "boolean"
    )


def test_missing_values_and_their_codes(draft: Any) -> None:
    a = noise(3).astype(object)
    a[:5] = ["NA", "?", "NA", "n/a", "inf"]
    b = np.abs(noise(4))
    b[5:9] = -999
    c = noise(5).astype(object) + 37
    c[9:30] = "refused"
    d = np.arange(N) % 90 + 10
    d[40:50] = 999
    table = CHURN | {"a": a, "b": b, "c": c, "d": d, "e": [None, *mixed("u", "NA", rows=N - 1)]}
    found = draft(table)
    codes = {column.name: column.missing for column in found.use_case.columns if column.missing}
    assert codes == {
        "a": ("?", "NA", "n/a", "inf"), "b": ("-999.0",), "c": ("refused",), "d": ("999",),
        "e": ("NA",),
    }  # fmt: skip
    assert said(found, "'-999.0' means that there is no value: b")
    assert found.use_case.column("d").range == (0, 190)


@pytest.mark.parametrize("values", [[-999, -998, -997, 3], [997, 998, 999, 999], [-99, 12, 80, -3]])
def test_numbers_near_others_are_no_codes(draft: Any, values: list[int]) -> None:
    assert draft(CHURN | {"a": values * (N // 4)}).use_case.column("a").missing == ()


def test_dates(draft: Any) -> None:
    day = pd.date_range("2020-01-01", periods=N).strftime("%Y-%m-%d")
    found = draft(CHURN | {"day": day})
    assert (found.use_case.column("day").type, found.use_case.column("day").role) == (
        "date", "time",
    )  # fmt: skip
    assert said(found, "day is the time of a row")
    at = pd.date_range("2020-01-01", periods=N, freq="7h", tz="UTC").strftime("%Y-%m-%dT%H:%M:%SZ")
    two = draft(CHURN | {"day": day, "at": at}, time="at").use_case
    assert (two.column("at").type, two.column("at").role) == ("timestamp", "time")
    assert two.column("day").role == "ignored"
    assert draft(CHURN | {"day": day, "at": at}).use_case.with_role("time") == ()
    other = draft(CHURN | {"day": pd.to_datetime(day).strftime("%d.%m.%y")})
    assert said(other, "day is ignored: it holds dates that are not written like 2009-12-31")


def test_free_text_names_and_codes_are_ignored_with_the_reason(draft: Any) -> None:
    note = [f"the customer called {row % 90} times and was not amused at all" for row in range(N)]
    code = [f"{row % 70:05d}" for row in range(N)]
    found = draft(CHURN | {"note": note, "name": [f"n{r}" for r in range(N)], "zip": code})
    assert {c.name for c in found.use_case.with_role("ignored")} == {"note", "name", "zip"}
    assert said(found, "note is ignored: it is free text")
    assert said(found, "name is ignored: it has another text in every row")
    assert said(found, "zip is ignored: it has 70 different texts in 200 rows")


def test_constant_and_empty_columns_are_ignored(draft: Any) -> None:
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
def test_a_column_that_gives_a_class_away_is_ignored(draft: Any, kind: str) -> None:
    values, words = LEAKS[kind]
    found = draft(CHURN | {"leak": values})
    assert found.use_case.column("leak").role == "ignored"
    assert said(found, words)
    assert found.use_case.column("x").role == "feature"


def test_a_column_that_gives_a_number_away_is_ignored(draft: Any) -> None:
    y = noise(7) + 10
    table = {"id": range(N), "x": y + noise(8) * 0.3, "same": y, "log": np.log(y), "y": y}
    table["cents"] = (y * 92).round()
    found = draft(table)
    assert {c.name for c in found.use_case.with_role("ignored")} == {"same", "log", "cents"}
    assert found.use_case.column("x").role == "feature"


def test_a_flag_that_goes_with_the_rare_class_alone_is_used_with_a_warning(draft: Any) -> None:
    y = np.array(mixed("ok", "ok", "ok", "ok", "failed"))
    flag = np.where((y == "failed") & (np.arange(N) % 2 == 0), 1, 0)
    found = draft(CHURN | {"flag": flag, "y": y})
    assert found.use_case.column("flag").role == "feature"
    assert said(found, f"flag is '1' in {flag.sum()} rows, all of them 'failed'")


def test_three_hundred_columns(draft: Any) -> None:
    wide = {f"x{i}": noise(i) for i in range(300)}
    found = draft(wide | {"y": mixed("a", "b", "b")})
    assert len(found.use_case.feature_columns) == 300
    assert len(found.assumptions) < 10, "what many columns share is one sentence"


def test_a_number_that_can_be_read_in_two_ways_is_ignored_and_refused_as_a_target(
    draft: Any,
) -> None:
    found = draft(CHURN | {"price": ["1,234"] * 100 + ["5,678"] * 100})
    assert found.use_case.column("price").role == "ignored"
    assert said(found, "price is ignored: it holds numbers with a comma that may stand before")
    with pytest.raises(CannotInfer, match=r"'y' holds numbers with a comma.*such as '1,234'"):
        draft(CHURN | {"y": [f"{row % 9 + 1},{row + 234}" for row in range(N)]})


@pytest.mark.parametrize(("other", "written"), [("1,50", "1.234,5"), ("1,234.50", "1,234.5")])
def test_another_column_says_what_a_comma_is(draft: Any, other: str, written: str) -> None:
    prices = [f"{row % 9 + 1},{row + 234}" for row in range(N)]
    found = draft(CHURN | {"price": prices, "other": [other, other.replace("5", "7")] * 100})
    price = found.use_case.column("price")
    assert price.written == written
    assert price.range[1] == {"1.234,5": 18, "1,234.5": 18000}[written]


@pytest.mark.parametrize(
    ("values", "written", "affix"),
    [
        (["0,125", "2,250"], "1.234,5", None), (["1.234.567", "2.500.000"], "1.234,5", None),
        (["1 234,5", "12"], "1.234,5", None), (["12'500.5", "1,250.25"], "1,234.5", None),
        (["1.234", "5.678"], None, None), (["-$5.25", "$ 1,250.50"], "1,234.5", "$"),
        (["12 kg", "80.5 kg"], None, "kg"), (["12A", "80A"], None, None),
        (["5 USD", "6 EUR"], None, None), (["1.5", "2,5"], None, None),
        (["31-1-2009", "01-02-2009"], "31/12/2009", None),
        (["1.2.2009", "2.1.2009"], "31/12/2009", None),
        (["1/2/2009", "2/1/2009"], None, None), (["13/1/2009", "1/13/2009"], None, None),
        (["1/31/2009 10:15", "2/1/2009 09:00"], "12/31/2009", None),
        (["2009/1/31", "2009/12/1"], "2009/12/31", None),
        (["2009-01-31", "2009-12-01"], None, None), (["192.168.1.10", "10.0.0.1"], None, None),
    ],
)  # fmt: skip
def test_a_notation_is_found_where_values_leave_no_doubt(
    values: list[str], written: str | None, affix: str | None
) -> None:
    found = content_of(pa.chunked_array([values])).notation
    assert (found.written, found.affix) == (written, affix)


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


def test_names_with_spaces_units_and_words_of_sql_are_mapped(draft: Any) -> None:
    table = {
        "Customer ID": range(N), "Body Mass (g)": noise(1), "select": noise(2), "größe": noise(3),
        "Unnamed: 4": noise(4), "2nd": noise(5), "batch_size": noise(6), "name": mixed("a", "b"),
        "Name": mixed("c", "d", "d"), "用户": noise(7), "Is It?": mixed("yes", "no"),
    }  # fmt: skip
    found = draft(table, "Is It?")
    names = {column.source_name: column.name for column in found.use_case.columns}
    assert names == {
        "Customer ID": "customer_id", "Body Mass (g)": "body_mass_g", "select": "source_select",
        "größe": "grosse", "Unnamed: 4": "unnamed_4", "2nd": "source_2nd",
        "batch_size": "source_batch_size", None: "name", "Name": "name_2", "用户": "column_10",
        "Is It?": "is_it",
    }  # fmt: skip
    assert found.use_case.column("body_mass_g").unit == "g"
    assert draft(table, "is_it").use_case == found.use_case


def test_a_table_without_a_key_gets_one_from_positions(draft: Any, tmp_path: Path) -> None:
    table = {"x": noise(), "row_id": mixed("a", "b"), "y": mixed("a", "b", "b")}
    found = draft(table)
    key = found.use_case.key
    assert (key.name, key.type, key.from_position) == ("row_id_2", "text", True)
    rows = validate(read_file(tmp_path / "t.csv"), found.use_case, batch="t").accepted
    assert rows["row_id_2"].to_pylist()[:2] == ["t-1", "t-2"]
    assert said(found, "no column identifies a row, so row_id_2 is made of the file's name")


def test_a_key_that_is_named(draft: Any) -> None:
    table = CHURN | {"email": [f"{row}@x" for row in range(N)]}
    found = draft(table, key="email").use_case
    assert (found.key.name, found.column("id").role) == ("email", "ignored")
    twice = CHURN | {"id": [1, *range(1, N)]}
    assert said(draft(twice, key="id", rejected=1), "id: 1 rows have no key or repeat one")
    with pytest.raises(CannotInfer, match="--key: y has 2 different values in 200 rows"):
        draft(CHURN | {"z": mixed("a", "b")}, "z", key="y")


def test_few_values_of_another_type_are_rejected_and_many_make_a_text(draft: Any) -> None:
    few = np.array(noise(1), object)
    few[[3, 50]] = "abc"
    found = draft(CHURN | {"a": few, "x": noise()})
    assert found.use_case.column("a").missing == ("abc",)
    many = np.array(np.round(noise(1, 2000), 3), object)
    many[:5] = [f"w{row}" for row in range(5)]
    long = {"id": range(2000), "a": many, "y": mixed("a", "b", rows=2000)}
    found = draft(long, rejected=5)
    assert said(found, "a: 5 values are no number, such as 'w0'")


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
def test_a_target_that_cannot_be_learned_is_refused(draft: Any, words: str) -> None:
    with pytest.raises(CannotInfer, match=words):
        draft(CHURN | {"y": TARGETS[words]})


def test_rows_without_a_target_stay(draft: Any) -> None:
    y = CHURN["y"][:-20] + [None] * 20
    found = draft(CHURN | {"y": y})
    assert not found.use_case.target.required
    assert said(found, "rows without y (20) are predicted, and not trained on")


def test_a_column_that_is_not_there_is_refused_with_the_closest(draft: Any) -> None:
    with pytest.raises(CannotInfer, match="--target 'idd': no such column; did you mean 'id'"):
        draft(CHURN, "idd")
    with pytest.raises(CannotInfer, match="must name different columns"):
        draft(CHURN, key="y")


def test_a_table_with_nothing_to_learn_from_is_refused_with_the_reasons(draft: Any) -> None:
    with pytest.raises(CannotInfer, match="no column is left to learn from: x is ignored"):
        draft({"id": range(N), "x": [1] * N, "y": CHURN["y"]})


def test_too_many_rows_that_would_be_rejected_are_refused(draft: Any) -> None:
    columns = {f"c{i}": np.array(noise(i, 2000), object) for i in range(10)}
    for i, values in enumerate(columns.values()):
        values[i * 20 : i * 20 + 15] = [f"w{row}" for row in range(15)]
    with pytest.raises(CannotInfer, match=r"up to 150 of 2000 rows hold .* c9 \(15 rows\)"):
        draft({"id": range(2000), **columns, "y": mixed("a", "b", rows=2000)})


def test_types_of_parquet_are_kept(tmp_path: Path) -> None:
    table = pa.table(
        {
            "id": pa.array(range(N), pa.int32()),
            "whole": pa.array(np.arange(N) * 7919 % 101, pa.float32()),
            "flag": pa.array(mixed(True, False, None)),
            "kind": pa.array(mixed("a", "b")).dictionary_encode(),
            "at": pa.array(pd.date_range("2020-01-01", periods=N, freq="7h")),
            "list": pa.array([[1, 2]] * N),
            "bytes": pa.array([b"x"] * N),
            "y": pa.array(mixed(0.0, 1.0, 2.0)),
        }
    )
    parquet.write_table(table, tmp_path / "t.parquet")
    read = read_file(tmp_path / "t.parquet")
    use_case = infer(read, path="t.parquet", target="y").use_case
    assert {c.name: (c.type, c.role) for c in use_case.columns} == {
        "id": ("integer", "key"), "whole": ("number", "feature"), "flag": ("boolean", "feature"),
        "kind": ("category", "feature"), "at": ("timestamp", "time"), "list": ("text", "ignored"),
        "bytes": ("text", "ignored"), "y": ("category", "target"),
    }  # fmt: skip
    assert validate(read, use_case).rejected_rows == 0


def test_a_long_table_says_what_was_looked_at_in_a_sample(draft: Any) -> None:
    """Guards: the last row decides the type although leaks are looked for in a sample."""
    rows = SAMPLED + 1000
    a = np.arange(rows).astype(object) % 500
    a[-2] = 0.5
    found = draft({"id": range(rows), "a": a, "y": mixed("a", "b", rows=rows)})
    assert found.use_case.column("a").type == "number"
    assert said(found, f"leaks were looked for in {SAMPLED} of them")
