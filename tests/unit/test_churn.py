"""The traps of the churn data: customers to score who were trained on, and semicolons."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from leeway.data.validation import validate
from orchestration.use_cases import load_use_cases
from resources.files import SourceError, read_file

CHURN = load_use_cases()["churn"]


@pytest.fixture(scope="module")
def folder() -> Path:
    found = Path(os.environ.get("LEEWAY_DATA_DIR") or "/nonexistent") / "telecom_churn"
    if not found.is_dir():
        pytest.skip("needs telecom_churn below the folder LEEWAY_DATA_DIR")
    return found


def test_a_csv_with_semicolons_is_refused_with_what_mends_it(tmp_path: Path) -> None:
    path = tmp_path / "new_data.csv"
    path.write_text("rev_Mean;months\n10,5;3\n")
    with pytest.raises(SourceError, match=r"'rev_Mean;months' has semicolons.*delimiter: ';'"):
        read_file(path)


def test_the_published_customers_to_score_are_refused_as_they_come(folder: Path) -> None:
    with pytest.raises(SourceError, match="has semicolons between the names"):
        read_file(folder / "new_data.csv")


def test_customers_to_score_who_came_before_are_rejected_and_never_scored(folder: Path) -> None:
    """All 2000 of new_data.csv are in the baseline: scoring them measures nothing."""
    baseline = read_file(folder / "baseline.parquet")
    known = validate(baseline, CHURN, batch="baseline")
    assert (known.rows, known.rejected_rows) == (20_000, 0)
    new = pd.read_csv(folder / "new_data.csv", sep=";", decimal=",")
    taken = pa.table(
        {
            "key": known.accepted["customer_id"],
            "batch_id": pa.array(["baseline"] * known.accepted.num_rows),
        }
    )
    judged = validate(pa.Table.from_pandas(new), CHURN, taken, batch="new")
    assert judged.rejected_rows == judged.rows == 2000
    reasons = {reject.reason for reject in judged.rejects if reject.column == "customer_id"}
    assert reasons == {"the key came before, in batch baseline"}


def test_customers_who_are_new_are_scored_without_a_label(folder: Path) -> None:
    table = read_file(folder / "baseline.parquet").slice(0, 50)
    table = table.set_column(
        table.column_names.index("Customer_ID"), "Customer_ID", pc.add(table["Customer_ID"], 10**7)
    )
    table = table.set_column(table.column_names.index("churn"), "churn", pa.nulls(50, pa.int64()))
    judged = validate(table, CHURN, batch="new")
    assert judged.rejected_rows == 0
    assert judged.accepted["churn"].null_count == 50


def test_who_a_customer_is_by_birth_is_watched_and_not_used() -> None:
    assert "ethnic" in CHURN.monitoring.segments
    assert "ethnic" not in {column.name for column in CHURN.feature_columns}


def test_every_column_says_more_than_its_name() -> None:
    for column in CHURN.columns:
        assert column.description.lower() != column.name.replace("_", " "), column.name
