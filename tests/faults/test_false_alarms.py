"""Streams in which nothing changes raise alarms as seldom as the budget of false alarms says.

The whole count is ten thousand streams (`make proof`); `make test` draws a hundred.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from scipy import stats

from benchmarks.alarms import leeway
from benchmarks.streams import KINDS, Plan, Stream, draw
from leeway.drift.budget import alarm_probability
from leeway.drift.history import settled
from leeway.drift.policy import UsualPolicy
from leeway.drift.verdict import BatchDrift, compare_profiles
from tests.faults.harness import LONG, figure

pytestmark = [pytest.mark.faults, pytest.mark.timeout(7200)]

STREAMS = 10_000 if LONG else 100
ROWS = (100, 500, 2_000, 10_000, 100_000, 1_000_000)
COLUMNS = (5, 20, 100, 500)
SHARES = (0.5, 0.4, 0.07, 0.03) if LONG else (0.7, 0.3, 0, 0)


def test_streams_without_drift_alarm_within_the_budget() -> None:
    """The 99 % binomial limit of what the budget allows, over all and of each kind."""
    allowed = alarm_probability(UsualPolicy())
    rng = np.random.default_rng(20261122)
    alarms: Counter[str] = Counter()
    drawn: Counter[str] = Counter()
    for _ in range(STREAMS):
        kind = KINDS[int(rng.integers(len(KINDS)))]
        plan = Plan(int(rng.choice(ROWS)), int(rng.choice(COLUMNS, p=SHARES)), kind)
        drawn[kind] += 1
        alarms[kind] += leeway(draw(plan, rng)).verdict == "confirmed"
    whole = sum(alarms.values())
    figure(
        f"drift: {whole} false alarms in {STREAMS} streams ({dict(alarms)}); the budget of two a "
        f"year of daily batches allows {allowed * STREAMS:.0f}"
    )
    assert whole <= stats.binom.ppf(0.99, STREAMS, allowed)
    for kind in KINDS:
        assert alarms[kind] <= stats.binom.ppf(0.999, drawn[kind], allowed), kind


def test_the_control_any_p_value_below_5_percent_alarms_all_the_time() -> None:
    rng = np.random.default_rng(1)
    alarms = 0
    for _ in range(20):
        found = leeway(draw(Plan(10_000, 20, "jitter"), rng))
        alarms += any(column.statistics.get("ks_p_value", 1) < 0.05 for column in found.columns)
    assert alarms >= 19


@pytest.mark.parametrize(("rows", "shift"), [(500, 1.0), (10_000, 0.3), (1_000_000, 0.2)])
def test_a_planted_shift_of_one_column_is_confirmed(rows: int, shift: float) -> None:
    rng = np.random.default_rng(rows)
    found = [leeway(draw(Plan(rows, 20, "jitter", moved=1, shift=shift), rng)) for _ in range(10)]
    assert [each.drifted for each in found] == [("number0",)] * 10


def batches_until_confirmed(stream: Stream) -> int | None:
    """As the node looks at batch after batch: what it saw becomes usual, once it has settled."""
    seen: list[BatchDrift] = []
    moved = [stream.before, stream.current, *stream.later]
    for number, current in enumerate(moved):
        quiet = [each.past_batch for each in settled(seen) if each.verdict != "confirmed"]
        before = moved[number - 1] if number else None
        seen.append(
            compare_profiles(
                stream.reference, current, UsualPolicy(), stream.columns,
                before=before, history=[*stream.history, *quiet],
            )
        )  # fmt: skip
        if seen[-1].verdict == "confirmed":
            return number + 1
    return None


@pytest.mark.parametrize(("rows", "shift"), [(500, 0.3), (2_000, 0.2)])
def test_a_small_shift_that_lasts_does_not_become_usual_while_it_is_looked_at(
    rows: int, shift: float
) -> None:
    """Guards: a shift that its first batch did not prove was hardly ever confirmed later."""
    rng = np.random.default_rng(rows)
    plan = Plan(rows, 5, "jitter", moved=1, shift=shift, later=8)
    found = [batches_until_confirmed(draw(plan, rng)) for _ in range(30)]
    known = [each for each in found if each is not None]
    figure(
        f"drift: a shift of {shift} sd in one of 5 columns, {rows} rows a batch: confirmed within "
        f"10 batches in {len(known)} of {len(found)} streams, at batch {np.median(known):.0f}"
    )
    assert len(known) >= 0.8 * len(found)


def test_looking_24_times_as_often_does_not_raise_the_number_of_alarms() -> None:
    """A year of hourly verdicts spends what a year of daily ones does."""
    day = 86_400.0
    for batches in (365, 365 * 24):
        spent = batches * alarm_probability(UsualPolicy(), 365.25 * day / batches)
        assert spent == pytest.approx(UsualPolicy().false_alarms_per_year)
