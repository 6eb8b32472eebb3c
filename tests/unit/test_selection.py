"""What is decided before tuning is kept with the numbers that it rests on."""

from __future__ import annotations

from leeway.digests import canonical_json
from leeway.training.search import best_candidate, compare_candidates
from leeway.training.selection import select
from tests.unit.measured_penguins import FRAME, TARGET, penguins


def test_the_winner_is_kept_with_every_candidate_also_one_that_failed() -> None:
    use_case = penguins(candidates=("ridge", "decision_tree", "logistic_regression"))
    found = select(FRAME, TARGET, use_case)
    kept = found.as_dict()
    assert canonical_json(kept)
    scores = compare_candidates(FRAME, TARGET, use_case)
    assert kept["winner"] == best_candidate(scores, use_case.metric).name
    candidates = {each["name"]: each for each in kept["candidates"]}
    assert list(candidates) == ["ridge", "decision_tree", "logistic_regression"]
    failed, winner = candidates["ridge"], candidates[kept["winner"]]
    assert (failed["mean"], failed["behind"]) == (None, None)
    assert "no candidate 'ridge'" in failed["error"]
    assert winner["mean"] == sum(winner["folds"]) / len(winner["folds"])
    assert winner["behind"] == (0.0, 0.0)


def test_what_is_open_is_decided_before_candidates_are_compared() -> None:
    """Each column with gaps has a strategy, and the candidates were scored with it."""
    imputation = penguins().imputation.model_copy(update={"number": "auto"})
    use_case = penguins().model_copy(update={"imputation": imputation})
    frame = FRAME.copy()
    frame.loc[frame.index[::7], "bill_length_mm"] = None
    found = select(frame, TARGET, use_case)
    kept = found.as_dict()
    assert set(kept["choices"]["imputation"]) == {"bill_length_mm"}
    assert [each["column"] for each in kept["imputation"]] == ["bill_length_mm"]
    assert all(score.error is None for score in found.scores)
