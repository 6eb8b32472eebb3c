"""What was found of the window of live traffic that an answer of a service is in.

Belongs here: its sentences. Does not belong here: finding the window (`resources.why.predictions`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from leeway.why.facts import Commit, Gone
from leeway.why.statement import Statement, Topic, row, run, unknown
from leeway.why.trained import commit

TOPIC: Final[Topic] = "prediction"


@dataclass(frozen=True)
class Looked:
    """A window that was closed, and what was found of it, each None where nothing was."""

    use_case: str
    name: str
    drift: Commit | None
    performance: Commit | None


def about_window(found: Looked | Gone) -> list[Statement]:
    """Which window an answer is in, its verdict, and how many of its labels are in."""
    if isinstance(found, Gone):
        return [unknown(TOPIC, "What was found of the traffic that it is part of", found.why)]
    where = row("leeway.windows", use_case=found.use_case, batch=found.name)
    if found.drift is None:
        why = f"window {found.name} was not looked at yet; `leeway run {found.use_case}` does it"
        return [unknown(TOPIC, "The verdict on the traffic that it is part of", why, where)]
    text = f"It is part of window {found.name}, whose drift from version "
    text += (
        f"{found.drift.facts['version']} is {found.drift.facts['verdict']}: {found.drift.reason}"
    )
    told = [Statement(TOPIC, text, (where, commit(found.drift.id), run(found.drift.run_id)))]
    if found.performance is not None:
        maturity = found.performance.facts["maturity"]
        share = "undefined" if maturity is None else f"{maturity:.0%}"
        text = f"Of the answers of that window, {share} have a label by now. "
        text += " ".join(found.performance.facts["broken_gates"]) or "They prove no gate broken."
        cited = (commit(found.performance.id), run(found.performance.run_id))
        told.append(Statement(TOPIC, text, cited))
    return told
