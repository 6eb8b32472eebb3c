"""A change that lasts is news once: the model that was trained on its first batch knows it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from leeway.controller.facts import Incident
from leeway.drift.answered import Answered, newest_of, without_answered
from leeway.drift.declared import profile_table
from leeway.drift.profile import Profile, merge_profiles
from leeway.drift.verdict import BatchDrift, compare_profiles
from leeway.spec import Column
from leeway.spec.policies import Drift

X = Column(name="x", type="number", description=".")
Y = Column(name="y", type="number", description=".")


def batch(seed: int, moved: Mapping[str, float], rows: int = 2000) -> Profile:
    rng = np.random.default_rng(seed)
    table = pa.table({name: rng.normal(moved.get(name, 0), 1, rows) for name in ("x", "y")})
    return profile_table(table, [X, Y])


OLD = [batch(seed, {}) for seed in range(10)]
CHANGED = batch(100, {"x": 0.8})
REFERENCE = merge_profiles([*OLD, CHANGED])
ANSWERED = Answered("2026-07", ("x",), CHANGED)


def judged(current: Profile, answered: Answered = ANSWERED) -> BatchDrift:
    found = compare_profiles(REFERENCE, current, Drift(), [X, Y])
    assert found.verdict == "confirmed", "the mixture has mostly old rows"
    return without_answered(found, [answered], current, Drift(), [X, Y])


def test_a_lasting_change_is_no_news_after_its_training() -> None:
    found = judged(batch(200, {"x": 0.8}))
    assert (found.verdict, found.drifted, found.answered) == ("none", (), ("x",))
    assert "Against batch 2026-07, for whose drift the model was trained" in found.reason


@pytest.mark.parametrize("moved", [-0.8, 1.6])
def test_another_change_of_the_column_is_news(moved: float) -> None:
    found = judged(batch(200, {"x": moved}))
    assert (found.verdict, found.drifted, found.answered) == ("confirmed", ("x",), ())


def test_a_change_of_another_column_is_news() -> None:
    found = judged(batch(200, {"x": 0.8, "y": 0.8}))
    assert (found.verdict, found.drifted, found.answered) == ("confirmed", ("y",), ("x",))
    both = judged(batch(200, {"x": 0.8, "y": 0.8}), Answered("b", ("y",), CHANGED))
    assert both.drifted == ("x", "y"), "that batch was trained for another column, which it has not"


def test_a_smaller_further_change_stays_suspect() -> None:
    found = judged(batch(200, {"x": 1.05}))
    assert (found.verdict, found.answered) == ("suspect", ("x",))


def test_too_few_rows_of_that_batch_tell_nothing() -> None:
    few = Answered("b", ("x",), batch(100, {"x": 0.8}, rows=20))
    assert judged(batch(200, {"x": 0.8}), few).drifted == ("x",)


def test_false_news_after_a_training_are_as_rare_as_the_budget_says() -> None:
    """Two of a year of daily batches: of 200 batches of the change, hardly one."""
    news = [judged(batch(1000 + seed, {"x": 0.8})).verdict == "confirmed" for seed in range(200)]
    assert sum(news) <= 5


def incident(batch: str, *columns: str) -> Incident:
    return Incident(f"of {batch}", batch, columns, datetime(2026, 11, 22, tzinfo=UTC))


def test_each_column_is_held_against_the_newest_batch_of_which_it_drifted() -> None:
    known = [incident("c", "y"), incident("b", "x", "y"), incident("a", "x", "z")]
    assert newest_of(["x", "y", "z", "never"], known) == {"c": ("y",), "b": ("x",), "a": ("z",)}
    assert newest_of([], known) == {}


def test_two_changes_one_after_the_other_are_both_known() -> None:
    first = Answered("a", ("x",), CHANGED)
    both = batch(300, {"x": 0.8, "y": 0.8})
    second = Answered("b", ("y",), both)
    reference = merge_profiles([*OLD, CHANGED, both])
    current = batch(301, {"x": 0.8, "y": 0.8})
    found = compare_profiles(reference, current, Drift(), [X, Y])
    assert found.drifted == ("x", "y")
    quiet = without_answered(found, [first, second], current, Drift(), [X, Y])
    assert (quiet.verdict, quiet.answered) == ("none", ("x", "y"))
