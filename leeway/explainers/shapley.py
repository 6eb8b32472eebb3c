"""Why a model predicts what it predicts: SHAP values per feature of the source.

Belongs here: choosing an explainer, checking that its values add up to the output, and summing them
to features. Does not belong here: examples and maps of the data
(`leeway.explainers.neighbourhood`), or pictures (`leeway.plots`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from leeway.training.preprocessing import output_sources

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
Explain = Callable[[Floats], tuple[Floats, Floats]]  # rows to their values and the base values
# Relative to what is explained, the largest distance of an output from the base value.
TOLERANCE = 1e-4
# Relative to the largest output: XGBoost sums hundreds of trees in 32 bits, a few ulps in all.
ROUNDING = 16 * float(np.finfo(np.float32).eps)
MOST_BACKGROUND_ROWS = 100
# Leaves times squared depth times rows, which is what TreeExplainer's time grows with: 2 to 3 ns
# each, so about 10 s. A forest of 100 trees, 16 deep, on 16 000 rows has 1e8 for each row.
MOST_WORK = 4_000_000_000
FEWEST_ROWS = 20
SEED = 0


@dataclass(frozen=True)
class ShapValues:
    """SHAP values; `base_values` plus their sum over features is the model's output.

    `values` has shape (rows, features, outputs), `base_values` (outputs,). `scale` says what the
    output is: `log-odds`, `probability` or `target unit`. `outputs` names the classes; with two
    classes, margins have one output, the class that is last in the alphabet; a regression has one
    output called `target`. `additivity_gap` is the largest difference from the model's output.
    `fallback_reason` says why the fast explainer was not used.
    """

    values: Floats
    base_values: Floats
    feature_names: tuple[str, ...]
    outputs: tuple[str, ...]
    scale: str
    explainer: str
    additivity_gap: float
    fallback_reason: str | None = None

    def importance(self) -> dict[str, float]:
        """Mean absolute SHAP value by feature, summed over outputs, the largest first."""
        strength = np.abs(self.values).mean(axis=0).sum(axis=1)
        order = np.argsort(-strength, kind="stable")
        return {self.feature_names[each]: float(strength[each]) for each in order}


class NotAdditive(ValueError):
    """SHAP values do not add up to the model's output, so they explain another model."""


class Explainer:
    """Explains rows with the fast explainer of a model, or with a model-agnostic one.

    Trees: S. Lundberg et al., From local explanations to global understanding with explainable AI
    for trees, Nature Machine Intelligence 2 (2020), with the cover of the training part as
    background. Linear models: exact, against the mean of the background. When the fast values do
    not add up to the output, permutation SHAP against at most 100 rows of the background is used.

    It can be kept: reading a forest takes longer than explaining a row.
    """

    def __init__(self, pipeline: Any, background: pd.DataFrame) -> None:
        """The explainer of a fitted pipeline.

        Args:
            pipeline: fitted, with the steps `preprocess` and `model`.
            background: rows of the training part.

        Raises:
            ValueError: when there is no background.
        """
        if len(background) == 0:
            raise ValueError("got 0 rows of background")
        self._preprocess = pipeline.named_steps["preprocess"]
        self._model = pipeline.named_steps["model"]
        self._known = np.asarray(self._preprocess.transform(background), dtype=np.float64)

    def explain(self, rows: pd.DataFrame) -> ShapValues:
        """SHAP values of `rows`, at least one, that were checked to add up.

        Raises:
            NotAdditive: when the values of the model-agnostic explainer do not add up either.
            ValueError: when there is no row to explain.
        """
        if len(rows) == 0:
            raise ValueError("got 0 rows to explain")
        model = self._model
        judged = np.asarray(self._preprocess.transform(rows), dtype=np.float64)
        name, reason = _fast_explainer(model)[0], None
        try:
            values, base = self._fast(judged)
            gap = _checked_gap(model, judged, values, base)
        except Exception as error:  # shap refuses a model with any error, even AssertionError
            reason = f"{name}: {type(error).__name__}: {error}"
            name = "PermutationExplainer"
            values, base = self._agnostic(judged)
            gap = _checked_gap(model, judged, values, base)
        names, summed = _by_source(values, output_sources(self._preprocess))
        outputs, scale = _outputs(model, values.shape[2])
        return ShapValues(summed, base, names, outputs, scale, name, gap, reason)

    @cached_property
    def _fast(self) -> Explain:
        return _fast_explainer(self._model)[1](self._model, self._known)

    @cached_property
    def _agnostic(self) -> Explain:
        return _permutation(self._model, self._known)


def shap_values(pipeline: Any, background: pd.DataFrame, rows: pd.DataFrame) -> ShapValues:
    """Explains `rows` once; arguments and errors are those of `Explainer`."""
    return Explainer(pipeline, background).explain(rows)


def affordable_rows(pipeline: Any, most: int) -> int:
    """How many rows `shap_values` explains within `MOST_WORK`: 20 to `most`.

    Counted, not timed: the same model gives the same number on every machine.
    """
    import shap

    model = pipeline.named_steps["model"]
    if _fast_explainer(model)[0] != "TreeExplainer":
        return most
    try:
        trees = shap.TreeExplainer(getattr(model, "booster_", model)).model
        nodes = zip(trees.children_left, trees.num_nodes, strict=True)
        leaves = sum(int((left[:count] < 0).sum()) for left, count in nodes)
        work = leaves * int(trees.max_depth) ** 2 * trees.values.shape[-1]
    except Exception:  # a model that shap refuses, with any error: it is explained by permutation
        return FEWEST_ROWS
    return int(min(most, max(FEWEST_ROWS, MOST_WORK // max(1, work))))


def model_output(model: Any, values: Floats) -> Floats:
    """The output that SHAP values add up to, shape (rows, outputs): see `ShapValues.scale`."""
    if hasattr(model, "decision_function"):
        output = np.asarray(model.decision_function(values), dtype=np.float64)
    elif hasattr(model, "predict_proba"):
        output = np.asarray(model.predict_proba(values), dtype=np.float64)
    else:
        output = np.asarray(model.predict(values), dtype=np.float64)
    return output.reshape(len(values), -1)


def _outputs(model: Any, count: int) -> tuple[tuple[str, ...], str]:
    if not hasattr(model, "classes_"):
        return ("target",), "target unit"
    scale = "log-odds" if hasattr(model, "decision_function") else "probability"
    return tuple(str(label) for label in model.classes_[-count:]), scale


def _fast_explainer(model: Any) -> tuple[str, Callable[[Any, Floats], Explain]]:
    if hasattr(model, "coef_"):
        return "LinearExplainer", _linear
    return "TreeExplainer", _tree


def _linear(model: Any, background: Floats) -> Explain:
    import shap

    masker = shap.maskers.Independent(background, max_samples=len(background))
    explainer = shap.LinearExplainer(model, masker)
    return lambda rows: _shaped(explainer(rows))


def _tree(model: Any, background: Floats) -> Explain:
    import shap

    explainer = shap.TreeExplainer(getattr(model, "booster_", model))
    # `_checked_gap` checks every explainer.
    return lambda rows: _shaped(explainer(rows, check_additivity=False))


def _permutation(model: Any, background: Floats) -> Explain:
    import shap

    step = max(1, -(-len(background) // MOST_BACKGROUND_ROWS))
    masker = shap.maskers.Independent(background[::step], max_samples=MOST_BACKGROUND_ROWS)

    def explain(rows: Floats) -> tuple[Floats, Floats]:
        # Made anew, since it draws from its seed on: the same row has the same values.
        explainer = shap.PermutationExplainer(
            lambda values: model_output(model, values), masker, seed=SEED
        )
        return _shaped(explainer(rows, max_evals="auto", silent=True))

    return explain


def _shaped(explanation: Any) -> tuple[Floats, Floats]:
    values = np.asarray(explanation.values, dtype=np.float64)
    values = values.reshape(*values.shape[:2], -1)
    base = np.asarray(explanation.base_values, dtype=np.float64).reshape(-1, values.shape[2])
    return values, base[0]


def _checked_gap(model: Any, rows: Floats, values: Floats, base: Floats) -> float:
    output = model_output(model, rows)
    explained = values.sum(axis=1) + base
    if explained.shape != output.shape:
        raise NotAdditive(f"SHAP explains outputs {explained.shape}, the model has {output.shape}")
    gap = float(np.abs(explained - output).max())
    explained_most = float(np.abs(output - base).max())
    allowed = max(TOLERANCE * explained_most, ROUNDING * float(np.abs(output).max()))
    if not gap <= allowed:
        raise NotAdditive(f"SHAP values miss the output by {gap:.3g}, allowed is {allowed:.3g}")
    return gap


def _by_source(values: Floats, sources: list[str]) -> tuple[tuple[str, ...], Floats]:
    names = tuple(dict.fromkeys(sources))
    summed = np.zeros((values.shape[0], len(names), values.shape[2]))
    for column, source in enumerate(sources):
        summed[:, names.index(source), :] += values[:, column, :]
    return names, summed
