"""Models that a replay trains are judged as releases are, on rows that they were not fitted on."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from leeway.backtest.clock import in_time
from leeway.backtest.cut import cut_by_time
from leeway.backtest.errors import CannotBacktest
from leeway.backtest.models import Recipe, Refitted
from leeway.backtest.plan import first_third, recipe_for
from leeway.backtest.plot import backtest_plot
from leeway.backtest.report import Replayed, Report
from leeway.backtest.walk import walk
from leeway.backtest.walked import Walked
from leeway.spec import UseCase
from tests.unit.backtests import Concept, batches, profiles, use_case

RECIPE = Recipe("logistic_regression")
BY_TIME = {"split": {"test": 0.2, "by": "time"}}


def refitted(case: UseCase, tables: dict[str, pa.Table], first: int) -> Refitted:
    return Refitted(case, tables, profiles(tables, case), list(tables)[:first], RECIPE)


def replayed(case: UseCase, concept: Concept, first: int = 7) -> tuple[Walked, Refitted]:
    tables = batches(concept)
    models = refitted(case, tables, first)
    return walk("planted", case, in_time(models.tables, models.stored, case), models), models


def flipped_from_14(number: int) -> tuple[float, float]:
    """What `a` means turns round, and `b` moves as it does."""
    return (1, 0) if number < 14 else (-1, 1)


def flipped_for_two(number: int) -> tuple[float, float]:
    """Two batches turn round without a sign of it; long after, `b` moves and nothing else."""
    return -1 if number in (10, 11) else 1, 1 if number >= 16 else 0


def test_a_model_of_a_lasting_change_is_promoted_and_makes_fewer_errors() -> None:
    found, _ = replayed(use_case(**BY_TIME), flipped_from_14)
    still, _ = replayed(use_case(**BY_TIME, retraining={"enabled": False}), flipped_from_14)
    assert "promoted" in [each.trained.outcome for each in found.retrains]
    assert still.retrains == []
    comparison = Report(
        "planted", "refitted", [], Replayed(use_case(), still), Replayed(use_case(), found)
    ).comparison
    assert comparison is not None
    assert comparison.high is not None
    assert comparison.high < 0


def test_a_model_of_a_concept_that_turned_back_loses_and_is_refused() -> None:
    found, _ = replayed(use_case(**BY_TIME), flipped_for_two, first=10)
    first = found.retrains[0]
    assert first.incident.batch == "w16"
    assert first.trained.outcome == "held"
    assert "the challenger is worse than the champion" in first.trained.reason
    assert found.steps[-1].model == "10 batches"


def test_no_model_is_scored_on_a_row_that_it_was_fitted_on_or_that_came_before_it() -> None:
    found, models = replayed(use_case(), flipped_from_14)
    assert len(models.fitted) > 1
    keys = {f"{len(seen)} batches": fitted.keys for seen, fitted in models.fitted.items()}
    for step in found.steps:
        rows = models.tables[step.batch.name]["id"]
        assert pc.any(pc.is_in(rows, value_set=keys[step.model])).as_py() is False
        assert pc.max(keys[step.model]).as_py() < pc.min(rows).as_py()
        assert step.scored is not None
        assert len(step.scored.losses) == len(rows)


def test_no_model_is_fitted_on_a_row_that_its_gate_judges_by() -> None:
    _, models = replayed(use_case(), flipped_from_14)
    held_out = pa.chunked_array(
        [chunk for fitted in models.fitted.values() for chunk in fitted.held_out["id"].chunks]
    )
    for fitted in models.fitted.values():
        assert pc.any(pc.is_in(fitted.keys, value_set=held_out)).as_py() is False


def test_the_same_input_gives_the_same_bytes() -> None:
    def made() -> tuple[str, bytes]:
        sides = [
            Replayed(case, replayed(case, flipped_from_14)[0], ("w14",))
            for case in (use_case(), use_case(drift={"effect": 0.3}))
        ]
        report = Report("planted", "refitted", [], *sides)
        return json.dumps(report.as_dict(), allow_nan=False), backtest_plot(report)

    assert made() == made()


def test_too_few_rows_fail_the_training_and_not_the_replay() -> None:
    case = use_case()
    models = refitted(case, batches(flipped_from_14, count=4), 2)
    champion = models.first()
    models.tables = {name: table.slice(0, 0) for name, table in models.tables.items()}
    failed = models.train(list(models.tables), champion, "drift", "w03", case)
    assert failed.outcome == "failed"
    assert "collect more rows" in failed.reason


def test_harm_that_is_proven_without_labels_is_trained_for_where_the_policy_says_so() -> None:
    """From w08 on only rows near the boundary come, of which a model is sure of none."""
    tables = batches(lambda number: (1, 0), count=10, rows=1000)
    for name in ("w08", "w09"):
        near = pc.less(pc.abs(tables[name]["a"]), 0.25)
        tables[name] = tables[name].filter(near)
    case = use_case(retraining={"on": ["damage"]}, search={"metric": "accuracy"})
    models = refitted(case, tables, 6)
    found = walk("planted", case, in_time(models.tables, models.stored, case), models)
    harms = [each for each in found.incidents if each.cause == "damage"]
    assert [(each.batch, each.columns[0]) for each in harms] == [("w08", "a"), ("w09", "a")]
    assert [each.incident.cause for each in found.retrains] == ["damage", "damage"]
    drift_alone = use_case(search={"metric": "accuracy"})
    found = walk("planted", drift_alone, in_time(models.tables, models.stored, case), models)
    assert {each.cause for each in found.incidents} == {"drift"}


# A use case without history


def test_the_first_third_chooses_the_algorithm_and_no_later_row_does() -> None:
    tables = batches(flipped_from_14, count=6, rows=100)
    quick = use_case(search={"folds": 3, "candidates": ["logistic_regression", "decision_tree"]})
    first = first_third(list(tables))
    assert first == ["w00", "w01"]
    recipe = recipe_for({name: tables[name] for name in first}, quick)
    assert (recipe.algorithm, recipe.parameters) == ("logistic_regression", {})


@pytest.mark.parametrize(
    ("count", "unit", "names"),
    [(60, "month", ("2024-01", "2025-02")), (20, "week", ("2024-01-01", "2024-05-13"))],
)
def test_rows_are_cut_by_the_first_unit_that_gives_enough_batches(
    count: int, unit: str, names: tuple[str, str]
) -> None:
    whole = pa.concat_tables(batches(flipped_from_14, count=count, rows=60).values())
    cut, found = cut_by_time(whole, use_case())
    assert (found, next(iter(cut)), list(cut)[-1]) == (unit, *names)
    assert sum(table.num_rows for table in cut.values()) == whole.num_rows
    assert all(pc.unique(table["batch_id"]).to_pylist() == [name] for name, table in cut.items())


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (
            {"columns": [c.model_dump() for c in use_case().columns if c.role != "time"]},
            "role: time",
        ),
        ({}, "cannot be cut into 10 to 60 batches"),
    ],
)
def test_rows_that_cannot_be_cut_are_refused_with_what_is_needed(
    changed: dict[str, Any], words: str
) -> None:
    few = next(iter(batches(flipped_from_14, count=1, rows=60).values()))
    with pytest.raises(CannotBacktest, match=words):
        cut_by_time(few, use_case(**changed))
