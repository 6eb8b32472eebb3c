"""Preprocessing learns from the rows it is fitted on, and from nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier

from leeway.spec import UseCase
from leeway.training.folds import cross_validation_folds, prepare_folds
from leeway.training.preprocessing import build_preprocessor, output_sources
from tests.unit.measured_penguins import ATTRIBUTES, FRAME, PENGUINS, TARGET

DERIVED = (
    {
        "kind": "ratio",
        "name": "bill_ratio",
        "numerator": "bill_length_mm",
        "denominator": "bill_depth_mm",
    },
    {
        "kind": "product",
        "name": "bill_area",
        "left": "bill_length_mm",
        "right": "bill_depth_mm",
    },
    {
        "kind": "sum",
        "name": "bill_sum",
        "left": "bill_length_mm",
        "right": "bill_depth_mm",
    },
    {"kind": "clusters", "name": "shape", "of": ["bill_length_mm", "body_mass_g"], "k": 3},
)
NUMERIC = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]


def penguins(number: str = "median", category: str = "most_frequent") -> UseCase:
    imputation = {"number": number, "category": category}
    attributes = ATTRIBUTES | {"features": DERIVED, "imputation": imputation}
    return UseCase.model_validate(attributes)


def transformed(frame: pd.DataFrame, fitted: Any) -> pd.DataFrame:
    return pd.DataFrame(fitted.transform(frame), columns=fitted.get_feature_names_out())


def with_gaps() -> pd.DataFrame:
    frame = FRAME.copy()
    frame.loc[::7, NUMERIC] = np.nan
    frame.loc[::5, "island"] = None
    return frame


@pytest.mark.parametrize("number", ["median", "mean", "knn", "iterative"])
@pytest.mark.parametrize("category", ["most_frequent", "constant"])
def test_every_imputation_leaves_no_gap(number: str, category: str) -> None:
    frame = with_gaps()
    values = transformed(frame, build_preprocessor(penguins(number, category)).fit(frame))
    assert np.isfinite(values.to_numpy()).all()
    assert ("sex=missing" in values) == (category == "constant")


def test_observed_numbers_are_standardised() -> None:
    values = transformed(FRAME, build_preprocessor(PENGUINS).fit(FRAME))[NUMERIC]
    np.testing.assert_allclose(values.mean(), 0, atol=1e-12)
    np.testing.assert_allclose(values.std(ddof=0), 1, atol=1e-12)


def test_a_filled_number_is_the_median_of_the_rows_fitted_on() -> None:
    frame = FRAME.copy()
    frame.loc[0, "body_mass_g"] = np.nan
    fitted = build_preprocessor(PENGUINS).fit(frame)
    median = frame.assign(body_mass_g=frame["body_mass_g"].median())
    filled, expected = transformed(frame, fitted), transformed(median, fitted)
    assert filled.loc[0, "body_mass_g"] == pytest.approx(expected.loc[0, "body_mass_g"])


def test_a_ratio_with_a_zero_denominator_is_filled_like_a_missing_value() -> None:
    zero, missing = FRAME.copy(), FRAME.copy()
    zero.loc[0, "bill_depth_mm"] = 0.0
    missing.loc[0, "bill_depth_mm"] = np.nan
    fitted = build_preprocessor(penguins()).fit(FRAME)
    of_zero, of_missing, of_value = (
        transformed(frame, fitted)["bill_ratio"].to_numpy()[0] for frame in (zero, missing, FRAME)
    )
    assert of_zero == of_missing != of_value


@pytest.mark.parametrize("size", [1e38, -1e38, 1e-300])
def test_any_accepted_number_gives_rows_that_a_tree_can_read(size: float) -> None:
    """Regression: what overflows 32 bits, scaled or derived, stopped the whole batch."""
    metres = FRAME.assign(bill_length_mm=FRAME["bill_length_mm"] / 1000)  # a spread far below 1
    fitted = build_preprocessor(penguins()).fit(metres)
    row = transformed(metres.assign(bill_length_mm=size, bill_depth_mm=size), fitted)
    assert np.isfinite(row.to_numpy().astype(np.float32)).all()
    model = RandomForestClassifier(2, random_state=0).fit(transformed(metres, fitted), TARGET)
    assert len(model.predict(row)) == len(FRAME)


def test_derived_features_are_the_scaled_ratio_and_product() -> None:
    values = transformed(FRAME, build_preprocessor(penguins()).fit(FRAME))
    length, depth = FRAME["bill_length_mm"], FRAME["bill_depth_mm"]
    pairs = {"ratio": length / depth, "area": length * depth, "sum": length + depth}
    for name, raw in ((f"bill_{name}", raw) for name, raw in pairs.items()):
        np.testing.assert_allclose(values[name], (raw - raw.mean()) / raw.std(ddof=0))


def test_cluster_distances_differ_between_clusters() -> None:
    values = transformed(FRAME, build_preprocessor(penguins()).fit(FRAME))
    distances = values[["shape#0", "shape#1", "shape#2"]]
    assert set(distances.to_numpy().argmin(axis=1)) == {0, 1, 2}


def test_an_unseen_category_gives_zeros_and_no_warning() -> None:
    fitted = build_preprocessor(PENGUINS).fit(FRAME)
    values = transformed(FRAME.assign(island="Atlantis"), fitted)
    assert not values.filter(like="island=").to_numpy().any()
    assert list(values.filter(like="island=")) == [
        "island=Biscoe",
        "island=Dream",
        "island=Torgersen",
    ]


@pytest.mark.parametrize("number", ["median", "knn"])
def test_a_row_alone_has_the_columns_and_numbers_that_it_has_among_others(number: str) -> None:
    """Guards: columns of the categories that happen to be there, or clusters that are made anew."""
    frame = with_gaps()
    fitted = build_preprocessor(penguins(number)).fit(frame)
    among = fitted.transform(frame)
    for position in (0, 5, 8, 150, 341):
        alone = fitted.transform(frame.iloc[[position]])
        np.testing.assert_allclose(alone, among[[position]], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("number", ["median", "mean", "knn", "iterative"])
def test_constant_and_empty_columns_do_not_fail(number: str) -> None:
    frame = FRAME.assign(body_mass_g=np.nan, bill_depth_mm=17.0, island=None, sex="female")
    values = transformed(frame, build_preprocessor(penguins(number)).fit(frame))
    assert np.isfinite(values.to_numpy()).all()
    assert "island=missing" in values


def test_more_clusters_than_distinct_rows_keep_the_width() -> None:
    frame = FRAME.head(10).assign(bill_length_mm=40.0, body_mass_g=4000.0)
    values = transformed(frame, build_preprocessor(penguins()).fit(frame))
    assert len(values.filter(like="shape#").columns) == 3


def test_each_output_column_names_its_source() -> None:
    fitted = build_preprocessor(penguins()).fit(FRAME)
    names = [name.split("=")[0].split("#")[0] for name in fitted.get_feature_names_out()]
    assert output_sources(fitted) == names
    assert set(names) == {*FRAME.columns, "bill_ratio", "bill_area", "bill_sum", "shape"}


def test_two_fits_give_the_same_bits() -> None:
    preprocessor = build_preprocessor(penguins("iterative"))
    first = clone(preprocessor).fit(with_gaps()).transform(FRAME)
    assert np.array_equal(first, clone(preprocessor).fit(with_gaps()).transform(FRAME))


@pytest.mark.parametrize("number", ["median", "mean", "knn", "iterative"])
def test_a_fold_that_judges_does_not_move_what_was_learned(number: str) -> None:
    """Guards against a leak: extreme values planted in one fold reach no model that it judges."""
    use_case = penguins(number)
    _, judged = cross_validation_folds(TARGET, use_case)[0]
    planted = FRAME.copy()
    planted.loc[judged, NUMERIC] = 1e6
    planted.loc[judged, "island"] = "Atlantis"
    clean, suspect = (prepare_folds(frame, TARGET, use_case)[0] for frame in (FRAME, planted))
    assert np.array_equal(clean.judged, judged)
    assert np.array_equal(clean.rows, suspect.rows)
    assert not np.array_equal(clean.judged_rows, suspect.judged_rows)
