"""Everything that is decided before an algorithm is tuned, in its order.

Belongs here: the choices and the comparison together, and what is kept of both. Does not belong
here: how a choice is made (`leeway.training.decisions`) or candidates are compared
(`leeway.training.search`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from leeway.training.decisions import Decisions, decide, settle
from leeway.training.search import (
    CandidateScore,
    behind_best,
    best_candidate,
    compare_candidates,
)

if TYPE_CHECKING:
    import pandas as pd

    from leeway.spec import UseCase


@dataclass(frozen=True)
class Selection:
    """What the use case left open, and how each candidate did with it."""

    metric: str
    decided: Decisions
    scores: tuple[CandidateScore, ...]

    def as_dict(self) -> dict[str, Any]:
        """For JSON: the winner, the choices, and the numbers that both rest on."""
        behind = behind_best(self.scores, self.metric)
        return {
            "metric": self.metric,
            "winner": best_candidate(self.scores, self.metric).name,
            **self.decided.as_dict(),
            "candidates": [
                {
                    "name": score.name,
                    "mean": score.mean,
                    "std": score.std,
                    "train_mean": score.train_mean,
                    "folds": list(score.folds),
                    "rows": score.rows,
                    "behind": behind.get(score.name),
                    "error": score.error,
                }
                for score in self.scores
            ],
        }


def select(frame: pd.DataFrame, target: NDArray[Any], use_case: UseCase) -> Selection:
    """Decides what is open, then compares the candidates with it, on the training part.

    Args:
        frame: features, shape (rows, columns).
        target: shape (rows,).
        use_case: its imputation, features and search.

    Raises:
        TooFewRows: when the folds cannot be made.
        NoCandidate: when all candidates fail.
    """
    decided = decide(frame, target, use_case)
    scores = compare_candidates(frame, target, settle(use_case, decided.choices))
    return Selection(use_case.metric, decided, tuple(scores))
