"""Trials: how often they are wrong, and that they find what there is to find."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom

from leeway.spec.trial import Trial
from leeway.trial.evidence import BRIER, Labelled, of_canary, of_shadow, unit_of
from leeway.trial.losses import absolute_losses, assigned, brier_losses, paired
from leeway.trial.sequence import LEAST_ROWS, sequential_mean
from leeway.trial.share import is_challenged
from leeway.trial.verdict import ERROR, Evidence, judge

Floats = NDArray[np.float64]
BEGAN = datetime(2026, 11, 23, tzinfo=UTC)
ROWS = 400
NONE = np.empty(0)


def evidence(
    differences: Floats = NONE, answered: int = 100, failed: int = 0, fewest: int | None = None
) -> Evidence:
    return Evidence(BEGAN, answered, failed, differences, "USD", fewest)


def outcome(
    differences: Floats, every: int = 5, challenged: NDArray[np.bool_] | None = None
) -> str:
    """What a trial comes to that is looked at after so many labels each time."""
    for rows in range(every, len(differences) + 1, every):
        fewest = None if challenged is None else int(challenged[:rows].sum())
        policy = Trial(labelled_rows=len(differences))
        found = judge(evidence(differences[:rows], fewest=fewest), policy, BEGAN)
        if found.action != "wait":
            return "promote" if found.action == "promote" else found.reason.partition(":")[0]
    return "wait"


def losses(rng: np.random.Generator, rows: int, worse: float = 1.0) -> Floats:
    """Absolute errors with a heavy tail."""
    return worse * rng.lognormal(0, 0.8, rows)


@pytest.mark.parametrize(("mode", "rows"), [("shadow", 400), ("canary", 1000)])
def test_of_1000_trials_of_the_same_model_few_promote_it_however_often_one_looks(
    mode: str, rows: int
) -> None:
    rng, trials = np.random.default_rng(7), 1000
    came_to: dict[str, int] = {"promote": 0, "it loses more": 0}
    for number in range(trials):
        if mode == "shadow":
            shared = losses(rng, rows)  # a row that is hard is hard for both
            pair = [shared + 0.3 * losses(rng, rows) for _ in range(2)]
            found = outcome(paired(*pair))
        else:
            chosen = np.array([is_challenged(f"t{number}", f"k{row}", 0.1) for row in range(rows)])
            found = outcome(assigned(losses(rng, rows), chosen, 0.1), 25, chosen)
        came_to[found] = came_to.get(found, 0) + 1
    assert came_to["promote"] + came_to["it loses more"] <= binom.ppf(0.99, trials, ERROR)
    assert came_to["no benefit is shown"] > 900


def test_one_look_at_a_time_with_a_usual_interval_would_be_wrong_far_more_often() -> None:
    """So that the test above can fail."""
    rng, wrong = np.random.default_rng(7), 0
    for _ in range(300):
        found = paired(losses(rng, ROWS), losses(rng, ROWS))
        rows = np.arange(1, ROWS + 1)
        mean = np.cumsum(found) / rows
        spread = np.sqrt(np.maximum(np.cumsum(found**2) / rows - mean**2, 0))
        wrong += bool((mean > 1.96 * spread / np.sqrt(rows))[LEAST_ROWS::5].any())
    assert wrong > 300 * ERROR


def test_a_better_challenger_is_promoted_and_a_worse_one_goes() -> None:
    rng = np.random.default_rng(3)
    better = [outcome(paired(losses(rng, ROWS, 1.5), losses(rng, ROWS)), 10)
              for _ in range(50)]  # fmt: skip
    worse = [outcome(paired(losses(rng, ROWS), losses(rng, ROWS, 1.5)), 10)
             for _ in range(50)]  # fmt: skip
    assert better.count("promote") >= 45
    assert worse.count("it loses more") >= 45


def test_a_canary_has_the_same_mean_as_pairs_have() -> None:
    rng, share = np.random.default_rng(1), 0.2
    means = []
    for _ in range(300):
        chosen = rng.random(ROWS) < share
        seen = np.where(chosen, losses(rng, ROWS), losses(rng, ROWS, 1.5))
        means.append(assigned(seen, chosen, share).mean())
    true = 0.5 * np.exp(0.32)  # half the mean of a lognormal
    assert np.mean(means) == pytest.approx(true, abs=3 * np.std(means) / np.sqrt(300))


def test_a_key_is_always_answered_by_the_same_model_and_shares_are_kept() -> None:
    keys = [f"k{n}" for n in range(20_000)]
    first = [is_challenged("v2", key, 0.1) for key in keys]
    assert first == [is_challenged("v2", key, 0.1) for key in keys]
    assert sum(first) == pytest.approx(2000, abs=4 * np.sqrt(1800))
    more = [is_challenged("v2", key, 0.3) for key in keys]
    assert all(large for small, large in zip(first, more, strict=True) if small)
    other = [is_challenged("v3", key, 0.1) for key in keys]
    both = sum(a and b for a, b in zip(first, other, strict=True))
    assert both == pytest.approx(200, abs=60)
    assert not any(is_challenged("v2", key, 0.0) for key in keys[:100])


def test_one_that_fails_too_often_goes_at_once_and_not_before_it_was_asked_enough() -> None:
    early = judge(evidence(answered=5, failed=5), Trial(), BEGAN)
    assert early.action == "wait"
    found = judge(evidence(answered=85, failed=15), Trial(), BEGAN)
    assert (found.action, "15 of 100" in found.reason) == ("back", True)
    assert judge(evidence(answered=96, failed=4), Trial(), BEGAN).action == "wait"


def test_without_labels_time_decides_once_there_were_requests() -> None:
    later = BEGAN + timedelta(hours=1)
    assert judge(evidence(), Trial(), later - timedelta(seconds=1)).action == "wait"
    assert judge(evidence(), Trial(), later).action == "promote"
    assert judge(evidence(answered=3), Trial(), later).action == "wait"


def test_an_interval_needs_rows_and_a_spread() -> None:
    assert sequential_mean(NONE, ERROR, 10).mean is None
    assert sequential_mean(np.arange(LEAST_ROWS - 1, dtype=float), ERROR, 10).low is None
    assert sequential_mean(np.ones(100), ERROR, 10).low is None
    assert sequential_mean(np.arange(100, dtype=float), ERROR, 100).side == 1
    with pytest.raises(ValueError, match="not finite"):
        sequential_mean(np.array([np.nan]), ERROR, 10)


def test_losses_of_a_row() -> None:
    shares = np.array([[0.9, 0.1], [0.5, 0.5], [0.2, 0.8]])
    found = brier_losses(shares, ["a", "b"], ["a", "b", "c"])
    assert found == pytest.approx([0.02, 0.5, 0.68 + 1])
    assert absolute_losses(np.array([1.0, 4.0]), np.array([2.0, 2.0])).tolist() == [1, 2]
    assert assigned(NONE, np.empty(0, bool), 0.1).size == 0


def classes(**shares: float) -> dict[str, object]:
    return {"prediction": max(shares, key=lambda name: shares[name]), "probabilities": shares}


def test_answers_as_they_are_logged_become_differences() -> None:
    sure, torn = classes(a=1.0, b=0.0), classes(a=0.5, b=0.5)
    rows = [Labelled(torn, sure, "a"), Labelled(torn, sure, "b"), Labelled(sure, torn, "c")]
    assert of_shadow(rows) == pytest.approx([0.5, -1.5, 0.5])
    numbers = [Labelled({"prediction": 4.0}, {"prediction": 2.5}, "2")]
    assert of_shadow(numbers).tolist() == [1.5]
    assert of_shadow([]).size == 0
    assert unit_of("USD", classes=False) == "USD of absolute error"
    assert unit_of(None, classes=True) == BRIER


def test_of_a_canary_a_row_that_the_champion_answered_in_place_is_the_challengers() -> None:
    own = {"prediction": 1.0}
    rows = [Labelled(own, None, "0"), Labelled(None, own, "0"), Labelled(own, None, "3")]
    found = of_canary(rows, [False, True, True], 0.5)
    assert found == pytest.approx([0, 0, -2 * (2 - 1)])


def test_releases_whose_classes_have_another_order_are_compared_by_name() -> None:
    one, other = classes(a=0.9, b=0.1), classes(b=0.1, a=0.9)
    assert of_shadow([Labelled(one, other, "a")]) == pytest.approx([0])
    mixed = [Labelled(one, None, "a"), Labelled(None, other, "b")]
    assert of_canary(mixed, [False, True], 0.5)[1] == pytest.approx(-2 * (1.62 - 0.02))
