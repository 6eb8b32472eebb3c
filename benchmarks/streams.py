"""Streams of batches whose truth is known: nothing changes, or what changes was planted.

Belongs here: drawing a reference, its batches, the batch before, and the batch to judge, as
profiles. Does not belong here: verdicts, or counting them (`benchmarks.alarms`).

Numbers are drawn as counts on a grid of 256 values, and categories as counts of 20 levels: the
profile of a million rows then costs what that of a hundred does, and is the same as if rows had
been drawn. Harmless jitter moves the mean of each number of each batch by 0.03 standard deviations
at random, and tilts the levels by as much. Where rows depend on each other, there are as many
independent ones as their autocorrelation of 0.5 leaves: a third, each of them thrice.
Between the batches that tell what is usual and the one before the batch that is judged there are as
many as do not count as usual yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from leeway.drift.cells import EMPTY, Cells, keys_of, merge
from leeway.drift.history import UNSETTLED, PastBatch
from leeway.drift.levels import CategoryProfile
from leeway.drift.numbers import NumberProfile
from leeway.drift.profile import ColumnProfile, Profile, merge_profiles
from leeway.drift.usual import history_of
from resources.drift_files import FileColumn

Kind = Literal["independent", "jitter", "autocorrelated jitter", "autocorrelated rows"]
KINDS: tuple[Kind, ...] = (
    "independent",
    "jitter",
    "autocorrelated jitter",
    "autocorrelated rows",
)
JITTER = 0.03
LIKENESS = 0.7  # of the jitter of a batch to that of the one before it
ALIKE = 3  # rows that are one, where rows depend on each other
GRID = np.linspace(-4, 4, 255)
VALUES = np.r_[GRID - (GRID[1] - GRID[0]) / 2, GRID[-1] + (GRID[1] - GRID[0]) / 2]
KEYS = keys_of(VALUES)
LEVELS = [f"level {n}" for n in range(20)]
SHARES = 1 / np.arange(1, 21) ** 0.8
TILT = np.linspace(-1, 1, 20)
OF_CATEGORIES = 5  # every fifth column is one

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Plan:
    """What a stream is like: rows of a batch, columns, and how its batches vary.

    `history` is how many batches the reference is made of; `moved` of the columns are moved by
    `shift` standard deviations in the batch that is judged, in the one before it, and in `later`
    ones.
    """

    rows: int
    columns: int
    kind: Kind
    history: int = 30
    moved: int = 0
    shift: float = 0.0
    later: int = 0


@dataclass(frozen=True)
class Stream:
    """What a verdict is made from."""

    reference: Profile
    history: list[PastBatch]
    before: Profile
    current: Profile
    later: list[Profile]
    columns: list[FileColumn]


def draw(plan: Plan, rng: np.random.Generator) -> Stream:
    """A stream, other with each state of `rng`."""
    offsets = _offsets(plan, rng)
    batches = [_batch(plan, offset, rng) for offset in offsets]
    past = batches[: plan.history]
    reference = merge_profiles(past)
    columns = [FileColumn(name) for name in reference.columns]
    before, current, *later = batches[plan.history :]
    usual = history_of(reference, past, reference.rows)
    return Stream(reference, usual, before, current, later, columns)


def _offsets(plan: Plan, rng: np.random.Generator) -> Floats:
    """Where the mean of each column of each batch is, shape (batches, columns)."""
    size = (plan.history + UNSETTLED + 1 + plan.later, plan.columns)
    offsets = np.zeros(size)
    if plan.kind == "jitter":
        offsets = rng.normal(0, JITTER, size)
    elif plan.kind == "autocorrelated jitter":
        offsets[0] = rng.normal(0, JITTER, plan.columns)
        for batch in range(1, size[0]):
            fresh = rng.normal(0, JITTER * np.sqrt(1 - LIKENESS**2), plan.columns)
            offsets[batch] = LIKENESS * offsets[batch - 1] + fresh
    offsets = np.delete(offsets, np.s_[plan.history : plan.history + UNSETTLED - 1], axis=0)
    offsets[plan.history :, : plan.moved] += plan.shift
    return offsets


def _batch(plan: Plan, offsets: Floats, rng: np.random.Generator) -> Profile:
    times = ALIKE if plan.kind == "autocorrelated rows" else 1
    rows = plan.rows // times
    columns: dict[str, ColumnProfile] = {}
    for position, offset in enumerate(offsets):
        if position % OF_CATEGORIES == OF_CATEGORIES - 1:
            shares = SHARES * np.exp(offset * TILT)
            drawn = rng.multinomial(rows, shares / shares.sum()) * times
            counts = dict(zip(LEVELS, drawn.tolist(), strict=True))
            columns[f"category{position}"] = CategoryProfile(
                {level: count for level, count in counts.items() if count}
            )
        else:
            reached = ndtr(GRID - offset)
            drawn = rng.multinomial(rows, np.diff(reached, prepend=0, append=1)) * times
            columns[f"number{position}"] = NumberProfile(_cells(drawn))
    return Profile(rows * times, columns)


def _cells(counts: NDArray[Any]) -> Cells:
    used = counts > 0
    zeros = np.zeros(int(used.sum()), np.int64)
    return merge([Cells(0, KEYS[used], counts[used], zeros, zeros)]) if used.any() else EMPTY
