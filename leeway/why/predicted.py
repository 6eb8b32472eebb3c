"""Where one prediction came from: its release, its clean row, its raw row and its source.

Belongs here: what a found prediction holds, and its chain. Does not belong here: finding it
(`resources.why.predictions`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from leeway.why.facts import Gone, History, Lineage, Runs, Story
from leeway.why.rows import batch_chain, trained_on
from leeway.why.statement import Answer, Citation, Statement, Topic, moment, row, some, unknown
from leeway.why.trained import release_row
from leeway.why.window import Looked, about_window

TOPIC: Final[Topic] = "prediction"
NO_BATCH = Gone("it is of no batch")


@dataclass(frozen=True)
class Prediction:
    """A prediction that was found, wherever it was recorded.

    `content` is what was answered, and `asked` with what inputs; `version` and `release` say who
    answered, `rests_on` where that is recorded. `trial` is the id of the one in which a challenger
    answered. The rest is of a row of a batch: its `key`, its clean values, and the number and the
    place that it had in the source, each of which may not be known any more. An answer of a service
    is part of a `window` of live traffic instead.
    """

    name: str
    use_case: str
    version: int
    release: str
    content: Mapping[str, Any]
    at: datetime
    rests_on: tuple[Citation, ...]
    batch: str | None = None
    clean: Mapping[str, Any] | Gone = NO_BATCH
    raw_row: int | Gone = NO_BATCH
    lineage: Lineage = field(default_factory=Lineage)
    runs: Runs = field(default_factory=Runs)
    asked: Mapping[str, Any] = field(default_factory=dict)  # of a service
    trial: int | None = None
    window: Looked | Gone | None = None  # None: it is of a batch


def about_prediction(found: Prediction, story: Story | None, history: History) -> Answer:
    """From the answer to the raw row and the source, and to what its release was trained on.

    Args:
        found: the prediction.
        story: of the version that predicted; None where it is not recorded.
        history: of its use case.
    """
    text = f"Version {found.version} said, {moment(found.at)}: {_named(found.content)}."
    statements = [Statement(TOPIC, text, found.rests_on)]
    if found.asked:
        text = f"It was asked with: {_named(found.asked)}."
        statements.append(Statement(TOPIC, text, found.rests_on))
    statements.append(_release(found, story, history))
    if found.trial is not None:
        text = f"Version {found.version} was not champion: it was tried on a share of the requests."
        statements.append(Statement(TOPIC, text, (row("leeway.trials", id=found.trial),)))
    if found.batch is not None:
        statements += _row(found)
    if found.window is not None:
        statements += about_window(found.window)
    if story is not None:
        statements += trained_on(story)
    named = {
        "prediction": found.name,
        "use_case": found.use_case,
        "version": found.version,
        "release": found.release,
        "answer": {name: _plain(value) for name, value in found.content.items()},
    }
    if found.asked:
        named["inputs"] = {name: _plain(value) for name, value in found.asked.items()}
    return Answer(f"{found.name}, predicted by version {found.version}", named, statements)


def _named(values: Mapping[str, Any]) -> str:
    return some([f"{name} {_shown(value)}" for name, value in values.items()], 12)


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"[{', '.join(map(str, value))}]" if isinstance(value, list) else str(value)


def _plain(value: object) -> object:
    """The value for JSON; a key may be a date, which is told as text."""
    return value if isinstance(value, str | int | float | list | None) else str(value)


def _release(found: Prediction, story: Story | None, history: History) -> Statement:
    if story is None:
        known = any(each.version == found.version for each in history.releases)
        why = f"version {found.version} was released again since, under another digest"
        why = why if known else f"{history.use_case} has no record of version {found.version}"
        return unknown(TOPIC, "The release that predicted", why, *found.rests_on)
    text = f"Version {found.version} is release {found.release}, trained on training set "
    text += f"{story.release.facts.get('training_set')}; `leeway why "
    text += f"{found.use_case}@{found.version}` tells its story."
    return Statement(TOPIC, text, (release_row(story),))


def _row(found: Prediction) -> list[Statement]:
    """The row of the batch, from its clean values to the place in the source."""
    batch = str(found.batch)
    clean, raw = found.lineage.clean.get(batch), found.lineage.raw.get(batch)
    told = []
    if isinstance(found.clean, Gone):
        told.append(unknown(TOPIC, "The clean row that it was made of", found.clean.why))
    elif clean is not None:
        shown = _named(found.clean)
        cited = Citation("object", {"digest": clean.digest, "uri": clean.uri})
        told.append(Statement(TOPIC, f"The clean row was: {shown}.", (cited,)))
    if isinstance(found.raw_row, Gone):
        told.append(unknown(TOPIC, "Which row of the source it was", found.raw_row.why))
    elif raw is not None:
        cited = row("leeway.commits", id=raw.id)
        text = f"It was row {found.raw_row} of batch {batch} as the source gave it."
        told.append(Statement(TOPIC, text, (cited,)))
    return [*told, *batch_chain(found.use_case, batch, found.lineage, found.runs, "batch")]
