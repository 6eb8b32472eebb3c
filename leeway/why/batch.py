"""What rests on a batch: the releases that were trained on it, its verdicts and its predictions.

Belongs here: the way from a raw batch to all that was made of it. Does not belong here: the way
back (`leeway.why.rows`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from leeway.why.facts import Commit, History, Incident, Lineage, Runs, Scored
from leeway.why.judged import VERDICTS
from leeway.why.rows import batch_chain
from leeway.why.statement import Answer, Citation, Statement, Topic, moment, row, unknown
from leeway.why.trained import commit, incident_row, release

TOPIC: Final[Topic] = "batch"


@dataclass(frozen=True)
class BatchStory:
    """What was recorded of one batch; `trained` are the versions that were trained on it.

    `looks` are the newest verdicts of each node on it under each version.
    """

    history: History
    batch: str
    lineage: Lineage
    trained: Sequence[int] = ()
    looks: Sequence[Commit] = ()
    incidents: Sequence[Incident] = ()
    scored: Sequence[Scored] = ()
    runs: Runs = field(default_factory=Runs)


def about_batch(found: BatchStory) -> Answer:
    """Its source and clean rows, then everything that rests on them."""
    use_case = found.history.use_case
    statements = [
        *_own(found),
        *_trained(found),
        *(_look(each) for each in found.looks),
        *(_scored(use_case, each) for each in found.scored),
        *(incident_told(use_case, each) for each in found.incidents),
    ]
    named = {"use_case": use_case, "batch": found.batch, "versions": list(found.trained)}
    return Answer(f"{use_case}, batch {found.batch}", named, statements)


def _own(found: BatchStory) -> list[Statement]:
    """Where it came from; a batch of which nothing is clean may be waited for."""
    use_case = found.history.use_case
    if found.batch in found.lineage.clean:
        return batch_chain(use_case, found.batch, found.lineage, found.runs, TOPIC)
    cited = row("leeway.batches", use_case=use_case, batch=found.batch)
    remedy = f"`leeway run {use_case} --batch {found.batch}` takes it in"
    return [unknown(TOPIC, "Its clean rows", f"none were committed; {remedy}", cited)]


def _trained(found: BatchStory) -> list[Statement]:
    use_case = found.history.use_case
    if not found.trained:
        cited = row("leeway.batches", use_case=use_case, batch=found.batch)
        return [Statement(TOPIC, "No release was trained on it.", (cited,))]
    heads = {each.version: each for each in found.history.releases}
    return [
        Statement(
            TOPIC,
            f"Version {version} was trained on it, and was {VERDICTS[heads[version].verdict]}"
            + (" (champion now)." if version == found.history.champion else "."),
            (release(use_case, version),),
        )
        for version in found.trained
    ]


def _look(found: Commit) -> Statement:
    facts = found.facts
    if found.node == "performance":
        broken = " ".join(facts.get("broken_gates", ())) or "no gate was proven broken."
        said = f"{found.rows or 0} labelled rows: {broken}"
    else:
        said = f"{facts['verdict']}: {found.reason}"
    text = f"{found.node.capitalize()} under version {facts['version']}, {moment(found.at)}: "
    return Statement(TOPIC, f"{text}{said}", (commit(found.id),))


def _scored(use_case: str, found: Scored) -> Statement:
    cited: list[Citation] = [
        row("monitoring.scoring_runs", use_case=use_case, batch=found.batch, run_id=found.run_id),
        release(use_case, found.version),
    ]
    text = f"Version {found.version} predicted {found.rows} rows of it, {moment(found.at)}; "
    text += f"`leeway why {use_case}/{found.batch}/KEY` tells of one."
    return Statement(TOPIC, text, tuple(cited))


def incident_told(use_case: str, found: Incident) -> Statement:
    """One that was found in a batch or a window."""
    what = f"{found.cause} of {', '.join(found.columns)}"
    about = "a release" if found.against is None else f"version {found.against}"
    text = f"An incident was found in it, {moment(found.at)}: {what}, against {about}."
    return Statement(TOPIC, text, (incident_row(use_case, found),))
