"""A replay takes released models again, and says where nobody has the model."""

from __future__ import annotations

import pyarrow as pa
import pytest

from cli.backtest_models import Chosen, chosen_of
from leeway.backtest.clock import in_time
from leeway.backtest.errors import CannotBacktest
from leeway.backtest.recorded import Recorded, RecordedRelease
from leeway.backtest.walk import walk
from leeway.backtest.walked import Walked
from leeway.spec import UseCase
from resources.backtest import Material
from tests.unit import backtests
from tests.unit.backtests import batches, profiles, use_case

TABLES = batches(lambda number: (1, 0) if number < 8 else (-1, 1), count=12, rows=200)
NAMES = list(TABLES)
CASE = use_case(retraining={"cooldown": "60d"})
STORED = profiles(TABLES, CASE)


def released(version: int, count: int, seconds: float | None = 60.0) -> RecordedRelease:
    """What the ledger would hold of a training on the first batches."""
    first = {name: TABLES[name] for name in NAMES[:count]}
    return backtests.released(version, first, CASE, seconds)


def replayed(*releases: RecordedRelease, case: UseCase = CASE) -> Walked:
    models = Recorded(case, releases, TABLES, STORED)
    return walk("planted", case, in_time(TABLES, STORED, case), models)


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


# Batches that a release saw and that are left out now


def chosen(gone: set[str], *releases: RecordedRelease, refit: bool = False) -> Chosen:
    case = use_case(search={"folds": 3, "candidates": ["decision_tree"]})
    tables = {name: rows for name, rows in TABLES.items() if name not in gone}
    return chosen_of(case, Material(tables, STORED, releases), refit=refit)


def test_a_release_is_taken_with_those_of_its_batches_that_are_still_there() -> None:
    found = chosen({"w02"}, released(1, 6), released(2, 9))
    assert found.told == "recorded"
    assert "a recorded model was trained on batches that are gone: w02" in found.notes
    walked = walk("planted", CASE, found.batches, found.models)
    assert walked.first.batches == ("w00", "w01", "w03", "w04", "w05")
    assert [step.batch.name for step in walked.steps] == NAMES[6:]
    assert [run.trained.model for run in walked.retrains] == ["version 2"]

    refitted = chosen({"w02"}, released(1, 6), refit=True)
    assert refitted.told == "refitted"
    assert refitted.models.first().batches == walked.first.batches


@pytest.mark.parametrize(
    ("gone", "releases", "why"),
    [
        (set(), [], "there is no recorded model,"),
        (set(), [12], "no batch came after a recorded model,"),
        (
            {"w00", "w01"},
            [2],
            "no batch of the first recorded model can be replayed (w00, w01),",
        ),
    ],
)
def test_models_are_trained_where_none_is_recorded_that_can_begin_and_it_is_said_why(
    gone: set[str], releases: list[int], why: str
) -> None:
    found = chosen(gone, *(released(1, count) for count in releases))
    assert found.told == "refitted"
    assert f"{why} so that models are trained here, as with --refit" in found.notes


def test_where_too_little_is_left_it_is_said_what_was_left_out() -> None:
    material = Material({}, {}, left_out=("w00", "w01"))
    with pytest.raises(CannotBacktest) as error:
        chosen_of(CASE, material, refit=False)
    assert str(error.value).endswith("because too many of their rows were rejected: w00, w01")
