"""Answers to why: one look at the ledger, and the statements about what was found.

Belongs here: what can be asked; command line, service and dashboard ask here. Does not belong here:
queries (beside this file), or statements (`leeway.why`).
"""

from __future__ import annotations

from leeway.traffic.windows import is_window
from leeway.why.batch import about_batch
from leeway.why.facts import History
from leeway.why.predicted import about_prediction
from leeway.why.statement import Answer
from leeway.why.story import about_none, about_version
from leeway.why.window import about_traffic
from resources.settings import Settings
from resources.why.batches import batch_of
from resources.why.history import history_of, recorded_names
from resources.why.predictions import find
from resources.why.reading import NotRecorded, Objects, looking
from resources.why.stories import story_of
from resources.why.windows import window_of


def why_version(settings: Settings, objects: Objects, use_case: str, version: int | None) -> Answer:
    """Why a version is as it is; None: the champion, or why there is none.

    Raises:
        NotRecorded: when nothing is recorded of the use case, or it has no such version.
    """
    with looking(settings) as cursor:
        history = history_of(cursor, use_case)
        if not history.committed and not history.releases:
            names = ", ".join(recorded_names(cursor)) or "none"
            raise NotRecorded(
                f"nothing is recorded of {use_case!r}; recorded are {names}. `leeway run NAME` "
                "materializes a use case"
            )
        if version is None:
            version = history.champion
        if version is None:
            return about_none(history)
        _require(history, version)
        return about_version(story_of(cursor, settings, objects, history, version))


def _require(history: History, version: int) -> None:
    known = [each.version for each in history.releases]
    if version not in known:
        there = ", ".join(map(str, known)) or "none yet"
        name = history.use_case
        remedy = f"`leeway why {name}` tells of the champion" if known else f"`leeway run {name}`"
        raise NotRecorded(f"{name} has no version {version}; there are {there}. {remedy}")


def why_batch(settings: Settings, use_case: str, batch: str) -> Answer:
    """Where a batch came from, and what rests on it; of a window of live traffic, as well.

    Raises:
        NotRecorded: when it was never found.
    """
    with looking(settings) as cursor:
        if is_window(batch):
            return about_traffic(window_of(cursor, use_case, batch))
        return about_batch(batch_of(cursor, settings, history_of(cursor, use_case), batch))


def why_prediction(settings: Settings, objects: Objects, name: str) -> Answer:
    """Where a prediction came from, back to its source.

    Raises:
        NotRecorded: when it is not found.
    """
    with looking(settings) as cursor:
        found = find(cursor, settings, objects, name)
        history = history_of(cursor, found.use_case)
        known = {each.version: each.digest for each in history.releases}
        story = None
        if known.get(found.version) == found.release:
            story = story_of(cursor, settings, objects, history, found.version)
        return about_prediction(found, story, history)
