"""What a service says of why a model predicts what it predicts, and among which rows.

Belongs here: the types of these answers, and filling them in. Does not belong here: the methods
(`leeway.explainers`), or loading what they need.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from msgspec import Struct

from leeway.served.contract import Answers, Classes, Classified, Estimated, Estimates

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from leeway.explainers.neighbourhood import Axes
    from leeway.explainers.shapley import ShapValues

    Floats = NDArray[np.float64]

Predicted = TypeVar("Predicted", Classified, Estimated)
DISTANCE_UNIT = "standard deviations of the features, Euclidean"
_NO_AGREEMENT = "undefined for a regression: no two numbers are the same prediction"


class Explanation(Struct, Generic[Predicted], frozen=True):
    """One prediction and the SHAP value of each input, for each of the outputs.

    An input that the model does not read has none.
    """

    prediction: Predicted
    shap_values: dict[str, list[float]]


class Explanations(Answers, Generic[Predicted], frozen=True):
    """Base values plus the SHAP values of all inputs are the outputs of the model.

    `scale` is that of the outputs. `additivity_gap` is the largest difference that is left,
    measured for this answer. Where the values of the model's own explainer do not add up, those of
    another are given, and `fallback_reason` says so.
    """

    explainer: str
    scale: Literal["log-odds", "probability", "target unit"]
    outputs: list[str]
    base_values: list[float]
    additivity_gap: float
    fallback_reason: str | None
    explanations: list[Explanation[Predicted]]


class Axis(Struct, frozen=True):
    """One axis of the map: the share of the variance it shows, and the weight of each feature."""

    name: str
    explained_variance_ratio: float
    weights: dict[str, float]


class Neighbour(Struct, frozen=True):
    """One row of the training part, with its target."""

    inputs: dict[str, str | float | int | bool | None]
    target: str | float
    distance: float


class Surroundings(Struct, Generic[Predicted], frozen=True):
    """One prediction, the nearest rows of the training part, and where the instance is on the map.

    `agreement` is the share of these rows with the class that is predicted.
    """

    prediction: Predicted
    neighbours: list[Neighbour]
    agreement: float | None
    agreement_reason: str | None
    coordinates: tuple[float, float]


class Nearest(Answers, Generic[Predicted], frozen=True):
    """The nearest of `searched_rows` rows of the training part, which has `training_rows`."""

    distance_unit: str
    searched_rows: int
    training_rows: int
    axes: list[Axis]
    surroundings: list[Surroundings[Predicted]]


class Point(Struct, frozen=True):
    """One row of the training part on the map."""

    coordinates: tuple[float, float]
    target: str | float


class Map(Struct, frozen=True):
    """Rows of the training part on two principal components of what the model reads."""

    use_case: str
    target: str
    unit: str | None
    model_version: int
    release: str
    training_rows: int
    axes: list[Axis]
    points: list[Point]


def explanations(answers: Classes | Estimates, shap: ShapValues) -> Explanations[Any]:
    """The answer to `explain`, of `answers.predictions`, whose rows `shap` has."""
    explained: list[Explanation[Any]] = [
        Explanation(each, dict(zip(shap.feature_names, values.tolist(), strict=True)))
        for each, values in zip(answers.predictions, shap.values, strict=True)
    ]
    return Explanations(
        **_header(answers),
        explainer=shap.explainer,
        scale=shap.scale,  # type: ignore[arg-type]  # one of the three, which _outputs makes
        outputs=list(shap.outputs),
        base_values=shap.base_values.tolist(),
        additivity_gap=shap.additivity_gap,
        fallback_reason=shap.fallback_reason,
        explanations=explained,
    )


def nearest(
    answers: Classes | Estimates,
    neighbours: Sequence[list[Neighbour]],
    coordinates: Floats,
    axes: list[Axis],
    rows: tuple[int, int],
) -> Nearest[Any]:
    """The answer to `neighbours`.

    Args:
        answers: as of `predict`.
        neighbours: of each prediction.
        coordinates: of each instance, shape (instances, 2).
        axes: of the map.
        rows: those that were searched, and those of the training part.
    """
    predictions: Sequence[Classified | Estimated] = answers.predictions
    found = zip(predictions, neighbours, coordinates.tolist(), strict=True)
    return Nearest(
        **_header(answers),
        distance_unit=DISTANCE_UNIT,
        searched_rows=rows[0],
        training_rows=rows[1],
        axes=axes,
        surroundings=[_surroundings(*each) for each in found],
    )


def axes_told(axes: Axes, ratio: Sequence[float], names: Sequence[str]) -> list[Axis]:
    """The axes of a map of the features called `names`."""
    return [
        Axis(f"PC{number}", share, dict(zip(names, weights.tolist(), strict=True)))
        for number, (share, weights) in enumerate(zip(ratio, axes.components, strict=True), 1)
    ]


def _surroundings(
    prediction: Classified | Estimated, neighbours: list[Neighbour], place: list[float]
) -> Surroundings[Any]:
    on_the_map = (place[0], place[1])
    if isinstance(prediction, Estimated):
        return Surroundings(prediction, neighbours, None, _NO_AGREEMENT, on_the_map)
    same = [each.target == prediction.prediction for each in neighbours]
    return Surroundings(prediction, neighbours, sum(same) / len(same), None, on_the_map)


def _header(answers: Answers) -> Mapping[str, Any]:
    return {name: getattr(answers, name) for name in Answers.__struct_fields__}
