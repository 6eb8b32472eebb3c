"""Models that are really trained in a replay.

Belongs here: fitting one algorithm on the batches that have come, and the gate of a release. Does
not belong here: models that exist already (`leeway.backtest.recorded`), or when to train
(`leeway.backtest.walk`).

The rows of a training are split as in production: what a hash of the key, or the time, holds out
judges the model beside the champion and is fitted on by neither.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from leeway.backtest.facts import Scored, Trained
from leeway.backtest.scoring import harmed, score
from leeway.controller.facts import Cause, Outcome
from leeway.data.frames import feature_frame, target_array
from leeway.data.training_set import TEST, TRAIN, NotEnoughRows, build_training_set, part_of
from leeway.drift.declared import profile_table
from leeway.drift.stored import Stored
from leeway.drift.training_part import reference_stored
from leeway.evidence import Champion, gather
from leeway.prediction import Model
from leeway.release import Cause as ReleaseCause
from leeway.release import Decision
from leeway.spec import UseCase


@dataclass(frozen=True)
class Recipe:
    """What is fitted again: an algorithm with its parameters, and the choices made before it."""

    algorithm: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    choices: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Fitted:
    """A model, the keys that it was fitted on, the rows held out, and its reference."""

    model: Model
    keys: pa.Array | pa.ChunkedArray
    held_out: pa.Table
    reference: Stored
    seconds: float


class Refitted:
    """Fits the recipe at each training; the same batches give the same model, fitted once."""

    def __init__(
        self,
        use_case: UseCase,
        tables: Mapping[str, pa.Table],
        stored: Mapping[str, Stored],
        first: Sequence[str],
        recipe: Recipe,
    ) -> None:
        """Takes what there is to fit on.

        Args:
            use_case: as it is today.
            tables: clean rows by batch, in the order in which they came.
            stored: profiles by batch.
            first: batches that the first model is fitted on.
            recipe: what is fitted.
        """
        self.use_case, self.tables, self.stored = use_case, tables, stored
        self.initial, self.recipe = tuple(first), recipe
        self.fitted: dict[tuple[str, ...], Fitted] = {}
        self._scores: dict[tuple[tuple[str, ...], str], Scored | None] = {}

    def first(self) -> Trained:
        """The model of the first batches, which serves whatever its gates say.

        Raises:
            NotEnoughRows: when they are too few to fit and judge a model.
        """
        return self._trained(self.initial, "promoted", "It is the first.")

    def train(
        self, batches: Sequence[str], champion: Trained, cause: Cause, batch: str, case: UseCase
    ) -> Trained:
        """A model of all batches, judged as a release is."""
        names = tuple(batches)
        try:
            fitted = self._fit(names)
        except NotEnoughRows as error:
            return Trained("", names, champion.reference, "failed", str(error))
        rival = self._fit(champion.batches)
        decision = gather(
            fitted.held_out, case, fitted.model, Champion(rival.model, rival.keys), cause_of(cause)
        ).decision
        return self._trained(names, outcome_of(decision), decision.reason)

    def score(self, champion: Trained, batch: str) -> Scored | None:
        """Metrics on the rows of a batch that the model was not fitted on."""
        at = (champion.batches, batch)
        if at not in self._scores:
            fitted = self._fit(champion.batches)
            self._scores[at] = score(fitted.model, self.tables[batch], self.use_case, fitted.keys)
        return self._scores[at]

    def harmed(self, champion: Trained, batch: str) -> tuple[str, ...]:
        """The columns that harm the model, where that is proven."""
        fitted = self._fit(champion.batches)
        return harmed(fitted.model, self.tables[batch], self.use_case, fitted.held_out)

    def _trained(self, batches: tuple[str, ...], outcome: Outcome, reason: str) -> Trained:
        fitted = self._fit(batches)
        name, rows = f"{len(batches)} batches", len(fitted.keys)
        return Trained(
            name, batches, fitted.reference, outcome, reason, rows, measured=fitted.seconds
        )

    def _fit(self, batches: tuple[str, ...]) -> Fitted:
        if batches not in self.fitted:
            self.fitted[batches] = self._fit_anew(batches)
        return self.fitted[batches]

    def _fit_anew(self, batches: tuple[str, ...]) -> Fitted:
        from leeway.training.decisions import settle
        from leeway.training.search import fit_final

        begun = time.perf_counter()
        made = build_training_set({name: self.tables[name] for name in batches}, self.use_case)
        rows = part_of(made.table, TRAIN)
        settled = settle(self.use_case, self.recipe.choices)
        frame, target = feature_frame(rows, settled), target_array(rows, settled)
        pipeline = fit_final(frame, target, settled, self.recipe.algorithm, self.recipe.parameters)
        classes = getattr(pipeline, "classes_", None)
        return Fitted(
            Model(pipeline, None if classes is None else [str(name) for name in classes]),
            rows[self.use_case.key.name],
            part_of(made.table, TEST),
            # As the node `reference_profile` makes it.
            reference_stored(
                profile_table(rows, self.use_case.columns), map(self.stored.__getitem__, batches)
            ),
            time.perf_counter() - begun,
        )


def cause_of(cause: Cause) -> ReleaseCause:
    """The cause as the gate of a release knows it: by the same name."""
    return cause


def outcome_of(decision: Decision) -> Outcome:
    """What became of a model that was judged."""
    if decision.awaits_person:
        return "proposed to a person"
    outcomes: dict[str, Outcome] = {"promote": "promoted", "hold": "held", "reject": "rejected"}
    return outcomes[decision.verdict]
