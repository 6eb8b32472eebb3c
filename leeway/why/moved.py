"""When a version was champion: who moved it, what was before and after it, and what is now.

Belongs here: moves. Does not belong here: the verdict (`leeway.why.judged`).
"""

from __future__ import annotations

from typing import Final

from leeway.why.facts import Head, History, Move
from leeway.why.statement import Citation, Statement, Topic, moment, row
from leeway.why.trained import release

TOPIC: Final[Topic] = "champion"


def move_row(move: Move) -> Citation:
    """The row of a move."""
    return row("leeway.moves", id=move.id)


def how_moved(history: History, head: Head) -> list[Statement]:
    """Each move to the version and away from it, in their order; then who is champion now."""
    found = []
    for move in history.moves:
        if move.version == head.version:
            found.append(Statement(TOPIC, _to(move), (move_row(move),)))
        elif move.previous == head.version:
            found.append(Statement(TOPIC, _away(move), (move_row(move),)))
    if not found:
        found.append(_never(history, head))
    return [*found, _now(history, head)]


def _to(move: Move) -> str:
    who = "Leeway itself" if move.who == "leeway" else move.who
    before = "no version" if move.previous is None else f"version {move.previous}"
    how = "rolled back to it" if move.action == "rollback" else "promoted it"
    return f"{who} {how}, {moment(move.at)}, in the place of {before}: {move.why}"


def _away(move: Move) -> str:
    how = "rollback to" if move.action == "rollback" else "promotion of"
    who = f"{how} version {move.version} by {move.who}"
    return f"It was champion until {moment(move.at)}; {who}: {move.why}"


def _never(history: History, head: Head) -> Statement:
    cited = (release(history.use_case, head.version),)
    if head.awaits_person:
        told = f"It waits for a person: `leeway promote {history.use_case} {head.version}`."
        return Statement(TOPIC, f"It was never champion. {told}", cited)
    return Statement(TOPIC, "It was never champion.", cited)


def _now(history: History, head: Head) -> Statement:
    if not history.moves:
        cited = (release(history.use_case, head.version),)
        return Statement(TOPIC, "No version is champion now.", cited)
    last = history.moves[-1]
    who = "It" if last.version == head.version else f"Version {last.version}"
    return Statement(TOPIC, f"{who} is champion now, since {moment(last.at)}.", (move_row(last),))
