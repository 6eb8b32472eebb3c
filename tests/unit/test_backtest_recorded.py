"""A replay takes released models again, and says where nobody has the model."""

from __future__ import annotations

import pyarrow as pa

from leeway.backtest.facts import in_time
from leeway.backtest.models import Recipe, Refitted
from leeway.backtest.recorded import Loaded, Recorded, RecordedRelease
from leeway.backtest.walk import Walked, walk
from leeway.data.training_set import build_training_set
from leeway.spec import UseCase
from tests.unit.backtests import batches, profiles, use_case

TABLES = batches(lambda number: (1, 0) if number < 8 else (-1, 1), count=12, rows=200)
NAMES = list(TABLES)
CASE = use_case(retraining={"cooldown": "60d"})
STORED = profiles(TABLES, CASE)


def released(version: int, count: int, seconds: float | None = 60.0) -> RecordedRelease:
    """What the ledger would hold of a training on the first batches."""

    def load() -> Loaded:
        models = Refitted(CASE, TABLES, STORED, NAMES[:count], Recipe("logistic_regression"))
        reference = models.first().reference
        (fitted,) = models.fitted.values()
        rows = build_training_set({name: TABLES[name] for name in NAMES[:count]}, CASE).table
        return Loaded(fitted.model, rows, reference)

    return RecordedRelease(version, tuple(NAMES[:count]), seconds, load)


def replayed(*releases: RecordedRelease, case: UseCase = CASE) -> Walked:
    models = Recorded(case, releases, TABLES, STORED)
    return walk("planted", case, in_time(STORED, 365), models)


def test_a_retrain_takes_the_release_on_the_nearest_batches_and_its_seconds() -> None:
    found = replayed(released(1, 6), released(2, 8), released(3, 9))
    (run,) = found.retrains
    assert (run.incident.batch, run.trained.model, run.trained.seconds) == ("w08", "version 3", 60)
    assert run.training.finished_at is not None
    assert (run.training.finished_at - run.training.started_at).total_seconds() == 60
    assert run.trained.outcome == "promoted"
    assert [step.model for step in found.steps] == ["version 1"] * 3 + ["version 3"] * 3


def test_no_release_that_saw_a_later_batch_is_taken() -> None:
    """It would be scored on what it knows; without another one the model is unknown."""
    found = replayed(released(1, 6), released(2, 11))
    run = found.retrains[0]
    assert (run.trained.known, run.trained.outcome) == (False, "promoted")
    assert "assumed" in run.trained.reason
    assert all(step.scored for step in found.steps[:3])
    assert not any(step.scored for step in found.steps[3:])


def test_a_training_longer_than_the_time_between_batches_serves_only_from_its_end_on() -> None:
    """The batch that came meanwhile is scored by the old model, then held against the new one."""
    found = replayed(released(1, 6), released(3, 9, seconds=8 * 86_400))
    assert [step.model for step in found.steps] == ["version 1"] * 4 + ["version 3"] * 2
    assert found.retrains[0].trained.batches == tuple(NAMES[:9])


def test_what_a_released_model_was_fitted_on_does_not_score_it() -> None:
    """A batch that comes again with old keys is scored without them."""
    again = {**TABLES, "w06": pa.concat_tables([TABLES["w06"], TABLES["w00"].slice(0, 50)])}
    models = Recorded(CASE, [released(1, 6)], again, STORED)
    fitted = len(models._keys(models._loaded(0)))
    scored = models.score(models.first(), "w06")
    assert scored is not None
    assert fitted == models.first().rows
    assert 200 <= len(scored.losses) < 250
