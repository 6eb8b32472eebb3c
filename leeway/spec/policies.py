"""What is watched once a model is released, and when it is trained again.

Belongs here: drift, retraining, freshness, monitoring and their durations. Does not belong here:
the decisions (`leeway.drift`, `leeway.controller`, `leeway.freshness`).
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from leeway.drift.policy import UsualPolicy
from leeway.spec.base import Identifier, Strict
from leeway.traffic.windows import Span

_DURATION = re.compile(r"([0-9]{1,6})\s*(s|m|h|d)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _duration(value: str) -> str:
    if not _DURATION.fullmatch(value):
        raise ValueError(
            f"{value!r} is not a duration; write a number of up to six digits and s, m, h or d, "
            "such as 36h"
        )
    return value


Duration = Annotated[str, AfterValidator(_duration)]


def as_timedelta(duration: str) -> timedelta:
    """Length of a duration such as `36h`.

    Raises:
        ValueError: when the text is not a number followed by s, m, h or d.
    """
    match = _DURATION.fullmatch(duration)
    if match is None:
        raise ValueError(f"{duration!r} is not a duration")
    return timedelta(seconds=int(match[1]) * _SECONDS[match[2]])


class Drift(Strict):
    """When a batch has drifted from its reference."""

    reference: Literal["training_part", "previous_batch", "season"] = Field(
        default="training_part",
        description="what a batch is compared with: what the champion was trained on, the batch "
        "before it, or earlier years' batches of its calendar month",
    )
    effect: float = Field(
        default=UsualPolicy.effect,
        gt=0,
        lt=1,
        description="smallest Kolmogorov-Smirnov distance or total variation worth acting on",
    )
    smallest_change: dict[Identifier, Annotated[float, Field(gt=0)]] = Field(
        default_factory=dict,
        description="by column, in place of the effect: smallest change worth acting on, in the "
        "unit of a number, or as the share of rows of a category",
    )
    false_alarms_per_year: float = Field(
        default=UsualPolicy.false_alarms_per_year,
        gt=0,
        le=366,
        description="how many confirmed verdicts without a cause are borne, over all columns",
    )
    batches_per_year: float = Field(
        default=UsualPolicy.batches_per_year,
        ge=1,
        description="where no time column tells how far batches are apart",
    )
    min_rows: int = Field(
        default=UsualPolicy.min_rows, ge=2, description="fewer rows give the verdict undefined"
    )

    @property
    def pairs(self) -> bool:
        """Whether a batch is looked at together with the one before it, too.

        Only where both are held against the same: that one is the reference itself, or may be of
        another season.
        """
        return self.reference == "training_part"


class Retraining(Strict):
    """When a model is trained again."""

    enabled: bool = Field(
        default=True,
        description="false: nothing is trained by itself; LEEWAY_RETRAINING=off says so for all",
    )
    on: tuple[Literal["drift", "damage", "freshness", "performance"], ...] = ("drift",)
    confirm_after: int = Field(
        default=1, ge=1, le=10, description="batches in a row that must have an incident"
    )
    cooldown: Duration = "1d"
    longest_wait: Duration = Field(
        default="30d",
        description="each training in a row without benefit doubles the cool-down, up to this",
    )
    budget: int = Field(
        default=5, ge=1, le=100, description="most trainings in a window, failed ones too"
    )
    window: Duration = "7d"
    non_inferiority: float = Field(
        default=0.05,
        ge=0,
        description="largest increase of the mean loss that a model trained after drift may have: "
        "in nats for a classification, else as a share of the champion's mean absolute error",
    )

    @model_validator(mode="before")
    @classmethod
    def _on_is_a_key(cls, content: Any) -> Any:
        """YAML 1.1 reads the bare word `on` as true, also where it is a key."""
        if not isinstance(content, dict):
            return content
        return {"on" if key is True else key: value for key, value in content.items()}


class Freshness(Strict):
    """How old the newest batch may be, and the champion where retraining is on freshness."""

    warn_after: Duration
    fail_after: Duration

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        warn, fail = as_timedelta(self.warn_after), as_timedelta(self.fail_after)
        if warn < timedelta(minutes=1) or fail <= warn:
            raise ValueError(
                f"need 1m <= warn_after < fail_after, got {self.warn_after} and {self.fail_after}"
            )
        return self


Cadence = Literal["daily", "weekly", "monthly"]
Scheduled = Literal["quality", "scoring", "monitoring", "training"]
SCHEDULED: tuple[Scheduled, ...] = ("quality", "scoring", "monitoring", "training")


class Schedules(Strict):
    """What also runs by the clock, for the newest batch, once it is switched on in the UI."""

    quality: Cadence | None = Field(default=None, description="data, its checks, and drift")
    scoring: Cadence | None = Field(default=None, description="predictions")
    monitoring: Cadence | None = Field(default=None, description="drift, performance, report")
    training: Cadence | None = Field(default=None, description="a new model, and its comparison")


class Monitoring(Strict):
    """What is watched per batch besides the whole."""

    segments: tuple[Identifier, ...] = ()
    window: Span = Field(
        default="hour",
        description="what windows of live traffic are made of; day: where those who ask at night "
        "differ from those who ask by day",
    )
