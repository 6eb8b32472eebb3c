"""Arrow tables become frames in the order and with the dtypes that estimators need."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import palmerpenguins
import pyarrow as pa
import pytest
import yaml

from leeway.data.frames import feature_frame, target_array
from leeway.spec import UseCase

ROOT = Path(__file__).parents[2]
YAML = yaml.safe_load((ROOT / "orchestration/defs/penguins/defs.yaml").read_text())
PENGUINS = UseCase.model_validate(YAML["attributes"])


def measured() -> pa.Table:
    """The 342 penguins that have measurements."""
    frame = palmerpenguins.load_penguins()
    frame.insert(0, "penguin_id", range(len(frame)))
    return pa.Table.from_pandas(frame[frame["bill_length_mm"].notna()], preserve_index=False)


TABLE = measured()


def with_column(name: str, values: pa.Array) -> pa.Table:
    position = TABLE.column_names.index(name)
    return TABLE.set_column(position, name, values)


def test_columns_come_in_the_order_of_the_use_case_and_not_of_the_table() -> None:
    shuffled = TABLE.select(sorted(TABLE.column_names))
    frame = feature_frame(shuffled, PENGUINS)
    assert list(frame.columns) == [column.name for column in PENGUINS.feature_columns]
    assert list(frame.columns) != sorted(frame.columns)
    assert list(frame.index) == list(range(342))


def test_key_time_and_target_are_no_features() -> None:
    columns = set(feature_frame(TABLE, PENGUINS).columns)
    assert columns.isdisjoint({"penguin_id", "year", "species"})


def test_numbers_are_float64_with_nan_for_missing() -> None:
    masses = pa.array([None, 4000, *[3500] * 340], pa.int32())
    mass = feature_frame(with_column("body_mass_g", masses), PENGUINS)["body_mass_g"]
    assert mass.dtype == np.float64
    assert np.isnan(mass[0])
    assert mass[1] == 4000.0


def test_equal_categories_of_a_column_are_one_object() -> None:
    """Regression: a text for each row took 60 MB a column of a million rows."""
    sex = feature_frame(TABLE, PENGUINS)["sex"]
    assert len({id(value) for value in sex}) == len(set(sex)) == 3  # one is missing


def test_integers_that_no_float_holds_are_the_nearest_float() -> None:
    """Regression: a batch with such an integer was accepted and could not be predicted."""
    masses = pa.array([2**53 + 1, -(2**63), *[3500] * 340], pa.int64())
    mass = feature_frame(with_column("body_mass_g", masses), PENGUINS)["body_mass_g"]
    assert mass[:2].tolist() == [2.0**53, -(2.0**63)]


def test_a_missing_category_is_none_and_never_text() -> None:
    sex = feature_frame(TABLE, PENGUINS)["sex"]
    assert sex.dtype == object
    assert set(sex) == {"female", "male", None}
    assert sum(value is None for value in sex) == 9


def test_a_category_of_floats_with_nan_has_none_for_it() -> None:
    islands = pa.array([np.nan, None, *[1.0] * 340], pa.float64())
    island = feature_frame(with_column("island", islands), PENGUINS)["island"]
    assert list(island[:3]) == [None, None, "1"]


def test_booleans_become_0_and_1() -> None:
    columns = tuple(
        c.model_copy(update={"type": "boolean", "values": None}) if c.name == "sex" else c
        for c in PENGUINS.columns
    )
    female = pa.array([True, False, None, *[True] * 339])
    use_case = PENGUINS.model_copy(update={"columns": columns})
    sex = feature_frame(with_column("sex", female), use_case)["sex"]
    assert sex.dtype == np.float64
    assert list(sex[:2]) == [1.0, 0.0]
    assert np.isnan(sex[2])


def test_dictionary_encoded_categories_are_the_same_as_plain_ones() -> None:
    encoded = with_column("island", TABLE["island"].dictionary_encode())
    assert feature_frame(encoded, PENGUINS).equals(feature_frame(TABLE, PENGUINS))


def test_the_target_of_a_classification_is_text_and_of_a_regression_float64() -> None:
    labels = target_array(TABLE, PENGUINS)
    assert labels.dtype == object
    assert set(labels) == {"Adelie", "Chinstrap", "Gentoo"}
    years = with_column("species", TABLE["year"])
    numbers = target_array(years, PENGUINS.model_copy(update={"task": "regression"}))
    assert numbers.dtype == np.float64
    assert set(numbers) == {2007.0, 2008.0, 2009.0}


def test_a_missing_target_is_an_error_that_counts_the_rows() -> None:
    labels = pa.array([None, None, *["Adelie"] * 340])
    with pytest.raises(ValueError, match="'species' is missing in 2 of 342 rows"):
        target_array(with_column("species", labels), PENGUINS)


def test_a_missing_column_is_an_error_that_names_it() -> None:
    with pytest.raises(KeyError, match="no column 'sex'"):
        feature_frame(TABLE.drop_columns(["sex"]), PENGUINS)
