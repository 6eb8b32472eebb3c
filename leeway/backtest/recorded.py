"""Models that were released: a replay takes them again in the place of training.

Belongs here: which recorded release a training of the replay would have come to, and its verdict
beside the champion of the replay. Does not belong here: reading releases (`resources.backtest`), or
training any (`leeway.backtest.models`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import pyarrow as pa

from leeway.backtest.facts import Scored, Trained
from leeway.backtest.models import cause_of, outcome_of
from leeway.backtest.profiled import unknown_model
from leeway.backtest.scoring import harmed, score
from leeway.controller.facts import Cause
from leeway.data.training_set import TEST, TRAIN, part_of
from leeway.drift.stored import Stored
from leeway.evidence import Champion, gather
from leeway.prediction import Model
from leeway.spec import UseCase


@dataclass(frozen=True)
class Loaded:
    """A released model, its training set with the column `part`, and its reference."""

    model: Model
    training_set: pa.Table
    reference: Stored


@dataclass(frozen=True)
class RecordedRelease:
    """A release of the ledger, with the batches that it saw.

    `seconds` its training took; None: that is not recorded.
    """

    version: int
    batches: tuple[str, ...]
    seconds: float | None
    load: Callable[[], Loaded]


class Recorded:
    """Takes, at each training, the release that was trained on most of what had come by then."""

    def __init__(
        self,
        use_case: UseCase,
        releases: Sequence[RecordedRelease],
        tables: Mapping[str, pa.Table],
        stored: Mapping[str, Stored],
    ) -> None:
        """Takes what the ledger holds.

        Args:
            use_case: as it is today.
            releases: oldest first; the first serves when the replay begins.
            tables: clean rows by batch, in the order in which they came.
            stored: profiles by batch.
        """
        self.use_case, self.releases, self.tables, self.stored = use_case, releases, tables, stored
        self._loaded = cache(lambda at: releases[at].load())

    def first(self) -> Trained:
        """The first release."""
        release = self.releases[0]
        loaded = self._loaded(0)
        return Trained(
            _name(release), release.batches, loaded.reference, "promoted", "It is the first.",
            _fitted(loaded), release.seconds,
        )  # fmt: skip

    def train(
        self, batches: Sequence[str], champion: Trained, cause: Cause, batch: str, case: UseCase
    ) -> Trained:
        """The release on most of these batches that saw the batch of the incident.

        Never one that saw a batch that had not come: it would know what it is judged by. Where
        there is none, the model is unknown.
        """
        seen = set(batches)
        known = [
            (len(release.batches), at)
            for at, release in enumerate(self.releases)
            if batch in release.batches and set(release.batches) <= seen
        ]
        if not known:
            return unknown_model(self.stored, batches)
        at = max(known)[1]
        release, loaded = self.releases[at], self._loaded(at)
        reason = "The recorded model is the champion itself."
        found = Trained(
            _name(release), release.batches, loaded.reference, "unchanged", reason,
            _fitted(loaded), release.seconds,
        )  # fmt: skip
        if found.model == champion.model:
            return found
        return self._judged(found, loaded, champion, cause, case)

    def _judged(
        self, found: Trained, loaded: Loaded, champion: Trained, cause: Cause, case: UseCase
    ) -> Trained:
        rival = self._model_of(champion)
        if rival is None:
            reason = "The champion of the replay is unknown, so the recorded model is promoted."
            return replace(found, outcome="promoted", reason=reason)
        test = part_of(loaded.training_set, TEST)
        against = Champion(rival.model, self._keys(rival))
        decision = gather(test, case, loaded.model, against, cause_of(cause)).decision
        return replace(found, outcome=outcome_of(decision), reason=decision.reason)

    def score(self, champion: Trained, batch: str) -> Scored | None:
        """Metrics on the rows of a batch that a recorded model was not fitted on."""
        loaded = self._model_of(champion)
        if loaded is None:
            return None
        return score(loaded.model, self.tables[batch], self.use_case, self._keys(loaded))

    def harmed(self, champion: Trained, batch: str) -> tuple[str, ...]:
        """The columns that harm a recorded model, where that is proven."""
        loaded = self._model_of(champion)
        if loaded is None:
            return ()
        held_out = part_of(loaded.training_set, TEST)
        return harmed(loaded.model, self.tables[batch], self.use_case, held_out)

    def _model_of(self, champion: Trained) -> Loaded | None:
        if not champion.known:
            return None
        names = [_name(release) for release in self.releases]
        return self._loaded(names.index(champion.model))

    def _keys(self, loaded: Loaded) -> pa.ChunkedArray:
        return part_of(loaded.training_set, TRAIN)[self.use_case.key.name]


def _name(release: RecordedRelease) -> str:
    return f"version {release.version}"


def _fitted(loaded: Loaded) -> int:
    return int(part_of(loaded.training_set, TRAIN).num_rows)
