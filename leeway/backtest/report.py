"""What two policies would have led to, side by side.

Belongs here: the numbers of a replay, as JSON and as the rows of a table. Does not belong here: the
replay (`leeway.backtest.walk`), printing, or a picture (`leeway.backtest.plot`).

Nothing in it depends on when or where a replay ran: the same input gives the same bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leeway.backtest.delays import Delay, delays_of
from leeway.backtest.facts import Scored
from leeway.backtest.scoring import losses_on
from leeway.backtest.walked import Retrain, Step, Walked
from leeway.controller.facts import Incident
from leeway.release import Comparison, compare_losses
from leeway.spec import UseCase

REFUSED = ("held", "rejected", "unchanged")


@dataclass(frozen=True)
class Replayed:
    """One policy, replayed."""

    use_case: UseCase
    walked: Walked
    changes: tuple[str, ...] = ()

    @property
    def alarms(self) -> list[Incident]:
        """What somebody would have been told, each once."""
        return self.walked.incidents

    @property
    def alarms_by_cause(self) -> dict[str, int]:
        """How many of each cause, as far as there are any."""
        return dict(sorted(Counter(each.cause for each in self.alarms).items()))

    def count(self, *outcomes: str) -> int:
        """Trainings that came to one of these."""
        return sum(each.trained.outcome in outcomes for each in self.walked.retrains)

    @property
    def refused(self) -> int:
        """Trainings whose model did not take the champion's place, by the gate's verdict."""
        return self.count(*REFUSED)

    @property
    def rows_fitted(self) -> int:
        """Rows that all trainings were fitted on, added up."""
        return sum(each.trained.rows for each in self.walked.retrains)

    @property
    def delays(self) -> list[Delay]:
        """How long after each known change the first alarm on it came."""
        return delays_of(self.walked, self.changes)

    @property
    def losses(self) -> NDArray[np.float64] | None:
        """Loss of each labelled row by the model that served it; None where none is known."""
        known = [step.scored.losses for step in self.walked.steps if step.scored]
        return np.concatenate(known) if known else None

    @property
    def seconds(self) -> float | None:
        """Recorded seconds of training; None where they are not recorded."""
        seconds = [each.trained.seconds for each in self.walked.retrains]
        if any(each is None for each in seconds):
            return None
        return round(sum(each for each in seconds if each is not None), 1)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        losses, drift = self.losses, self.use_case.drift
        return {
            "policy": {
                "drift": drift.model_dump(mode="json"),
                "retraining": self.use_case.retraining.model_dump(mode="json"),
            },
            "alarms": len(self.alarms),
            "alarms_by_cause": self.alarms_by_cause,
            "trainings": len(self.walked.retrains),
            "promotions": self.count("promoted"),
            "refused": self.refused,
            "failed": self.count("failed"),
            "detection": [delay.as_dict() for delay in self.delays],
            "mean_loss": None if losses is None else round(float(losses.mean()), 6),
            "rows_scored": sum(len(s.scored.losses) for s in self.walked.steps if s.scored),
            "cost": {
                "trainings": len(self.walked.retrains),
                "rows_fitted": self.rows_fitted,
                "seconds": self.seconds,
            },
            "incidents": [_incident(each) for each in self.alarms],
            "retrains": [_retrain(each) for each in self.walked.retrains],
            "over_time": [_step(step, self.use_case.metric) for step in self.walked.steps],
            "decisions": [
                {
                    "at": each.at.isoformat(),
                    "state": each.decision.state,
                    "action": each.decision.action,
                    "reason": each.decision.reason,
                }
                for each in self.walked.decisions
            ],
        }


@dataclass(frozen=True)
class Report:
    """Today's policy and, where one was given, the other; `notes` say what a reader must know."""

    name: str
    models: str
    notes: Sequence[str]
    today: Replayed
    other: Replayed | None = None

    @property
    def comparison(self) -> Comparison | None:
        """Mean loss over the rows scored under both, the other policy minus today's.

        Negative: the other is better.
        """
        if self.other is None:
            return None
        pairs = [
            (losses_on(new.scored, old.scored), losses_on(old.scored, new.scored))
            for new, old in zip(self.other.walked.steps, self.today.walked.steps, strict=True)
            if new.scored and old.scored
        ]
        if not any(len(theirs) for theirs, _ in pairs):
            return None
        loss = "log loss" if self.today.use_case.task == "classification" else "absolute error"
        theirs, ours = (np.concatenate(side) for side in zip(*pairs, strict=True))
        return compare_losses(theirs, ours, metric=loss)

    def as_dict(self) -> dict[str, Any]:
        """For JSON: one object."""
        steps, comparison = self.today.walked.steps, self.comparison
        return {
            "use_case": self.name,
            "models": self.models,
            "notes": list(self.notes),
            "metric": self.today.use_case.metric,
            "batches": {
                "trained_first": list(self.today.walked.first.batches),
                "replayed": [step.batch.name for step in steps],
            },
            "today": self.today.as_dict(),
            "other": None if self.other is None else self.other.as_dict(),
            "comparison": None if comparison is None else _rounded(comparison),
        }


def _rounded(comparison: Comparison) -> dict[str, object]:
    found = comparison.as_dict()
    return {k: round(v, 6) if isinstance(v, float) else v for k, v in found.items()}


def _incident(incident: Incident) -> dict[str, object]:
    return {
        "batch": incident.batch,
        "at": incident.at.isoformat(),
        "cause": incident.cause,
        "columns": list(incident.columns),
        "origin": incident.origin,
    }


def _retrain(each: Retrain) -> dict[str, object]:
    training = each.training
    return {
        "after": each.after,
        "incident": each.incident.batch,
        "cause": each.incident.cause,
        "started_at": training.started_at.isoformat(),
        "finished_at": training.finished_at.isoformat() if training.finished_at else None,
        "model": each.trained.model,
        "known": each.trained.known,
        "rows": each.trained.rows,
        "seconds": each.trained.seconds,
        "outcome": each.trained.outcome,
        "reason": each.trained.reason,
    }


def _step(step: Step, metric: str) -> dict[str, object]:
    return {
        "batch": step.batch.name,
        "at": step.batch.at.isoformat(),
        "rows": step.batch.clean.rows,
        "model": step.model,
        "verdict": step.looked.verdict,
        "target_verdict": step.looked.target_verdict,
        "columns": list(step.looked.columns),
        metric: _metric(step.scored, metric),
    }


def _metric(scored: Scored | None, metric: str) -> dict[str, object] | None:
    if scored is None:
        return None
    found = scored.metrics[metric].as_dict()
    return {k: round(v, 6) if isinstance(v, float) else v for k, v in found.items()}
