"""Explanations add up to what the model says, and name the columns of the source."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.neighbors import KNeighborsClassifier

from leeway.explainers.neighbourhood import Neighbourhood, PcaMap, nearest
from leeway.explainers.shapley import Explainer, NotAdditive, ShapValues, model_output, shap_values
from leeway.spec import CANDIDATES
from leeway.training.search import fit_final
from tests.unit.measured_penguins import FRAME, PENGUINS, TARGET

MASS = FRAME["body_mass_g"].to_numpy()
TWO = TARGET != "Gentoo"
EVERY = [
    *(("classification", name, count) for name in CANDIDATES["classification"] for count in (2, 3)),
    *(("regression", name, 1) for name in CANDIDATES["regression"]),
]


def fitted(task: str, name: str, classes: int = 3, frame: Any = FRAME) -> Any:
    use_case = PENGUINS.model_copy(update={"task": task})
    target: NDArray[Any] = TARGET if task == "classification" else MASS
    chosen = TWO if classes == 2 else np.full(len(FRAME), True)
    return fit_final(frame[chosen], target[chosen], use_case, name, {})


@pytest.mark.parametrize(("task", "name", "classes"), EVERY)
def test_base_and_values_add_up_to_the_output_of_the_model(
    task: str, name: str, classes: int
) -> None:
    pipeline = fitted(task, name, classes)
    rows = FRAME.iloc[::20]
    shap = shap_values(pipeline, FRAME.iloc[::2], rows)
    values = pipeline.named_steps["preprocess"].transform(rows)
    output = model_output(pipeline.named_steps["model"], values)
    explained = shap.values.sum(axis=1) + shap.base_values
    np.testing.assert_allclose(explained, output, rtol=1e-4, atol=1e-4)
    assert shap.values.shape == (len(rows), 6, len(shap.outputs))
    assert shap.feature_names == tuple(sorted(FRAME.columns, key=shap.feature_names.index))
    assert set(shap.feature_names) == set(FRAME.columns)
    assert shap.fallback_reason is None
    assert shap.additivity_gap < 0.01


@pytest.mark.parametrize(
    ("task", "name", "classes", "scale", "outputs"),
    [
        ("classification", "logistic_regression", 3, "log-odds", 3),
        ("classification", "xgboost", 2, "log-odds", 1),
        ("classification", "random_forest", 2, "probability", 2),
        ("regression", "ridge", 1, "target unit", 1),
    ],
)
def test_the_output_is_named(task: str, name: str, classes: int, scale: str, outputs: int) -> None:
    pipeline = fitted(task, name, classes)
    shap = shap_values(pipeline, FRAME, FRAME.head(3))
    assert shap.scale == scale
    expected = list(pipeline.classes_)[-outputs:] if task == "classification" else ["target"]
    assert list(shap.outputs) == expected


def test_a_column_that_the_target_follows_explains_most() -> None:
    shap = shap_values(fitted("regression", "xgboost"), FRAME, FRAME.iloc[::5])
    strength = np.abs(shap.values).mean(axis=(0, 2))
    assert shap.feature_names[int(strength.argmax())] == "body_mass_g"


def test_linear_values_are_the_coefficient_times_the_distance_from_the_mean() -> None:
    pipeline = fitted("regression", "ridge")
    shap = shap_values(pipeline, FRAME, FRAME.head(4))
    preprocess, model = pipeline.named_steps["preprocess"], pipeline.named_steps["model"]
    known = preprocess.transform(FRAME)
    expected = model.coef_ * (preprocess.transform(FRAME.head(4)) - known.mean(axis=0))
    names = list(preprocess.get_feature_names_out())
    one_hot = [i for i, name in enumerate(names) if name.startswith("island=")]
    island = shap.values[:, shap.feature_names.index("island"), 0]
    np.testing.assert_allclose(island, expected[:, one_hot].sum(axis=1))
    assert len(one_hot) == 3


def test_a_model_that_no_fast_explainer_knows_gets_the_agnostic_one_and_says_so() -> None:
    pipeline = fitted("classification", "logistic_regression")
    values = pipeline.named_steps["preprocess"].transform(FRAME)
    pipeline.steps[-1] = ("model", KNeighborsClassifier(9).fit(values, TARGET))
    first, second = (shap_values(pipeline, FRAME, FRAME.iloc[[0, 341]]) for _ in range(2))
    assert first.explainer == "PermutationExplainer"
    assert "TreeExplainer" in (first.fallback_reason or "")
    assert first.additivity_gap < 1e-9
    assert np.array_equal(first.values, second.values)


@pytest.mark.parametrize("name", ["logistic_regression", "random_forest"])
def test_an_explainer_that_is_kept_explains_as_a_new_one(name: str) -> None:
    pipeline = fitted("classification", name)
    kept = Explainer(pipeline, FRAME)
    for row in (0, 150, 341):
        new = shap_values(pipeline, FRAME, FRAME.iloc[[row]])
        assert np.array_equal(kept.explain(FRAME.iloc[[row]]).values, new.values)
    with pytest.raises(ValueError, match="0 rows of background"):
        Explainer(pipeline, FRAME.head(0))


def test_an_agnostic_explainer_that_is_kept_gives_a_row_the_same_values_again() -> None:
    pipeline = fitted("classification", "logistic_regression")
    values = pipeline.named_steps["preprocess"].transform(FRAME)
    pipeline.steps[-1] = ("model", KNeighborsClassifier(9).fit(values, TARGET))
    kept = Explainer(pipeline, FRAME)
    first, other, again = (kept.explain(FRAME.iloc[[row]]).values for row in (0, 341, 0))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_importance_is_the_mean_absolute_value_summed_over_outputs() -> None:
    values = np.array([[[1, -1], [0, 0], [-9, 0]], [[-2, 3], [0, 1], [0, 0]]], np.float64)
    shap = ShapValues(values, np.zeros(2), ("a", "b", "c"), ("x", "y"), "log-odds", "e", 0.0)
    assert list(shap.importance().items()) == [("c", 4.5), ("a", 3.5), ("b", 0.5)]


def test_fast_values_that_do_not_add_up_are_replaced_and_the_reason_given() -> None:
    """A model whose trees were changed after fitting: shap reads the trees, not the intercept."""
    pipeline = fitted("regression", "ridge")
    model = pipeline.named_steps["model"]
    honest = shap_values(pipeline, FRAME, FRAME.head(3))
    predict = type(model).predict
    shifted = type("Shifted", (type(model),), {"predict": lambda self, X: predict(self, X) + 500})
    model.__class__ = shifted
    replaced = shap_values(pipeline, FRAME, FRAME.head(3))
    assert honest.explainer == "LinearExplainer"
    assert replaced.explainer == "PermutationExplainer"
    assert "miss the output by 500" in (replaced.fallback_reason or "")
    assert replaced.additivity_gap < 1e-6


@pytest.mark.parametrize(("middle", "spread"), [(5e-5, 4e-5), (1e6, 50.0), (0.0, 1e-9)])
def test_values_of_zero_explain_no_output_that_varies_however_small_or_large(
    middle: float, spread: float
) -> None:
    """Regression: a gap was compared with 1, or with outputs far from 0 that hardly differ."""
    pipeline = fitted("regression", "ridge")
    model = pipeline.named_steps["model"]
    true_coef = model.coef_ / np.abs(model.coef_).max() * spread
    model.coef_, model.intercept_ = np.zeros_like(true_coef), middle
    said = {"predict": lambda self, X: np.asarray(X) @ true_coef + middle}
    model.__class__ = type("Varying", (type(model),), said)
    shap = shap_values(pipeline, FRAME, FRAME.iloc[::20])
    assert "LinearExplainer: NotAdditive" in (shap.fallback_reason or "")
    assert np.abs(shap.values).max() > 0.1 * spread


@pytest.mark.parametrize("middle", [0.0, 1e-5, 1e6])
def test_values_of_zero_explain_an_output_that_does_not_vary(middle: float) -> None:
    pipeline = fitted("regression", "ridge")
    model = pipeline.named_steps["model"]
    model.coef_, model.intercept_ = np.zeros_like(model.coef_), middle
    shap = shap_values(pipeline, FRAME, FRAME.head(3))
    assert shap.fallback_reason is None
    assert not shap.values.any()


def test_values_that_nothing_makes_add_up_are_an_error() -> None:
    class Fickle(KNeighborsClassifier):  # type: ignore[misc]  # sklearn has no stubs
        calls = 0

        def predict_proba(self, X: Any) -> Any:
            self.calls += 1
            return super().predict_proba(X) + self.calls

    pipeline = fitted("classification", "logistic_regression")
    values = pipeline.named_steps["preprocess"].transform(FRAME)
    pipeline.steps[-1] = ("model", Fickle(9).fit(values, TARGET))
    with pytest.raises(NotAdditive):
        shap_values(pipeline, FRAME, FRAME.head(2))


def test_nothing_to_explain_is_an_error() -> None:
    pipeline = fitted("regression", "ridge")
    with pytest.raises(ValueError, match="0 rows to explain"):
        shap_values(pipeline, FRAME, FRAME.head(0))


def test_a_training_row_is_its_own_nearest_neighbour() -> None:
    pipeline = fitted("classification", "random_forest")
    found = nearest(pipeline, FRAME, TARGET, FRAME.iloc[[5, 300]], 5)
    assert found.indices[:, 0].tolist() == [5, 300]
    np.testing.assert_allclose(found.distances[:, 0], 0, atol=1e-6)
    assert (np.diff(found.distances, axis=1) >= 0).all()
    assert np.array_equal(found.labels, TARGET[found.indices])


def test_training_rows_among_themselves_are_not_their_own_neighbours() -> None:
    """Regression: each row agreed with itself, which raised the share by 1 / k."""
    pipeline = fitted("classification", "random_forest")
    found = nearest(pipeline, FRAME, TARGET, None, 5)
    assert found.indices.shape == (len(FRAME), 5)
    assert not (found.indices == np.arange(len(FRAME))[:, np.newaxis]).any()
    odd = TARGET.copy()
    odd[0] = "other"
    own = nearest(pipeline, FRAME, odd, None, 5)
    assert found.agreement is not None
    assert own.agreement is not None
    assert own.agreement[0] == found.agreement[0]
    assert nearest(pipeline, FRAME.head(3), TARGET[:3], None, 5).indices.shape == (3, 2)


def test_agreement_is_the_share_of_neighbours_with_the_predicted_label() -> None:
    pipeline = fitted("classification", "random_forest")
    labels = TARGET.copy()
    own = nearest(pipeline, FRAME, TARGET, FRAME.head(1), 4)
    labels[own.indices[0, :3]] = "other"
    found = nearest(pipeline, FRAME, labels, FRAME.head(1), 4)
    assert own.agreement is not None
    assert own.agreement.tolist() == [1.0]
    assert found.agreement is not None
    assert found.agreement.tolist() == [0.25]


def test_neighbours_of_a_regression_have_no_agreement_and_are_never_more_than_the_rows() -> None:
    found = nearest(fitted("regression", "ridge"), FRAME.head(3), MASS[:3], FRAME.tail(2), 10)
    assert found.agreement is None
    assert found.indices.shape == (2, 3)


def test_the_map_places_training_rows_where_it_drew_them() -> None:
    pipeline = fitted("classification", "random_forest")
    drawn = PcaMap.fit(pipeline, FRAME)
    values = pipeline.named_steps["preprocess"].transform(FRAME)
    placed = (values - drawn.mean) @ drawn.components.T
    np.testing.assert_allclose(placed, drawn.coordinates)
    variance = drawn.coordinates.var(axis=0)
    total = values.var(axis=0).sum()
    np.testing.assert_allclose(variance / total, drawn.explained_variance_ratio)
    assert variance[0] > variance[1] > 0


def test_a_map_of_equal_rows_is_one_point_and_no_error() -> None:
    pipeline = fitted("classification", "random_forest")
    drawn = PcaMap.fit(pipeline, FRAME.iloc[[0, 0, 0]])
    assert not drawn.coordinates.any()
    assert drawn.explained_variance_ratio.tolist() == [0, 0]


def test_a_neighbourhood_that_is_kept_finds_what_a_search_finds_and_places_it() -> None:
    pipeline = fitted("classification", "random_forest")
    drawn = PcaMap.fit(pipeline, FRAME)
    kept = Neighbourhood(pipeline, FRAME, 5, drawn)
    rows = [5, 300]
    indices, distances, coordinates = kept.look_up(FRAME.iloc[rows])
    found = nearest(pipeline, FRAME, TARGET, FRAME.iloc[rows], 5)
    assert np.array_equal(indices, found.indices)
    assert np.array_equal(distances, found.distances)
    np.testing.assert_allclose(kept.coordinates, drawn.coordinates)
    np.testing.assert_allclose(coordinates, drawn.coordinates[rows], atol=1e-12)
    assert Neighbourhood(pipeline, FRAME.head(2), 5, drawn).look_up(FRAME)[0].shape == (342, 2)
