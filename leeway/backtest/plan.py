"""How a use case is replayed: from recorded models, or by training again.

Belongs here: which of them, what the first model is trained on, what is fitted, and what a reader
must know of it. Does not belong here: reading anything (`resources.backtest`), or the replay.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from leeway.backtest.cut import cut_by_time
from leeway.backtest.errors import CannotBacktest
from leeway.backtest.models import Recipe
from leeway.data.frames import feature_frame, target_array
from leeway.data.training_set import TRAIN, NotEnoughRows, build_training_set, part_of
from leeway.drift.declared import profile_table
from leeway.drift.stored import Stored
from leeway.spec import UseCase

if TYPE_CHECKING:
    import pyarrow as pa

FEWEST_BATCHES = 3  # one to train on, and two to see a change between


def as_batches(
    tables: Mapping[str, pa.Table], stored: Mapping[str, Stored], use_case: UseCase
) -> tuple[dict[str, pa.Table], dict[str, Stored], str | None]:
    """The batches of the source where there are enough, else its rows cut by their time.

    Returns:
        Rows and profiles by batch, and by which unit of time they were cut; None: they were not.

    Raises:
        CannotBacktest: when there are too few, and time does not cut them.
    """
    import pyarrow as pa

    if not tables:
        raise CannotBacktest("there is no batch; `leeway run NAME` takes in what the source has")
    if len(tables) >= FEWEST_BATCHES:
        return dict(tables), dict(stored), None
    cut, unit = cut_by_time(pa.concat_tables(tables.values()), use_case)
    profiles = {
        name: Stored({"clean": profile_table(table, use_case.columns)})
        for name, table in cut.items()
    }
    return cut, profiles, unit


def first_third(batches: Sequence[str]) -> list[str]:
    """What the first model of a use case without history is trained on."""
    return list(batches[: max(1, len(batches) // 3)])


def recipe_for(tables: Mapping[str, pa.Table], use_case: UseCase) -> Recipe:
    """The choices and the algorithm that are decided on these rows, with its default parameters.

    Raises:
        CannotBacktest: when they are too few, or all candidates fail.
    """
    from leeway.training.search import NoCandidate, TooFewRows, best_candidate
    from leeway.training.selection import select

    try:
        rows = part_of(build_training_set(dict(tables), use_case).table, TRAIN)
        found = select(feature_frame(rows, use_case), target_array(rows, use_case), use_case)
    except (NotEnoughRows, NoCandidate, TooFewRows) as error:
        raise CannotBacktest(f"the first batches cannot train a model: {error}") from error
    winner = best_candidate(found.scores, use_case.metric).name
    return Recipe(winner, {}, found.decided.choices)


def notes_on(policies: Sequence[UseCase], *, refitted: bool) -> list[str]:
    """What the replay leaves out, where that can matter.

    Args:
        policies: the use case under today's policy, and under the other where there is one.
        refitted: whether models are trained in the replay.
    """
    notes = []
    names = ("today's policy", "the other policy")
    off = [name for name, each in zip(names, policies, strict=False) if not each.retraining.enabled]
    if off:
        notes.append(
            f"retraining.enabled is false in {' and in '.join(off)}: alarms are raised there, and "
            "nothing is trained"
        )
    if any("performance" in each.retraining.on for each in policies):
        notes.append("labels are taken to be known as soon as a batch was scored")
    if refitted:
        notes.append(
            "a training takes no time here: its model serves from the next batch on, and no "
            "parameter is searched anew"
        )
        if policies[0].costs is not None:
            notes.append("classes are decided by probability, not by the threshold of the costs")
    return notes
