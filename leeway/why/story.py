"""The whole answer about a version, or about a use case that has no champion.

Belongs here: which statements are in an answer, and their order. Does not belong here: any of them.
"""

from __future__ import annotations

from leeway.why.chosen import how_chosen
from leeway.why.facts import Head, History, Story
from leeway.why.judged import VERDICTS, how_judged
from leeway.why.moved import how_moved
from leeway.why.retrained import why_retrained
from leeway.why.rows import trained_on
from leeway.why.since import since_then
from leeway.why.statement import Answer, Statement, moment, row, unknown
from leeway.why.trained import release, why_trained


def about_version(story: Story) -> Answer:
    """Everything that is recorded of one version."""
    history, made = story.history, story.release
    head = next(each for each in history.releases if each.version == made.version)
    is_champion = history.champion == made.version
    title = f"{history.use_case}, version {made.version}, {made.algorithm}"
    return Answer(
        f"{title}, champion" if is_champion else title,
        {
            "use_case": history.use_case,
            "version": made.version,
            "release": made.digest,
            "champion": is_champion,
        },
        [
            *why_trained(story),
            *trained_on(story),
            *how_chosen(story),
            *how_judged(story),
            *how_moved(history, head),
            *since_then(story),
            *why_retrained(history),
        ],
    )


def about_none(history: History) -> Answer:
    """Why a use case has no champion."""
    named = {"use_case": history.use_case, "version": None, "release": None, "champion": False}
    title = f"{history.use_case}, no champion"
    if history.releases:
        told = [_not_champion(history, each) for each in history.releases]
        return Answer(title, named, [*told, *why_retrained(history)])
    if "effects" in history.committed:
        text = "It is an experiment, which has no versions: `leeway status "
        text += f"{history.use_case}` shows its effects and its best setting."
        cited = row("leeway.current", use_case=history.use_case, node="effects", batch="")
        return Answer(title, named, [Statement("champion", text, (cited,))])
    return Answer(title, named, [_never_released(history)])


def _not_champion(history: History, found: Head) -> Statement:
    text = f"Version {found.version} was {VERDICTS[found.verdict]}, {moment(found.at)}: "
    text += found.reason
    if found.awaits_person:
        text += f" `leeway promote {history.use_case} {found.version}` makes it the champion."
    return Statement("champion", text, (release(history.use_case, found.version),))


def _never_released(history: History) -> Statement:
    what, remedy = "Why no model was released", f"`leeway run {history.use_case}` trains one"
    done = ", ".join(
        f"{node} ({count})" if count > 1 else node for node, count in history.committed.items()
    )
    if not done:
        return unknown("champion", what, f"nothing was ever materialized; {remedy}")
    return unknown("champion", what, f"a run came no further than {done}; {remedy}")
