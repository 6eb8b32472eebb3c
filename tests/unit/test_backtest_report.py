"""What a report says of a replay: which rows are compared, when an alarm came, and after what.

Belongs here: the report. Does not belong here: how an alarm comes about (test_backtest.py).
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from leeway.backtest.clock import in_time
from leeway.backtest.models import Recipe, Refitted
from leeway.backtest.plan import notes_on
from leeway.backtest.recorded import Recorded
from leeway.backtest.report import Replayed, Report
from leeway.backtest.walk import walk
from leeway.spec import UseCase
from tests.unit.backtests import batches, profiles, released, use_case

CASE, STILL = use_case(), use_case(retraining={"enabled": False})


def moved_from_8(number: int) -> tuple[float, float]:
    return (1, 0) if number < 8 else (-1, 1)


def by_key(side: Replayed, batch: str) -> dict[int, float]:
    """The loss of each row of a batch."""
    (scored,) = (step.scored for step in side.walked.steps if step.batch.name == batch)
    assert scored is not None
    return dict(zip(scored.keys.to_pylist(), scored.losses.tolist(), strict=True))


def test_rows_that_both_policies_scored_are_compared_also_where_one_scored_more() -> None:
    """w09 has rows of w07 once more, which the model of all batches up to w08 was fitted on."""
    tables = batches(moved_from_8, count=11, rows=200)
    tables["w09"] = pa.concat_tables([tables["w09"], tables["w07"].slice(0, 50)])
    models = Refitted(
        CASE, tables, profiles(tables, CASE), list(tables)[:6], Recipe("decision_tree")
    )
    order = in_time(tables, models.stored, CASE)
    still, trained = (
        Replayed(case, walk("planted", case, order, models)) for case in (STILL, CASE)
    )
    assert [each.after for each in trained.walked.retrains][:1] == ["w08"]
    wider, fewer = (by_key(side, "w09") for side in (still, trained))
    assert len(wider) == 250 > len(fewer) >= 200
    assert fewer.keys() < wider.keys()

    comparison = Report("planted", "refitted", [], still, trained).comparison
    assert comparison is not None
    pairs = [
        (loss, by_key(still, step.batch.name)[key])
        for step in trained.walked.steps
        for key, loss in by_key(trained, step.batch.name).items()
    ]
    assert comparison.rows == len(pairs)
    assert comparison.difference == pytest.approx(np.mean([new - old for new, old in pairs]))


def test_an_alarm_of_a_later_look_counts_from_when_it_came() -> None:
    """w06 is as w00 to w05 were; the model that w08 led to knows w08 alone, and finds it other."""
    tables = batches(moved_from_8, count=11, rows=200)
    stored, names = profiles(tables, CASE), list(tables)
    releases = [
        released(1, {name: tables[name] for name in names[:6]}, CASE),
        released(2, {"w08": tables["w08"]}, CASE, seconds=86_400),
    ]
    models = Recorded(CASE, releases, tables, stored)
    found = walk("planted", CASE, in_time(tables, stored, CASE), models)
    assert [each.trained.model for each in found.retrains][:1] == ["version 2"]
    six, eight = Replayed(CASE, found, ("w06", "w08")).delays
    assert (eight.alarmed, eight.batches, eight.days) == ("w08", 0, 0)
    assert (six.alarmed, six.cause, six.batches, six.days) == ("w06", "drift", 2, 15)


def test_the_age_of_a_champion_detects_no_change() -> None:
    case = use_case(
        freshness={"warn_after": "1d", "fail_after": "2d"}, retraining={"on": ["freshness"]}
    )
    tables = batches(lambda number: (1, 0), count=10, rows=100)
    models = Refitted(
        case, tables, profiles(tables, case), list(tables)[:6], Recipe("decision_tree")
    )
    found = walk("planted", case, in_time(tables, models.stored, case), models)
    side = Replayed(case, found, ("w08",))
    assert "w08" in {each.batch for each in side.alarms}
    assert side.alarms_by_cause == {"freshness": 4}
    assert side.delays[0].alarmed is None


def test_a_training_is_told_after_the_batch_that_had_come_when_it_began() -> None:
    """w09 comes at the same moment as w08, after it: w08 led to the training before it came."""
    tables = batches(moved_from_8, count=11, rows=200)
    at = tables["w09"].column_names.index("day")
    tables["w09"] = tables["w09"].set_column(at, "day", tables["w08"]["day"])
    models = Refitted(
        CASE, tables, profiles(tables, CASE), list(tables)[:6], Recipe("decision_tree")
    )
    found = Replayed(CASE, walk("planted", CASE, in_time(tables, models.stored, CASE), models))
    same = [step.batch.at for step in found.walked.steps if step.batch.name in ("w08", "w09")]
    assert same[0] == same[1]
    first = found.as_dict()["retrains"][0]
    assert (first["after"], first["incident"]) == ("w08", "w08")
    assert found.walked.retrains[0].trained.batches[-1] == "w08"


@pytest.mark.parametrize(
    ("policies", "where"),
    [
        ([STILL], "in today's policy:"),
        ([CASE, STILL], "in the other policy:"),
        ([STILL, STILL], "in today's policy and in the other policy:"),
    ],
)
def test_it_is_said_where_nothing_is_trained_because_it_is_switched_off(
    policies: list[UseCase], where: str
) -> None:
    (note,) = notes_on(policies, refitted=False)
    assert note.startswith(f"retraining.enabled is false {where}")
    assert notes_on([CASE, CASE], refitted=False) == []
