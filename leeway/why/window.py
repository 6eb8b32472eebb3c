"""What was found of a window of live traffic, and of that which an answer of a service is in.

Belongs here: its sentences. Does not belong here: finding the window (`resources.why.windows`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from leeway.why.batch import incident_told
from leeway.why.facts import Commit, Gone, Incident
from leeway.why.statement import (
    Answer,
    Citation,
    Statement,
    Topic,
    moment,
    row,
    run,
    unknown,
)
from leeway.why.trained import commit


@dataclass(frozen=True)
class Looked:
    """A window that was closed, and what was found of it, each None where nothing was."""

    use_case: str
    name: str
    drift: Commit | None
    performance: Commit | None


@dataclass(frozen=True)
class WindowStory:
    """A window, when its answers were given (`since` None: from the first on), and its incidents.

    `answers` is the commit of those that were read; None where none were.
    """

    looked: Looked
    since: datetime | None
    until: datetime
    answers: Commit | None = None
    incidents: Sequence[Incident] = ()


def about_traffic(found: WindowStory) -> Answer:
    """The answers of a window, and what was found of them."""
    looked = found.looked
    use_case, name = looked.use_case, looked.name
    statements = [_answers(found), *_found(looked, "batch", "It is a window whose")]
    statements += [incident_told(use_case, each) for each in found.incidents]
    return Answer(f"{use_case}, window {name}", {"use_case": use_case, "batch": name}, statements)


def about_window(found: Looked | Gone) -> list[Statement]:
    """Which window an answer is in, its verdict, and how many of its labels are in."""
    if isinstance(found, Gone):
        what = "What was found of the traffic that it is part of"
        return [unknown("prediction", what, found.why)]
    return _found(found, "prediction", f"It is part of window {found.name}, whose")


def _answers(found: WindowStory) -> Statement:
    looked, where = found.looked, _row(found.looked)
    if found.answers is None:
        why = f"nothing has read them yet; `leeway run {looked.use_case}` does it"
        return unknown("batch", "Its answers", why, where)
    begin = "the first one" if found.since is None else moment(found.since)
    text = f"{found.answers.rows or 0} answers of live traffic from {begin} until "
    text += f"{moment(found.until)} were read, {moment(found.answers.at)}."
    return Statement("batch", text, (where, commit(found.answers.id), run(found.answers.run_id)))


def _found(looked: Looked, topic: Topic, begin: str) -> list[Statement]:
    where = _row(looked)
    if looked.drift is None:
        why = f"window {looked.name} was not looked at yet; `leeway run {looked.use_case}` does it"
        return [unknown(topic, "The verdict on the traffic that it is part of", why, where)]
    drift = looked.drift
    text = f"{begin} drift from version {drift.facts['version']} is {drift.facts['verdict']}: "
    text += drift.reason
    told = [Statement(topic, text, (where, commit(drift.id), run(drift.run_id)))]
    if looked.performance is not None:
        maturity = looked.performance.facts["maturity"]
        share = "undefined" if maturity is None else f"{maturity:.0%}"
        text = f"Of the answers of that window, {share} have a label by now. "
        text += " ".join(looked.performance.facts["broken_gates"]) or "They prove no gate broken."
        cited = (commit(looked.performance.id), run(looked.performance.run_id))
        told.append(Statement(topic, text, cited))
    return told


def _row(looked: Looked) -> Citation:
    return row("leeway.windows", use_case=looked.use_case, batch=looked.name)
