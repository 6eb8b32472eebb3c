"""What a version was trained on: the training set, and each batch back to its source.

Belongs here: the chain from a training set to what a source gave. Does not belong here: what was
made of it (`leeway.why.chosen`), or one row of a batch (`leeway.why.predicted`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from leeway.why.facts import Commit, Lineage, Runs, Story
from leeway.why.statement import (
    Citation,
    Statement,
    Topic,
    check,
    moment,
    row,
    run,
    some,
    stored,
    unknown,
)
from leeway.why.trained import commit, release_row, settings_told

TOPIC: Final[Topic] = "trained on"
OLDER = "it was committed by an older Leeway, which did not record what a node had read"


def trained_on(story: Story) -> list[Statement]:
    """The training set and the code that made it, then its batches in their order."""
    made = story.training_set
    if made is None:
        digest = story.release.facts.get("training_set")
        why = "the commit of its training set is not recorded any more"
        return [unknown(TOPIC, f"The rows of training set {digest}", why, release_row(story))]
    found = [_training_set(made)]
    if made.inputs is None:
        cited = commit(made.id)
        found.append(unknown(TOPIC, "Which clean rows are in it, batch by batch", OLDER, cited))
        return found
    found += _code(story, made)
    for batch in made.facts["batches"]:
        found += batch_chain(story.history.use_case, batch, story.lineage, story.runs, TOPIC)
    return found


def _training_set(made: Commit) -> Statement:
    facts = made.facts
    left_out = facts.get("left_out")
    text = f"Training set {made.digest}: {made.rows} rows of the batches {some(facts['batches'])}"
    if "train" in facts:
        text += f"; {facts['train']} to train, {facts['test']} held out"
    if facts.get("unlabelled"):
        text += f"; {facts['unlabelled']} rows without a label are not in it"
    if left_out:
        text += f"; left out for too many rejects: {some(left_out)}"
    return Statement(TOPIC, f"{text}.", (commit(made.id), stored(made.digest, made.uri)))


def batch_chain(
    use_case: str, batch: str, lineage: Lineage, runs: Runs, topic: Topic
) -> list[Statement]:
    """A batch from its clean rows to its source."""
    clean, raw = lineage.clean.get(batch), lineage.raw.get(batch)
    if clean is None:
        why = "no commit of what was read is recorded any more"
        return [unknown(topic, f"The clean rows of batch {batch}", why)]
    cited = [commit(clean.id), stored(clean.digest, clean.uri), run(clean.run_id)]
    text = f"Batch {batch}: {clean.rows} clean rows, committed {moment(clean.at)}"
    held = runs.found_in(
        clean.run_id, *(f"{use_case}/{node}" for node in ("raw", "staged", "clean"))
    )
    checks = [check(each.asset, each.name, each.run_id) for each in held]
    found = [
        Statement(topic, text + _checks_told([c.status for c in held]) + ".", (*cited, *checks))
    ]
    if raw is None:
        return [*found, _raw_unknown(batch, clean, topic)]
    return [*found, raw_told(use_case, batch, raw, lineage, topic)]


def _checks_told(states: list[str]) -> str:
    if not states:
        return ""
    failed = sum(state == "FAILED" for state in states)
    return f"; of {len(states)} checks of that run {failed or 'none'} failed"


def _raw_unknown(batch: str, clean: Commit, topic: Topic) -> Statement:
    """The source of clean rows that is not known; what was read may be known by its digest."""
    what = f"The raw rows of batch {batch}"
    if clean.inputs is None:
        return unknown(topic, what, OLDER, commit(clean.id))
    read = next(iter(clean.inputs.values()), "")
    why = f"no commit of {read}, which was read, is recorded any more; a batch that is read or "
    why += "judged again takes the place of its commit"
    return unknown(topic, what, why, commit(clean.id))


def raw_told(use_case: str, batch: str, raw: Commit, lineage: Lineage, topic: Topic) -> Statement:
    """What the source gave, and when it arrived."""
    facts, arrived = raw.facts, lineage.arrived.get(batch)
    cited: list[Citation] = [commit(raw.id), stored(raw.digest, raw.uri), run(raw.run_id)]
    seen = ""
    if arrived is not None:
        cited.append(row("leeway.batches", use_case=use_case, batch=batch))
        seen = f"found {moment(arrived.discovered_at)}, "
    source, origin = (facts.get(name, "unknown") for name in ("source", "origin"))
    text = f"Batch {batch} came from {source} ({origin}), {seen}"
    text += f"stored {moment(raw.at)}: {facts['rows']} rows, {facts['rejected']} rejected"
    text += _reasons(facts.get("reasons", {}))
    given = facts.get("source_digest") or "none"
    if "source_digest" not in facts:
        given = "unknown, since an older Leeway did not record it"
    text += f"; the digest of the source is {given}"
    return Statement(topic, f"{text}.", tuple(cited))


def _reasons(reasons: Mapping[str, int]) -> str:
    told = some([f"{reason}: {count}" for reason, count in reasons.items()], 4)
    return f" ({told})" if reasons else ""


def _code(story: Story, made: Commit) -> list[Statement]:
    """Which code and dbt models made the rows: the definitions that their commits name."""
    every = story.lineage.clean.values()
    cleaned = sorted({each.version for each in every if each.version})
    found = []
    if older := [each for each in every if not each.version]:
        what = f"The code version of the dbt models that made {some([e.batch for e in older])}"
        found.append(unknown(TOPIC, what, OLDER, *(commit(each.id) for each in older)))
    if cleaned:
        each = tuple(row("leeway.definitions", digest=digest) for digest in cleaned)
        codes = [_code_of(story.definitions.get(digest)) for digest in cleaned]
        text = f"The dbt models staged and clean made its rows, in code version {some(codes)}."
        found.append(Statement(TOPIC, text, each))
    if made.version:
        code = _code_of(story.definitions.get(made.version))
        text = f"The training set was put together by code version {code}"
        if definition := story.definitions.get(made.version):
            text += f", split {settings_told(definition['fields']['split'])}"
        cited = (row("leeway.definitions", digest=made.version),)
        found.append(Statement(TOPIC, f"{text}.", cited))
    return found


def _code_of(definition: Mapping[str, Any] | None) -> str:
    return "unknown" if definition is None else str(definition["code"])
