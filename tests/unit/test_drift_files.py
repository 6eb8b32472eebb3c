"""`leeway drift`: two files of any format, compared without a project."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from click.testing import CliRunner
from pyarrow import parquet
from scipy import stats
from scipy.spatial import distance

from cli.main import cli
from leeway.drift.kinds import numbers_of_texts
from leeway.drift.number_pair import ks_bounds, pair_of
from leeway.drift.numbers import NumberProfile
from leeway.drift.profile import profile_column
from resources.settings import PROJECT

ROWS = 4000


def frame(seed: int, moved: float = 0.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    weight = rng.normal(70 + moved, 10, ROWS)
    return pd.DataFrame(
        {
            "weight": np.where(rng.random(ROWS) < 0.1, np.nan, weight),
            "visits": rng.poisson(4, ROWS),
            "plan": rng.choice(["basic", "plus", "gold"], ROWS, p=[0.6, 0.3, 0.1]),
            "active": rng.random(ROWS) < 0.8,
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, ROWS), "D"),
        }
    )


def written(folder: Path, name: str, rows: pd.DataFrame) -> Path:
    path = folder / name
    if name.endswith(".parquet"):
        rows.to_parquet(path)
    elif name.endswith(".jsonl"):
        rows.to_json(path, orient="records", lines=True, date_format="iso")
    elif name.endswith(".xlsx"):
        rows.to_excel(path, index=False)
    else:
        rows.to_csv(path, index=False, sep="\t" if ".tsv" in name else ",")
    return path


def drift(*paths: Path) -> dict[str, Any]:
    done = CliRunner().invoke(cli, ["drift", *map(str, paths), "--json"])
    assert done.exit_code == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture
def quiet(tmp_path: Path) -> tuple[Path, Path]:
    return written(tmp_path, "a.parquet", frame(1)), written(tmp_path, "b.parquet", frame(2))


def test_two_files_alike_have_not_drifted(quiet: tuple[Path, Path]) -> None:
    found = drift(*quiet)
    assert found["verdict"] == "none"
    assert found["rows"] == {"reference": ROWS, "current": ROWS}
    assert found["seconds"] > 0
    assert {name: column["kind"] for name, column in found["columns"].items()} == {
        "weight": "number",
        "visits": "number",
        "plan": "category",
        "active": "category",
        "since": "number",
    }
    for column in found["columns"].values():
        assert column["threshold"] == 0.05
        assert column["interval"][0] <= column["effect"] <= column["interval"][1]
        assert {"psi", "jensen_shannon", "missing_rate_change"} <= column["statistics"].keys()
    assert {"ks", "wasserstein"} <= found["columns"]["weight"]["statistics"].keys()
    assert "chi2" in found["columns"]["plan"]["statistics"]


def test_what_moved_is_confirmed_and_named(tmp_path: Path) -> None:
    found = drift(
        written(tmp_path, "a.parquet", frame(1)), written(tmp_path, "b.parquet", frame(2, 8.0))
    )
    assert found["verdict"] == "confirmed"
    assert found["reason"].startswith("weight moved, median: ")
    assert found["columns"]["visits"]["verdict"] == "none"
    change = found["columns"]["weight"]["change"]
    assert change["low"] < change["current"] - change["reference"] < change["high"]


def test_the_statistics_are_those_of_scipy(tmp_path: Path) -> None:
    ours, theirs = frame(1), frame(2, 2.0)
    found = drift(written(tmp_path, "a.csv", ours), written(tmp_path, "b.csv", theirs))
    weight = found["columns"]["weight"]["statistics"]
    sides = [side["weight"].dropna() for side in (ours, theirs)]
    exact = stats.ks_2samp(*sides)
    assert weight["ks"] <= exact.statistic <= weight["ks_high"] <= weight["ks"] + 0.003
    assert weight["ks_p_value"] == pytest.approx(exact.pvalue, rel=0.1)
    cost = stats.wasserstein_distance(*sides)
    assert weight["wasserstein"] <= cost <= weight["wasserstein_high"]
    visits = found["columns"]["visits"]["statistics"]
    assert visits["ks"] == pytest.approx(stats.ks_2samp(ours.visits, theirs.visits).statistic)
    counts = [side["plan"].value_counts()[["basic", "plus", "gold"]] for side in (ours, theirs)]
    plan = found["columns"]["plan"]["statistics"]
    assert plan["chi2"] == pytest.approx(stats.chi2_contingency(np.stack(counts)).statistic)
    expected = distance.jensenshannon(*counts, base=2)
    assert plan["jensen_shannon"] == pytest.approx(expected)
    missing = [side["weight"].isna().mean() for side in (ours, theirs)]
    assert weight["missing_rate_change"] == pytest.approx(missing[1] - missing[0])


@pytest.mark.parametrize("name", ["b.csv", "b.tsv", "b.csv.gz", "b.jsonl", "b.xlsx"])
def test_formats_can_be_mixed(tmp_path: Path, name: str) -> None:
    reference = written(tmp_path, "a.parquet", frame(1))
    plain = written(tmp_path, name.removesuffix(".gz"), frame(1).drop(columns="active"))
    if name.endswith(".gz"):
        packed = tmp_path / name
        packed.write_bytes(gzip.compress(plain.read_bytes()))
        plain = packed
    found = drift(reference, plain)
    for column in ("weight", "visits", "plan", "since"):
        assert found["columns"][column]["effect"] == pytest.approx(0, abs=1e-3), column
    assert found["columns"]["active"]["verdict"] == "undefined"


def test_texts_that_are_no_numbers_count_as_missing_among_numbers(tmp_path: Path) -> None:
    reference = pd.DataFrame({"x": [*map(str, range(1000)), "n/a"]})
    current = pd.DataFrame({"x": [*map(str, range(600)), *["broken"] * 400]})
    found = drift(written(tmp_path, "a.csv", reference), written(tmp_path, "b.csv", current))
    column = found["columns"]["x"]
    assert (column["kind"], found["verdict"]) == ("number", "confirmed")
    assert column["statistics"]["missing_rate_change"] == pytest.approx(0.4 - 1 / 1001)


def tables(folder: Path, reference: pa.Table, current: pa.Table) -> tuple[Path, Path]:
    paths = folder / "a.parquet", folder / "b.parquet"
    for path, rows in zip(paths, (reference, current), strict=True):
        parquet.write_table(rows, path)
    return paths


def test_a_column_of_one_file_or_of_another_kind_is_undefined_by_file_and_type(
    tmp_path: Path,
) -> None:
    reference = pa.table({"x": [1.0] * 50, "gone": [1.0] * 50, "kind": [1] * 50, "l": [[1]] * 50})
    current = pa.table({"x": [1.0] * 50, "new": [1.0] * 50, "kind": ["a"] * 50, "l": [[1]] * 50})
    paths = ours, theirs = tables(tmp_path, reference, current)
    found = drift(*paths)
    columns = found["columns"]
    verdicts = {name: column["verdict"] for name, column in columns.items()}
    assert verdicts.pop("x") == "none"
    assert set(verdicts.values()) == {"undefined"}
    reasons = {name: columns[name]["reason"] for name in verdicts}
    assert reasons == {
        "gone": f"gone is not in {theirs}.",
        "new": f"new is not in {ours}.",
        "kind": f"kind is int64 in {ours} and string in {theirs}.",
        "l": f"l is list<element: int64> in {ours}, which is not compared.",
    }
    assert columns["gone"]["effect"] is None
    assert found["verdict"] == "none"
    told = [reasons[name] for name in ("gone", "kind", "l")]
    assert found["reason"].endswith(" ".join(["Not judged: gone, kind, l and 1 more.", *told]))


@pytest.mark.parametrize(
    "type_", [pa.time32("ms"), pa.duration("s"), pa.binary(), pa.string_view(), pa.null()], ids=str
)
def test_a_column_of_a_type_that_is_not_compared_is_told_so(
    tmp_path: Path, type_: pa.DataType
) -> None:
    rows = pa.table({"x": pa.nulls(50, type_)})
    paths = ours, _ = tables(tmp_path, rows, rows)
    found = drift(*paths)
    assert found["verdict"] == "undefined"
    assert found["reason"] == f"x is {type_} in {ours}, which is not compared."
    reference = tmp_path / "c.csv"
    reference.write_text("x\n1\n")
    assert drift(reference, ours)["reason"] == found["reason"]


def test_booleans_are_the_same_in_every_spelling(tmp_path: Path) -> None:
    rows = frame(1)[["active"]]
    reference = written(tmp_path, "a.parquet", rows)
    for spelling in (["False", "True"], ["false", "true"], ["FALSE", "TRUE"]):
        texts = pd.DataFrame({"active": np.where(rows["active"], spelling[1], spelling[0])})
        path = written(tmp_path, f"{spelling[0]}.csv", texts)
        for pair in ((reference, path), (path, reference)):
            column = drift(*pair)["columns"]["active"]
            assert (column["verdict"], column["effect"]) == ("none", 0), spelling


@pytest.mark.parametrize("odd", ["2024-02-30", "0000-00-00", "2024-01-01 24:00", "2023-02-29"])
def test_a_date_that_there_is_not_counts_as_missing(tmp_path: Path, odd: str) -> None:
    """Regression: one of them among 200 was 60 lines of traceback."""
    dates = [f"2024-01-{day % 28 + 1:02}" for day in range(200)]
    reference = written(tmp_path, "a.csv", pd.DataFrame({"d": dates}))
    current = written(tmp_path, "b.csv", pd.DataFrame({"d": [*dates, odd]}))
    column = drift(reference, current)["columns"]["d"]
    assert column["kind"] == "number"
    assert column["statistics"]["missing_rate_change"] == pytest.approx(1 / 201)


def test_every_day_that_there_is_is_read_and_no_other() -> None:
    days = [
        f"{year:04}-{month:02}-{day:02}"
        for year in (1, 4, 100, 400, 1900, 1999, 2000, 2023, 2024, 9996, 9999)
        for month in range(14)
        for day in range(33)
    ]
    (found,) = numbers_of_texts(pa.chunked_array([days]))
    for day, moment in zip(days, found.to_pylist(), strict=True):
        try:
            known = datetime.fromisoformat(day)
        except ValueError:
            known = None
        assert moment == known, day
    times = ["10:00", "23:59:59", "23:59:59.999999", "24:00", "10:60", "10:00:60", "1:00", "10"]
    (found,) = numbers_of_texts(pa.chunked_array([[f"2024-02-29T{each}" for each in times]]))
    assert found.is_valid().to_pylist() == [True] * 3 + [False] * 5


def test_a_column_that_is_called_as_a_field_of_another_is_itself(tmp_path: Path) -> None:
    """Regression: to pyarrow its name is a path, and the struct came first."""
    values = np.arange(60.0)
    rows = pa.table({"s": [{"x": "a"}] * 60, "s.x": values})
    column = drift(*tables(tmp_path, rows, rows))["columns"]["s.x"]
    assert (column["kind"], column["verdict"]) == ("number", "none")


def test_a_column_that_cannot_be_read_is_refused_by_file_and_name(tmp_path: Path) -> None:
    """Regression: a traceback, which named neither."""
    bytes_ = pa.array([b"\xff\xfe"] * 60)
    odd = pa.Array.from_buffers(pa.string(), 60, bytes_.buffers())
    rows = pa.table({"x": np.arange(60.0), "s": odd, "y": np.arange(60.0)})
    path, _ = tables(tmp_path, rows, rows)
    done = CliRunner().invoke(cli, ["drift", str(path), str(path), "--json"])
    assert done.exit_code == 1
    assert done.stderr.startswith(f"error: {path}: column 's': it cannot be read: 'utf-8' codec")
    assert json.loads(done.stdout)["error"]


def test_where_the_bounds_leave_it_open_the_exact_distance_decides(tmp_path: Path) -> None:
    """A distance of 0.0501, which the bounds of 2048 cells take for 0.0499 to 0.0508."""
    rng = np.random.default_rng(4)
    reference = rng.normal(0, 1, 400_000)
    for shift in np.linspace(0.1235, 0.1285, 60):
        current = rng.normal(shift, 1, 400_000)
        exact = stats.ks_2samp(reference, current).statistic
        sides = [profile_column("number", [pa.array(side)]) for side in (reference, current)]
        assert isinstance(sides[0], NumberProfile)
        assert isinstance(sides[1], NumberProfile)
        low, high = ks_bounds(pair_of(sides[0], sides[1]))
        if low <= 0.05 < high:
            break
    paths = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    for path, side in zip(paths, (reference, current), strict=True):
        parquet.write_table(pa.table({"x": side}), path)
    column = drift(*paths)["columns"]["x"]
    assert low <= 0.05 < high
    assert column["effect"] == pytest.approx(exact, abs=1e-12)


def twice() -> bytes:
    """Parquet with two columns of one name."""
    file = io.BytesIO()
    parquet.write_table(pa.Table.from_arrays([pa.array([1.0])] * 2, names=["x", "x"]), file)
    return file.getvalue()


def test_few_rows_are_undefined_and_not_silent(tmp_path: Path) -> None:
    rows = frame(1).head(20)
    found = drift(written(tmp_path, "a.csv", rows), written(tmp_path, "b.csv", rows))
    assert found["verdict"] == "undefined"
    assert "30 are needed" in found["reason"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("no.parquet", None, "no such file"),
        ("no.parquet", b"PAR1 and no more", "no Parquet, or damaged"),
        ("folder.parquet", "", "it is a folder; name the file in it"),
        ("twice.parquet", twice(), "the header names 'x' more than once"),
        ("odd.pdf", b"%PDF", "cannot read .pdf files; there are .csv"),
        ("other.csv", b"p,q\n1,2\n", "it has no column of"),
        ("ragged.csv", b"weight,visits\n1\n", "each row needs one value per column"),
    ],
)
def test_a_file_that_cannot_be_compared_is_refused_by_name(
    tmp_path: Path, quiet: tuple[Path, Path], name: str, content: bytes | str | None, said: str
) -> None:
    path = tmp_path / name
    if content == "":
        path.mkdir()
    elif isinstance(content, bytes):
        path.write_bytes(content)
    done = CliRunner().invoke(cli, ["drift", str(quiet[0]), str(path), "--json"])
    assert done.exit_code == 1
    assert done.stderr.startswith(f"error: {path}: ")
    assert said in done.stderr
    assert json.loads(done.stdout)["error"]


def test_people_get_a_table_with_the_largest_effect_first(tmp_path: Path) -> None:
    paths = [
        written(tmp_path, "a.parquet", frame(1)),
        written(tmp_path, "b.parquet", frame(2, 8.0)),
    ]
    done = CliRunner().invoke(cli, ["drift", *map(str, paths)])
    assert done.exit_code == 0
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert lines[1].split()[:2] == ["weight", "confirmed"]
    assert "4,000 rows of reference, 4,000 compared with them" in done.stderr


def test_nothing_of_the_platform_is_imported(quiet: tuple[Path, Path]) -> None:
    program = (
        "import sys; sys.argv = ['leeway', 'drift', *sys.argv[1:], '--json']\n"
        "from cli.main import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'dagster', 'pandas', 'scipy', 'sklearn', 'psycopg2', 'mlflow', 'leeway.spec'}\n"
        "found = sorted(heavy & sys.modules.keys())\n"
        "sys.exit(f'imported: {found}' if found else 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, quiet)],
        capture_output=True,
        text=True,
        cwd=PROJECT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
