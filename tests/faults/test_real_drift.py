"""The verdict on real tables: random splits of them are silent, and time is not.

    LEEWAY_KILLS=1 LEEWAY_DATA_DIR=... .venv/bin/pytest tests/faults/test_real_drift.py

Rows that a table has twice would be on both sides of a split; they are left as they are, as a user
would have them. Ids, which are other in each row, are left out.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from leeway.drift.budget import alarm_probability
from leeway.drift.kinds import kind_of, kind_of_texts, numbers_of_texts
from leeway.drift.policy import UsualPolicy
from leeway.drift.profile import Kind, Profile, profile_column
from leeway.drift.verdict import BatchDrift, compare_profiles
from resources.drift_files import FileColumn
from resources.files import read_file
from tests.faults.harness import figure
from tests.faults.real_tables import DATA, REAL_TABLES

pytestmark = REAL_TABLES

TABLES = {
    "ai4i2020/ai4i2020.csv.gz": ("UDI", "Product ID"),
    "california_housing/housing.csv.gz": (),
    "electricity_elec2/elec.csv.gz": (),
    "noaa_weather/weather.csv.gz": (),
    "palmer_penguins/penguins.csv": (),
    "realtor_usa/realtor_raw_12k.csv.gz": ("street",),
    "realtor_usa/realtor_old_encoded_100k.csv.gz": (),
    "telco_churn_ibm/Telco-Customer-Churn.csv.gz": ("customerID",),
    "telecom_churn/baseline.parquet": ("Customer_ID",),
}
SPLITS = 100


def columns_of(name: str) -> dict[str, tuple[Kind, pa.ChunkedArray]]:
    table = read_file(DATA / name)
    found: dict[str, tuple[Kind, pa.ChunkedArray]] = {}
    for column in table.column_names:
        values = table[column]
        texts = pa.types.is_string(values.type)
        kind = kind_of_texts(values) if texts else kind_of(values.type)
        if column in TABLES.get(name, ()) or kind is None:
            continue
        if kind == "number" and texts:
            values = pa.chunked_array(list(numbers_of_texts(values)))
        found[column] = (kind, values)
    return found


def profile(columns: dict[str, tuple[Kind, pa.ChunkedArray]], rows: np.ndarray) -> Profile:
    chosen = pa.array(rows)
    return Profile(
        len(rows),
        {
            name: profile_column(kind, [values.take(chosen).combine_chunks()])
            for name, (kind, values) in columns.items()
        },
    )


def judged(reference: Profile, current: Profile) -> BatchDrift:
    columns = [FileColumn(name) for name in reference.columns]
    return compare_profiles(reference, current, UsualPolicy(), columns)


@pytest.mark.parametrize("name", TABLES)
def test_random_splits_of_a_real_table_do_not_alarm_beyond_the_budget(name: str) -> None:
    columns = columns_of(name)
    rows = len(next(iter(columns.values()))[1])
    rng = np.random.default_rng(0)
    alarms = 0
    for _ in range(SPLITS):
        order = rng.permutation(rows)
        size = int(rng.integers(rows // 10, rows // 3))
        found = judged(profile(columns, order[size:]), profile(columns, order[:size]))
        alarms += found.verdict == "confirmed"
    figure(f"drift: {alarms} false alarms in {SPLITS} random splits of {name}, {rows} rows")
    assert alarms <= stats.binom.ppf(0.999, SPLITS, alarm_probability(UsualPolicy()))


@pytest.mark.parametrize(
    "name",
    [
        "electricity_elec2/elec.csv.gz",
        "noaa_weather/weather.csv.gz",
        "realtor_usa/realtor_raw_12k.csv.gz",
    ],
)
def test_tables_in_the_order_of_their_rows_have_drifted(name: str) -> None:
    """Prices and seasons change, and listings come state by state: each tenth against the first."""
    columns = columns_of(name)
    rows = len(next(iter(columns.values()))[1])
    tenths = np.array_split(np.arange(rows), 10)
    reference = profile(columns, np.concatenate(tenths[:3]))
    verdicts = [judged(reference, profile(columns, tenth)) for tenth in tenths[3:]]
    shown = [f"{found.verdict} ({len(found.drifted)})" for found in verdicts]
    figure(f"drift: tenths of {name} against its first three: {', '.join(shown)}")
    assert all(found.verdict == "confirmed" for found in verdicts)
