"""A release with what explains its predictions, in a worker.

Belongs here: reading the rows of its training part, and keeping what is made of them. Does not
belong here: the methods (`leeway.explainers`), the answers (`leeway.served.explanations`), or
processes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from leeway.data.frames import frame_of
from leeway.data.tables import from_parquet
from leeway.explainers.explained import MOST_ROWS
from leeway.explainers.neighbourhood import Axes, Neighbourhood
from leeway.explainers.shapley import Explainer
from leeway.served.contract import Answers, Classes, Estimates
from leeway.served.explanations import (
    Map,
    Neighbour,
    Point,
    axes_told,
    explanations,
    nearest,
)
from leeway.served.inputs import Instance, table_of
from leeway.spec.table import ColumnType
from serving.loading import Loaded, Objects

MOST_POINTS = 1000


@dataclass(frozen=True)
class _Target:
    name: str
    type: ColumnType


class Explainable:
    """What explains one release: its explainer, and the rows that it was trained on.

    Of a large training part some rows are kept, evenly spaced by key, as they were when the release
    was made.
    """

    def __init__(self, loaded: Loaded, objects: Objects) -> None:
        """Reads the files of the release; raises as `serving.loading.load`."""
        self.loaded = loaded
        entry = loaded.manifest["files"]["explainers"]
        stored = json.loads(objects.get(entry["uri"], entry["digest"]))
        background = stored["background"]
        rows = from_parquet(objects.get(background["uri"], background["digest"]))
        self._training_rows = rows.num_rows
        self._rows = rows.take(np.arange(0, rows.num_rows, -(-rows.num_rows // MOST_ROWS)))
        self._targets = self._targets_of()
        pca = stored["pca"]
        axes = Axes(np.array(pca["mean"]), np.array(pca["components"]))
        frame = frame_of(self._rows, loaded.inputs)
        names = loaded.pipeline.named_steps["preprocess"].get_feature_names_out()
        self._axes = axes_told(axes, pca["explained_variance_ratio"], list(names))
        self._neighbourhood = Neighbourhood(loaded.pipeline, frame, stored["neighbours"], axes)
        self._explainer = Explainer(loaded.pipeline, frame)

    def explain(self, instances: Sequence[Instance], answers: Classes | Estimates) -> Answers:
        """The answer to `explain`, of instances and what `predict` answers to them."""
        frame = frame_of(table_of(instances, self.loaded.inputs), self.loaded.inputs)
        return explanations(answers, self._explainer.explain(frame))

    def neighbours(self, instances: Sequence[Instance], answers: Classes | Estimates) -> Answers:
        """The answer to `neighbours`, of instances and what `predict` answers to them."""
        frame = frame_of(table_of(instances, self.loaded.inputs), self.loaded.inputs)
        positions, distances, coordinates = self._neighbourhood.look_up(frame)
        found = [self._near(*each) for each in zip(positions, distances, strict=True)]
        rows = (self._rows.num_rows, self._training_rows)
        return nearest(answers, found, coordinates, self._axes, rows)

    def map(self) -> Map:
        """Rows of the training part on the map, at most MOST_POINTS, evenly spaced by key."""
        pointer, target = self.loaded.pointer, self.loaded.target
        step = -(-self._rows.num_rows // MOST_POINTS)
        drawn = zip(self._neighbourhood.coordinates.tolist(), self._targets, strict=True)
        return Map(
            pointer.use_case,
            target["name"],
            target["unit"],
            pointer.version,
            pointer.digest,
            self._training_rows,
            self._axes,
            [Point((place[0], place[1]), label) for place, label in list(drawn)[::step]],
        )

    def _near(
        self, positions: np.ndarray[tuple[int], np.dtype[np.intp]], distances: np.ndarray
    ) -> list[Neighbour]:
        names = [each.name for each in self.loaded.inputs]
        rows = self._rows.select(names).take(positions).to_pylist()
        found = zip(positions.tolist(), rows, distances.tolist(), strict=True)
        return [Neighbour(row, self._targets[at], distance) for at, row, distance in found]

    def _targets_of(self) -> list[str | float]:
        """As the model was trained with: a class as text, else a number."""
        classes = self.loaded.manifest["classes"]
        target = _Target(self.loaded.target["name"], "number" if classes is None else "category")
        found: list[str | float] = frame_of(self._rows, [target])[target.name].tolist()
        return found
