"""Trainings of which only the profiles of their batches are known, and no model.

Belongs here: the reference that such a model would have had. Does not belong here: models that
exist (`leeway.backtest.models`, `leeway.backtest.recorded`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from leeway.backtest.facts import Scored, Trained
from leeway.controller.facts import Cause
from leeway.drift.profile import merge_profiles
from leeway.drift.stored import Stored
from leeway.drift.usual import history_of
from leeway.spec import UseCase

ASSUMED = "no recorded model was trained on these batches, so it is assumed that it was promoted"


class Profiled:
    """Each training is promoted, and nothing is known of the errors of its model."""

    def __init__(self, stored: Mapping[str, Stored], first: Sequence[str]) -> None:
        self.stored = stored
        self.initial = tuple(first)

    def first(self) -> Trained:
        """The model of the first batches."""
        return unknown_model(self.stored, self.initial)

    def train(
        self, batches: Sequence[str], champion: Trained, cause: Cause, batch: str, case: UseCase
    ) -> Trained:
        """A model of all batches."""
        return unknown_model(self.stored, batches)

    def score(self, champion: Trained, batch: str) -> Scored | None:
        """Unknown."""
        return None

    def harmed(self, champion: Trained, batch: str) -> tuple[str, ...]:
        """Unknown."""
        return ()


def unknown_model(stored: Mapping[str, Stored], batches: Sequence[str]) -> Trained:
    """A model that nobody has; its reference is the profile of all rows of its batches."""
    members = [stored[name].profiles["clean"] for name in batches]
    whole = merge_profiles(members)
    newest = stored[batches[-1]]
    reference = Stored(
        {"train": whole, "clean": whole}, history_of(whole, members, whole.rows), newest.definitions
    )
    name = f"{len(batches)} batches"
    return Trained(name, tuple(batches), reference, "promoted", ASSUMED, whole.rows, known=False)
