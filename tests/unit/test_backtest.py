"""A replay walks over batches as production would have, and the same input gives the same bytes."""

from __future__ import annotations

import json
from datetime import timedelta

from leeway.backtest.clock import in_time
from leeway.backtest.report import Replayed, Report
from leeway.backtest.walk import walk
from leeway.backtest.walked import Walked
from leeway.spec import UseCase
from tests.unit.backtests import FIRST_DAY, Concept, batches, once_released, profiles, use_case

CHANGED = 14


def moved(by: float) -> Concept:
    return lambda number: (1, by if number >= CHANGED else 0)


def replayed(concept: Concept, case: UseCase, rows: int = 300) -> Walked:
    tables = batches(concept, rows=rows)
    stored = profiles(tables, case)
    models = once_released(tables, stored, case, 7)
    return walk("planted", case, in_time(tables, stored, case), models)


def test_batches_without_a_change_raise_no_alarm_and_train_nothing() -> None:
    found = replayed(moved(0), use_case())
    assert [step.looked.verdict for step in found.steps] == ["none"] * 13
    assert (found.incidents, found.retrains) == ([], [])


def test_a_planted_shift_is_detected_with_its_delay_and_trained_for() -> None:
    """The batches after it look as it did, which is no news, until `b` moves again."""
    case = use_case()
    found = replayed(lambda number: (1, (number >= 14) + (number >= 18)), case)
    assert [each.batch for each in found.incidents] == ["w14", "w18"]
    assert [run.trained.batches[-1] for run in found.retrains] == ["w14", "w18"]
    assert [step.looked.answered for step in found.steps[7:]] == [
        (), ("b",), ("b",), ("b",), (), ("b",),
    ]  # fmt: skip
    delay = Replayed(case, found, (f"w{CHANGED}",)).delays[0]
    assert (delay.alarmed, delay.cause, delay.batches, delay.days) == ("w14", "drift", 0, 0)


def test_a_small_shift_is_detected_later_than_a_large_one() -> None:
    """The delay counts batches and days from the known change, not from the first suspicion."""
    case = use_case()
    delay = Replayed(case, replayed(moved(0.33), case), (f"w{CHANGED}",)).delays[0]
    assert delay.batches is not None
    assert delay.batches > 0
    assert delay.days == 7 * delay.batches


def test_a_batch_is_held_against_the_one_before_where_the_policy_says_so() -> None:
    """It steps at w14 and stays there; what was trained before it stays surprised."""
    waiting = {"enabled": False}
    alarms = {}
    for mode in ("training_part", "previous_batch"):
        found = replayed(moved(1), use_case(drift={"reference": mode}, retraining=waiting))
        alarms[mode] = [each.batch for each in found.incidents]
    assert alarms["training_part"] == [f"w{n}" for n in range(14, 20)]
    assert alarms["previous_batch"] == ["w14"]


def test_a_batch_is_held_against_earlier_years_where_the_policy_says_so() -> None:
    """`b` is high in each summer: against last year's month that is no drift."""

    def seasonal(number: int) -> tuple[float, float]:
        return 1, 2 * ((FIRST_DAY + timedelta(days=7 * number)).month in (6, 7, 8))

    verdicts = {}
    for mode in ("training_part", "season"):
        case = use_case(drift={"reference": mode}, retraining={"enabled": False})
        tables = batches(seasonal, count=100, rows=150)
        stored = profiles(tables, case)
        models = once_released(tables, stored, case, 4)
        found = walk("planted", case, in_time(tables, stored, case), models)
        verdicts[mode] = [step.looked.verdict for step in found.steps]
    assert set(verdicts["season"][:40]) == {"undefined"}
    assert "confirmed" not in verdicts["season"]
    assert verdicts["training_part"].count("confirmed") >= 2 * 12


def test_a_tighter_budget_of_false_alarms_alarms_less() -> None:
    loose, tight = use_case(), use_case(drift={"false_alarms_per_year": 0.001, "effect": 0.2})
    alarms = [len(replayed(moved(0.4), case).incidents) for case in (loose, tight)]
    assert alarms[0] > alarms[1] == 0


def test_a_wait_that_ends_between_two_batches_trains_then() -> None:
    """The clock does not jump from batch to batch: a cool-down of ten days ends within a week."""
    case = use_case(retraining={"cooldown": "10d"})
    found = replayed(lambda number: (1, 0 if number < 14 else number - 13.0), case)
    first, second = found.retrains[:2]
    assert first.training.finished_at is not None
    assert second.training.started_at == first.training.finished_at + timedelta(days=10)


def test_what_is_switched_off_alarms_and_trains_nothing() -> None:
    found = replayed(moved(1), use_case(retraining={"enabled": False}))
    assert found.incidents
    assert found.retrains == []
    assert "retraining.enabled is false" in found.decisions[-1].decision.reason


def test_the_same_input_gives_the_same_bytes() -> None:
    case = use_case()

    def report() -> str:
        sides = [Replayed(each, replayed(moved(1), each)) for each in (case, use_case())]
        return json.dumps(Report("planted", "recorded", [], *sides).as_dict(), allow_nan=False)

    assert report() == report()
