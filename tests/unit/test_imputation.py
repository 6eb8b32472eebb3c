"""Imputations are compared on values that were known, in rows that none was fitted on."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from pydantic import ValidationError

from leeway.choice_plots import imputation_plot
from leeway.digests import canonical_json
from leeway.spec import UseCase
from leeway.training import imputation
from leeway.training.decisions import decide, settle
from leeway.training.imputation import compare_imputations
from leeway.training.model_file import load_model, save_model
from leeway.training.preprocessing import build_preprocessor
from leeway.training.search import fit_final
from tests.unit.measured_penguins import ATTRIBUTES, FRAME, TARGET

ROWS = 600


def penguins(**imputation: Any) -> UseCase:
    return UseCase.model_validate(ATTRIBUTES | {"imputation": {"number": "auto"} | imputation})


def measured(rows: int = ROWS, missing: float = 0.05) -> pd.DataFrame:
    """Body mass follows from the flipper but for a known error of 50 g; the depth is noise."""
    random = np.random.default_rng(3)
    flipper = random.normal(200, 15, rows)
    frame = pd.DataFrame(
        {
            "island": np.array(["Biscoe", "Dream"] * rows, dtype=object)[:rows],
            "bill_length_mm": random.normal(45, 5, rows),
            "bill_depth_mm": random.exponential(2, rows) + 15,
            "flipper_length_mm": flipper,
            "body_mass_g": 50 * flipper - 6000 + random.normal(0, 50, rows),
            "sex": "male",
        }
    )
    for column in ("body_mass_g", "bill_depth_mm"):
        frame.loc[random.random(rows) < missing, column] = np.nan
    return frame


def test_a_column_that_follows_from_others_is_not_filled_with_its_middle() -> None:
    depth, mass = compare_imputations(measured(), penguins())
    assert (depth.column, mass.column) == ("bill_depth_mm", "body_mass_g")
    assert mass.winner == "iterative"
    assert mass.rmse["iterative"].value == pytest.approx(50, rel=0.25)
    assert (mass.rmse["median"].value or 0) > 600
    assert depth.winner == "mean"  # of noise, which the mean fills with the least squared error
    assert depth.rmse["mean"].value == pytest.approx(2, rel=0.3)


def test_every_strategy_has_an_interval_in_the_unit_of_the_column_and_the_least_wins() -> None:
    for compared in compare_imputations(measured(), penguins()):
        assert list(compared.rmse) == ["median", "mean", "knn", "iterative"]
        for metric in compared.rmse.values():
            assert metric.low is not None
            assert metric.value is not None
            assert metric.high is not None
            assert metric.low < metric.value < metric.high
            assert metric.unit == {"body_mass_g": "g", "bill_depth_mm": "mm"}[compared.column]
        values = {name: metric.value or 0.0 for name, metric in compared.rmse.items()}
        assert compared.winner == min(values, key=values.__getitem__)
        assert canonical_json(compared.as_dict())


def test_only_columns_with_missing_values_are_compared_and_missing_rows_are_counted() -> None:
    frame = measured()
    found = {each.column: each.missing for each in compare_imputations(frame, penguins())}
    assert found == {c: int(frame[c].isna().sum()) for c in ("bill_depth_mm", "body_mass_g")}
    assert compare_imputations(frame.fillna(1.0), penguins()) == []


def test_the_masked_value_itself_reaches_no_imputer() -> None:
    """A value that is known but masked is judged: were it also fitted on, knn would find it."""
    frame = measured()
    gaps = frame["bill_depth_mm"].isna()
    frame["bill_depth_mm"] = np.arange(ROWS, dtype=np.float64)
    frame.loc[gaps, "bill_depth_mm"] = np.nan
    (depth, _) = compare_imputations(frame, penguins())
    assert all((metric.value or 0) > 100 for metric in depth.rmse.values())


def test_the_same_seed_gives_the_same_numbers_and_another_gives_others() -> None:
    once, twice = (compare_imputations(measured(), penguins()) for _ in range(2))
    assert once == twice
    other = UseCase.model_validate(
        ATTRIBUTES | {"imputation": {"number": "auto"}, "search": {"seed": 7}}
    )
    assert compare_imputations(measured(), other) != once


def test_too_few_known_values_leave_the_median_with_the_reason() -> None:
    frame = measured(60)
    frame.loc[frame.index[5:], "body_mass_g"] = np.nan
    mass = compare_imputations(frame, penguins())[-1]
    assert (mass.winner, mass.rmse) == ("median", {})
    assert "known values could be masked, and 10 are needed" in (mass.reason or "")
    assert imputation_plot(mass).startswith(b"\x89PNG")


def test_a_column_without_any_value_does_not_fail() -> None:
    mass = compare_imputations(measured().assign(body_mass_g=np.nan), penguins())[-1]
    assert (mass.missing, mass.winner) == (ROWS, "median")


def test_slow_strategies_are_left_out_of_wide_tables_and_say_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(imputation, "MOST_COLUMNS", 3)
    mass = compare_imputations(measured(), penguins())[-1]
    assert mass.winner == "mean"
    assert mass.rmse["knn"].reason == "left out: too slow for 4 number columns"
    assert imputation_plot(mass).startswith(b"\x89PNG")


def test_the_chosen_strategies_are_those_of_the_pipeline() -> None:
    frame, target = measured(), np.resize(TARGET, ROWS)
    decisions = decide(frame, target, penguins())
    chosen = {"bill_depth_mm": "mean", "body_mass_g": "iterative"}
    assert decisions.choices == {"imputation": chosen, "clusters": {}}
    settled = settle(penguins(), decisions.choices)
    assert settled.imputation.number == "median"
    names = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]
    mixed = build_preprocessor(settled).fit_transform(frame)[:, :4]
    single = {}
    for strategy in ("median", "mean", "iterative"):
        use_case = penguins(number=strategy)
        single[strategy] = build_preprocessor(use_case).fit_transform(frame)[:, :4]
    for position, name in enumerate(names):
        np.testing.assert_array_equal(
            mixed[:, position], single[chosen.get(name, "median")][:, position]
        )


def test_only_gaps_are_filled_and_rows_are_filled_one_by_one() -> None:
    frame = measured()
    settled = penguins(number="median", columns={"body_mass_g": "knn", "bill_depth_mm": "mean"})
    fitted = build_preprocessor(settled).fit(frame)
    whole = fitted.transform(frame)
    gaps = frame["body_mass_g"].isna().to_numpy()
    alone = np.vstack([fitted.transform(frame.iloc[[i]]) for i in np.flatnonzero(gaps)[:5]])
    np.testing.assert_allclose(alone, whole[gaps][:5])
    known = frame["body_mass_g"][~gaps]
    np.testing.assert_allclose(whole[~gaps][:, 3], (known - known.mean()) / known.std(ddof=0))


def test_a_strategy_of_ones_own_is_kept_and_not_compared() -> None:
    use_case = penguins(columns={"body_mass_g": "knn"})
    decisions = decide(measured(), np.resize(TARGET, ROWS), use_case)
    assert [each.column for each in decisions.imputation] == ["bill_depth_mm"]
    settled = settle(use_case, decisions.choices)
    assert settled.imputation.columns == {"body_mass_g": "knn", "bill_depth_mm": "mean"}
    with pytest.raises(ValidationError, match=r"imputation.columns: unknown name 'mass'"):
        penguins(columns={"mass": "knn"})


def test_an_open_choice_is_no_pipeline_and_says_what_to_do() -> None:
    with pytest.raises(ValueError, match=r"imputation.number is auto: settle it with leeway"):
        build_preprocessor(penguins())


def test_a_use_case_without_open_choices_is_settled_already() -> None:
    plain = UseCase.model_validate(ATTRIBUTES)
    decisions = decide(FRAME, TARGET, plain)
    assert decisions.choices == {"imputation": {}, "clusters": {}}
    assert settle(plain, decisions.choices) == plain


def test_mixed_imputers_survive_in_the_model_file() -> None:
    frame, target = measured(), np.resize(TARGET, ROWS)
    settled = penguins(
        number="median", columns={"body_mass_g": "iterative", "bill_depth_mm": "knn"}
    )
    pipeline = fit_final(frame, target, settled, "logistic_regression", {})
    loaded = load_model(save_model(pipeline))
    assert np.array_equal(loaded.predict_proba(frame), pipeline.predict_proba(frame))
    assert save_model(loaded) == save_model(pipeline)


def test_the_picture_shows_every_strategy() -> None:
    mass = compare_imputations(measured(), penguins())[-1]
    image = Image.open(io.BytesIO(imputation_plot(mass)))
    assert (image.format, image.width) == ("PNG", 540)
    other = compare_imputations(measured(), penguins())[0]
    assert imputation_plot(mass) != imputation_plot(other)
