"""The mean target of a category never comes from the row that it stands for (trap 197)."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from leeway.spec import UseCase
from leeway.training.folds import TooFewRows, prepare_folds
from leeway.training.model_file import load_model, save_model
from leeway.training.preprocessing import build_preprocessor, output_sources
from leeway.training.search import compare_candidates, fit_final
from leeway.training.transformers import CategoryPosition
from tests.unit.measured_penguins import ATTRIBUTES, FRAME, TARGET

ROWS = 400


def sales(**changes: Any) -> UseCase:
    """A regression with a category of many values."""
    columns: list[dict[str, Any]] = [
        {"name": "sale", "type": "integer", "role": "key", "description": "number of the sale"},
        {"name": "price", "type": "number", "role": "target", "unit": "USD", "description": "."},
        {"name": "size", "type": "number", "description": "of the house"},
        {"name": "town", "type": "category", "encoding": "target_mean", "description": "."},
    ]
    attributes = {"title": "Sales", "task": "regression", "columns": columns}
    source = {"kind": "file", "path": "sales.csv"}
    search = {"folds": 3, "candidates": ["ridge"]}
    return UseCase.model_validate({**attributes, "source": source, "search": search, **changes})


def noise(towns: int) -> tuple[pd.DataFrame, NDArray[np.float64]]:
    """Prices that have nothing to do with size or town."""
    random = np.random.default_rng(11)
    town = np.array([f"town {i}" for i in random.integers(0, towns, ROWS)], dtype=object)
    frame = pd.DataFrame({"size": random.normal(size=ROWS), "town": town})
    # Whole dollars: scikit-learn would take them for classes.
    return frame, random.normal(100_000, 20_000, ROWS).round()


def means(frame: pd.DataFrame, fitted: Any) -> NDArray[np.float64]:
    return np.asarray(fitted.transform(frame))[:, -1]


def test_a_category_that_says_nothing_correlates_with_the_target_only_where_it_leaks() -> None:
    frame, price = noise(towns=200)
    out_of_fold = build_preprocessor(sales()).fit_transform(frame, price)[:, -1]
    leaking = means(frame, build_preprocessor(sales()).fit(frame, price))
    assert np.corrcoef(leaking, price)[0, 1] > 0.4
    assert abs(np.corrcoef(out_of_fold, price)[0, 1]) < 0.15


def test_the_folds_of_the_search_hold_the_means_of_other_rows() -> None:
    """Regression: `fit` and then `transform` of the same rows gave each row its own price."""
    frame, price = noise(towns=200)
    for fold in prepare_folds(frame, price, sales()):
        assert abs(np.corrcoef(fold.rows[:, -1], fold.target)[0, 1]) < 0.15
    (score,) = compare_candidates(frame, price, sales(search={"candidates": ["ridge"]}))
    spread = np.abs(price - price.mean()).mean()
    assert score.mean == pytest.approx(spread, rel=0.05)
    assert score.train_mean == pytest.approx(spread, rel=0.05)


def test_the_target_of_a_judged_row_reaches_no_mean() -> None:
    frame, price = noise(towns=20)
    clean = prepare_folds(frame, price, sales())[0]
    planted = price.copy()
    planted[clean.judged] = 1e9
    suspect = prepare_folds(frame, planted, sales())[0]
    assert np.array_equal(clean.rows, suspect.rows)
    assert np.array_equal(clean.judged_rows, suspect.judged_rows)


def test_a_model_is_fitted_and_judged_by_the_same_numbers_in_the_search_and_in_the_end() -> None:
    frame, price = noise(towns=20)
    pipeline = fit_final(frame, price, sales(), "ridge", {})
    again = build_preprocessor(sales()).fit_transform(frame, price)
    model = type(pipeline.named_steps["model"])(alpha=1.0, random_state=42).fit(again, price)
    assert np.array_equal(pipeline.named_steps["model"].coef_, model.coef_)


def test_the_mean_of_a_common_category_is_its_mean_and_an_unseen_one_is_that_of_all() -> None:
    town = np.array(["cheap"] * 200 + ["dear"] * 200, dtype=object)
    price = np.where(town == "cheap", 100.0, 300.0) + np.random.default_rng(0).normal(size=ROWS)
    frame = pd.DataFrame({"size": 1.0, "town": town})
    fitted = build_preprocessor(sales()).fit(frame, price)
    scale = fitted.named_transformers_["target_mean"].named_steps["scale"]
    asked = pd.DataFrame({"size": 1.0, "town": ["cheap", "dear", "Atlantis", None]})
    found = scale.inverse_transform(means(asked, fitted)[:, np.newaxis])[:, 0]
    expected = [price[:200].mean(), price[200:].mean(), price.mean()]
    np.testing.assert_allclose(found[:3], expected, rtol=1e-3)
    assert found[3] == found[0]  # missing: filled with the commonest, the first of two equals


def test_a_category_also_has_its_place_in_the_order_of_names_and_an_unseen_one_between() -> None:
    known = np.array([["10001"], ["06010"], ["10002"], ["06010"]], dtype=object)
    fitted = CategoryPosition().fit(known)
    assert fitted.transform(known)[:, 0].tolist() == [1, 0, 2, 0]
    unseen = np.array([["00501"], ["09000"], ["10001.5"], ["99999"]], dtype=object)
    assert fitted.transform(unseen)[:, 0].tolist() == [-0.5, 0.5, 1.5, 2.5]


def test_one_long_category_does_not_make_every_row_as_large() -> None:
    """Regression: all rows became an array of text as wide as the longest of them."""
    towns = np.array([["x" * 20_000], *[["y"]] * 4_999], dtype=object)
    tracemalloc.start()
    found = CategoryPosition().fit(towns).transform(towns)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found[:2, 0].tolist() == [0, 1]
    assert peak < 20 * 2**20, "it was 400 MB"


def test_a_constant_target_and_a_constant_category_give_a_constant() -> None:
    frame, price = noise(towns=5)
    for rows, target in ((frame, np.full(ROWS, 7.0)), (frame.assign(town="one"), price)):
        values = build_preprocessor(sales()).fit_transform(rows, target)
        assert np.isfinite(values).all()


def with_target_means() -> UseCase:
    encoded = {"island": {"encoding": "target_mean"}, "sex": {"encoding": "target_mean"}}
    columns = [column | encoded.get(column["name"], {}) for column in ATTRIBUTES["columns"]]
    return UseCase.model_validate(ATTRIBUTES | {"columns": columns})


def test_several_classes_give_the_share_of_each_under_names_that_cannot_collide() -> None:
    fitted = build_preprocessor(with_target_means()).fit(FRAME, TARGET)
    names = fitted.get_feature_names_out().tolist()[4:]
    assert names[:2] == ["island#position", "sex#position"]
    assert names[2:] == [f"{c}|{s}" for c in ("island", "sex") for s in sorted(set(TARGET))]
    assert output_sources(fitted)[4:] == ["island", "sex"] + ["island"] * 3 + ["sex"] * 3
    encode = fitted.named_transformers_["target_mean"].named_steps["encode"]
    share = np.mean(TARGET[(FRAME["island"] == "Biscoe").to_numpy()] == "Adelie")
    assert encode.encodings_[0][0] == pytest.approx(share, abs=0.01)


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_the_encoder_survives_in_the_model_file(task: str) -> None:
    if task == "regression":
        frame, target = noise(towns=9)
        pipeline = fit_final(frame, target, sales(), "ridge", {})
    else:
        frame = FRAME
        pipeline = fit_final(FRAME, TARGET, with_target_means(), "decision_tree", {})
    loaded = load_model(save_model(pipeline))
    assert np.array_equal(loaded.predict(frame), pipeline.predict(frame))
    assert save_model(loaded) == save_model(pipeline)


def test_too_few_rows_to_make_a_mean_without_the_row_are_an_error_with_a_remedy() -> None:
    frame, price = noise(towns=2)
    with pytest.raises(TooFewRows, match=r"4 of 6 rows are fitted at a time.* 'town' need 5"):
        compare_candidates(frame.head(6), price[:6], sales())
    assert compare_candidates(frame.head(8), price[:8], sales())[0].error is None


@pytest.mark.parametrize(
    ("change", "what"), [({"type": "number"}, "a number column"), ({"role": "ignored"}, "role ign")]
)
def test_an_encoding_of_what_is_no_category_feature_is_refused(
    change: dict[str, str], what: str
) -> None:
    columns = [dict(c.model_dump(exclude_unset=True)) for c in sales().columns]
    columns[-1] |= change
    with pytest.raises(ValidationError, match=f"encoding is for category columns.*{what}"):
        sales(columns=columns)
