"""`leeway new` infers a use case from tables that it was not written for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from leeway.data.validation import validate
from leeway.scaffold.content import content_of
from leeway.scaffold.draft import infer
from leeway.scaffold.errors import CannotInfer
from leeway.scaffold.survey import survey
from leeway.spec import Written
from resources.files import read_file
from tests.unit.drafts import CHURN, N, draft, mixed, noise, read, said


def test_two_classes_with_a_key() -> None:
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


def test_several_classes_of_which_one_is_too_rare() -> None:
    y = mixed("a", "b", "c", rows=N - 3) + ["d"] * 3
    found = draft(CHURN | {"y": y}, rejected=3)
    assert found.use_case.target.values == ("a", "b", "c")
    assert said(found, "y: 'd' of fewer than 6 rows each cannot be learned")


def test_a_class_of_few_rows_lowers_the_number_of_folds() -> None:
    found = draft(CHURN | {"y": mixed("a", "b", rows=N - 9) + ["c"] * 9})
    assert found.use_case.search.folds == 3
    assert said(found, "3 folds instead of 5, since a class has only 9 rows")


def test_a_number_is_a_regression_with_unit_and_range() -> None:
    found = draft({"id": range(N), "a": noise(1), "y_usd": noise(2) + 100}, "y_usd")
    target = found.use_case.target
    assert (found.use_case.task, target.type, target.unit) == ("regression", "number", "USD")
    assert target.range[0] < 97
    assert target.range[1] > 103
    assert (found.use_case.gates[0].metric, found.use_case.gates[0].at_least) == ("r2", 0)


def test_whole_numbers_are_classes_when_there_are_few_and_numbers_when_some_are_rare() -> None:
    stars = draft(CHURN | {"y": mixed(1, 2, 3)})
    assert (stars.use_case.task, stars.use_case.target.values) == ("classification", tuple("123"))
    assert said(stars, "for a regression write task: regression")
    rare = draft(CHURN | {"y": [*mixed(1, 2, 3, rows=N - 3), 4, 4, 5]})
    assert (rare.use_case.task, rare.use_case.target.type) == ("regression", "integer")
    assert said(rare, "for a classification write task: classification")


def test_booleans_however_they_are_spelled() -> None:
    table = {"id": range(N), "a": mixed(True, False), "b": mixed(0, 1, 1), "y": mixed(1, 0, 0, 1)}
    use_case = draft(table).use_case
    assert {c.name: c.type for c in use_case.columns if c.role != "key"} == dict.fromkeys(
        "aby", "boolean"
    )


def test_missing_values_and_their_codes() -> None:
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
def test_numbers_near_others_are_no_codes(values: list[int]) -> None:
    assert draft(CHURN | {"a": values * (N // 4)}).use_case.column("a").missing == ()


def test_dates() -> None:
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


def test_three_hundred_columns() -> None:
    wide = {f"x{i}": noise(i) for i in range(300)}
    found = draft(wide | {"y": mixed("a", "b", "b")})
    assert len(found.use_case.feature_columns) == 300
    assert len(found.assumptions) < 10, "what many columns share is one sentence"


@pytest.mark.parametrize(("other", "written"), [("1,50", "1.234,5"), ("1,234.50", "1,234.5")])
def test_another_column_says_what_a_comma_is(other: str, written: str) -> None:
    prices = [f"{row % 9 + 1},{row + 234}" for row in range(N)]
    found = draft(CHURN | {"price": prices, "other": [other, other.replace("5", "7")] * 100})
    price = found.use_case.column("price")
    assert price.written == written
    assert price.range[1] == {"1.234,5": 18, "1,234.5": 18000}[written]


@pytest.mark.parametrize("sign", ["", " €"])
@pytest.mark.parametrize(("other", "written"), [("1,50", "1.234,5"), ("1.50", None)])
def test_another_column_says_what_a_point_is(other: str, written: str | None, sign: str) -> None:
    """Regression: 900 and 1.011 in a table with decimal commas were read as 900 and 1.011."""
    people = [f"{row * 37 + 234:,}{sign}".replace(",", ".") for row in range(27)] * 10
    found = draft(CHURN | {"people": people[:N], "other": [other, other.replace("5", "7")] * 100})
    column = found.use_case.column("people")
    assert column.written == written
    assert (column.role == "ignored") == (sign != "" and written is None), "in doubt"


@pytest.mark.parametrize(("usual", "high"), [("1.234,5", 5678), ("1,234.5", 850)])
def test_a_point_before_three_digits_beside_a_unit_is_in_doubt(usual: Written, high: int) -> None:
    """Regression: prices such as 850 € and 1.234 € were read as 850 and 1.234."""
    prices = pa.chunked_array([["850 €", "1.234 €", "5.678 €"]])
    found = content_of(prices)
    assert found.type == "text"
    assert "a point that may stand before decimals or between thousands" in str(found.unusable)
    assert "'1.234'" in str(found.unusable)
    found = content_of(prices, usual)
    assert (found.unusable, found.notation.affix) == (None, "€")
    assert found.high == high


FEW = [str(row) for row in range(900)]


@pytest.mark.parametrize("sign", ["", " €"])
def test_a_few_numbers_with_a_comma_are_in_doubt_and_no_codes(sign: str) -> None:
    """Regression: 1,574 beside 869 was a text or, where it was seldom, a missing value."""
    some = pa.chunked_array([[f"{each}{sign}" for each in [*FEW, *["1,574", "2,100"] * 9]]])
    found = content_of(some)
    assert (found.type, found.missing) == ("text", ())
    assert "a comma that may stand before decimals or between thousands" in str(found.unusable)
    found = content_of(some, "1,234.5")
    assert (found.type, found.high, found.unusable) == ("integer", 2100, None)
    found = content_of(pa.chunked_array([[*FEW, "1,574"]]))
    assert (found.type, found.missing, found.misread) == ("integer", (), 1)
    days = [f"2024-01-{day:02d}" for day in range(1, 32)]
    assert content_of(pa.chunked_array([[*days, "0000-00-00"]])).missing == ("0000-00-00",)


def test_a_point_of_a_typed_number_is_a_point_whatever_other_columns_say() -> None:
    table = pa.table({"typed": [1.234, 5.678] * 20, "text": ["1,5", "2,75"] * 20})
    found = survey(table, {name: name for name in table.column_names}, lambda name: None).contents
    assert (found["typed"].high, found["text"].notation.written) == (5.678, "1.234,5")


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
        (["1/2/2009", "12/1/2009"], None, None), (["13/1/2009", "1/13/2009"], None, None),
        (["1/31/2009 10:15", "2/1/2009 09:00"], "12/31/2009", None),
        (["2009/1/31", "2009/12/1"], "2009/12/31", None),
        (["2009-01-31", "2009-12-01"], None, None), (["192.168.1.10", "10.0.0.1"], None, None),
        (["13-05-2009", "14-05-5678"], None, None), (["0.234 €", "5.678 €"], None, "€"),
    ],
)  # fmt: skip
def test_a_notation_is_found_where_values_leave_no_doubt(
    values: list[str], written: str | None, affix: str | None
) -> None:
    found = content_of(pa.chunked_array([values])).notation
    assert (found.written, found.affix) == (written, affix)


def test_names_with_spaces_units_and_words_of_sql_are_mapped() -> None:
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


def test_a_table_without_a_key_gets_one_from_positions() -> None:
    table = {"x": noise(), "row_id": mixed("a", "b"), "y": mixed("a", "b", "b")}
    found = draft(table)
    key = found.use_case.key
    assert (key.name, key.type, key.from_position) == ("row_id_2", "text", True)
    rows = validate(read(table), found.use_case, batch="t").accepted
    assert rows["row_id_2"].to_pylist()[:2] == ["t-1", "t-2"]
    assert said(found, "no column identifies a row, so row_id_2 is made of the file's name")


def test_a_key_that_is_named() -> None:
    table = CHURN | {"email": [f"{row}@x" for row in range(N)]}
    found = draft(table, key="email").use_case
    assert (found.key.name, found.column("id").role) == ("email", "ignored")
    twice = CHURN | {"id": [1, *range(1, N)]}
    assert said(draft(twice, key="id", rejected=1), "id: 1 rows have no key or repeat one")
    with pytest.raises(CannotInfer, match="--key: y has 2 different values in 200 rows"):
        draft(CHURN | {"z": mixed("a", "b")}, "z", key="y")


def test_few_values_of_another_type_are_rejected_and_many_make_a_text() -> None:
    few = np.array(noise(1), object)
    few[[3, 50]] = "abc"
    found = draft(CHURN | {"a": few, "x": noise()})
    assert found.use_case.column("a").missing == ("abc",)
    many = np.array(np.round(noise(1, 2000), 3), object)
    many[:5] = [f"w{row}" for row in range(5)]
    long = {"id": range(2000), "a": many, "y": mixed("a", "b", rows=2000)}
    found = draft(long, rejected=5)
    assert said(found, "a: 5 values are no number, such as 'w0'")


@pytest.mark.parametrize(
    "code",
    [lambda n: n, lambda n: f"S{n}", lambda n: f"{n:07}"],
    ids=["number", "letter", "zeros"],
)
def test_codes_are_categories_however_they_are_written(code: Callable[[int], object]) -> None:
    """Regression: codes of digits measured nothing, and the same codes with a letter were used."""
    rows = 1500
    stores = 71_000 + np.random.default_rng(0).permutation(rows)
    common, several, rare = ([code(int(n)) for n in stores // size] for size in (10, 20, 2))
    table = {"id": range(rows), "zip_code": common, "store_no": several, "order_no": rare}
    found = draft(table | {"x": noise(rows=rows), "y": mixed("a", "b", rows=rows)})
    used = {column.name: column for column in found.use_case.feature_columns}
    assert list(used) == ["zip_code", "store_no", "x"]
    assert used["zip_code"].type == used["store_no"].type == "category"
    assert (used["zip_code"].encoding, used["store_no"].encoding) == ("target_mean", "one_hot")
    assert found.use_case.column("order_no").role == "ignored"


def test_one_leading_zero_among_thousands_is_a_slip_and_many_are_codes() -> None:
    """Regression: a single 042 made a text of a column of numbers, which was then ignored."""
    rows = 3000
    numbers = np.arange(rows) * 7919 % 1013
    table = {"id": range(rows), "x": noise(rows=rows), "y": mixed("a", "b", rows=rows)}
    for slips, found in ((1, "integer"), (30, "integer"), (31, "text")):
        written = [f"0{each}" if row < slips else str(each) for row, each in enumerate(numbers)]
        assert draft(table | {"a": written}).use_case.column("a").type == found, slips


def test_rows_without_a_target_stay() -> None:
    y = CHURN["y"][:-20] + [None] * 20
    found = draft(CHURN | {"y": y})
    assert not found.use_case.target.required
    assert said(found, "rows without y (20) are predicted, and not trained on")


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
