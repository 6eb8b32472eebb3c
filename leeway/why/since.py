"""What has happened to a version since: looks at batches, metrics, predictions, incidents.

Belongs here: what was recorded under the version. Does not belong here: what the controller made of
it (`leeway.why.retrained`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from leeway.why.facts import Commit, Gone, Incident, Metric, Story
from leeway.why.statement import Citation, Statement, Topic, check, moment, row, some
from leeway.why.trained import commit, incident_row, release, release_row

TOPIC: Final[Topic] = "since then"
# What its checks are called, and what is said of it.
_LOOKS = {"drift": ("no_drift", "Drift"), "damage": ("no_damage", "Damage")}


def since_then(story: Story) -> list[Statement]:
    """Drift, damage, performance, predictions, and incidents about the version."""
    found = [_looked(story, node) for node in _LOOKS]
    return [*found, _measured(story), _scored(story), *_incidents(story)]


def _looked(story: Story, node: str) -> Statement:
    """What one node said of the batches, all and the newest."""
    name, told = _LOOKS[node]
    looks = [each for each in story.looks if each.node == node]
    if not looks:
        text = f"{told}: no batch was held against it."
        return Statement(TOPIC, text, (release_row(story),))
    counts = Counter(str(each.facts["verdict"]) for each in looks)
    newest = looks[-1]
    known = ", which it was trained on" if newest.facts.get("trained_on") else ""
    said = ", ".join(f"{verdict} {count}" for verdict, count in sorted(counts.items()))
    text = f"{told} on {_batches(len(looks))}: {said}"
    text += f"; the newest, {newest.batch}{known}: {newest.facts['verdict']}. "
    cited = (*_cited(looks), *_check(story, newest, name))
    return Statement(TOPIC, f"{text}{newest.reason}", cited)


def _batches(count: int) -> str:
    return "1 batch" if count == 1 else f"{count} batches"


def _cited(looks: Sequence[Commit]) -> list[Citation]:
    """The newest look, and those that confirmed something."""
    shown = [each for each in looks[:-1] if each.facts.get("verdict") == "confirmed"]
    return [commit(each.id) for each in [looks[-1], *shown]]


def _check(story: Story, look: Commit, name: str) -> list[Citation]:
    asset = f"{story.history.use_case}/{look.node}"
    held = story.runs.found_in(look.run_id, asset)
    return [check(asset, name, look.run_id) for each in held[:1] if each.name == name]


def _measured(story: Story) -> Statement:
    looks = [each for each in story.looks if each.node == "performance"]
    if not looks:
        text = "Performance: no batch was measured under it."
        return Statement(TOPIC, text, (release_row(story),))
    newest = looks[-1]
    cited = [*_check(story, newest, "keeps_gates"), commit(newest.id)]
    text = f"Performance on {_batches(len(looks))}; the newest, {newest.batch}, has "
    text += f"{newest.rows or 0} labelled rows that it was not fitted on"
    shown = _decisive(story)
    if shown:
        text += f": {', '.join(map(_metric, shown))}"
        cited += [_metric_row(story.history.use_case, each) for each in shown]
    broken = [each for each in looks if each.facts.get("broken_gates")]
    for each in broken:
        text += f". In batch {each.batch} a gate was broken: {' '.join(each.facts['broken_gates'])}"
        cited.append(commit(each.id))
    return Statement(TOPIC, text.removesuffix(".") + ".", tuple(cited))


def _decisive(story: Story) -> list[Metric]:
    """The metrics that chose the model or that a gate is on; all where that is not known."""
    found = [each for each in story.metrics if each.value is not None]
    if isinstance(story.selection, Gone) or isinstance(story.manifest, Gone):
        return found
    gates = story.manifest["decision"]["gates"]
    wanted = {story.selection["metric"], *(gate["metric"] for gate in gates)}
    return [each for each in found if each.metric in wanted]


def _metric(found: Metric) -> str:
    told = f"{found.metric} {found.value:.4g}"
    return told if found.low is None else f"{told} ({found.low:.4g} to {found.high:.4g})"


def _metric_row(use_case: str, found: Metric) -> Citation:
    return row(
        "monitoring.segment_metrics",
        use_case=use_case,
        batch=found.batch,
        version=found.version,
        segment=found.segment,
        metric=found.metric,
    )


def _scored(story: Story) -> Statement:
    found = story.scored
    if not found:
        return Statement(TOPIC, "No batch was predicted with it.", (release_row(story),))
    batches = list(dict.fromkeys(each.batch for each in found))
    last = found[-1]
    text = f"It predicted the batches {some(batches)}, last {last.rows} rows of {last.batch}, "
    text += f"{moment(last.at)}."
    use_case = story.history.use_case
    cited = [
        row("monitoring.scoring_runs", use_case=use_case, batch=each.batch, run_id=each.run_id)
        for each in reversed(found)
    ]
    return Statement(TOPIC, text, tuple(cited))


def _incidents(story: Story) -> list[Statement]:
    use_case, version = story.history.use_case, story.release.version
    if not story.incidents:
        text = "No incident was found against it."
        return [Statement(TOPIC, text, (release(use_case, version),))]
    return [
        Statement(TOPIC, _incident(each), (incident_row(use_case, each),))
        for each in story.incidents
    ]


def _incident(found: Incident) -> str:
    what = f"{found.cause} of {', '.join(found.columns)} in batch {found.batch}"
    return f"Incident against it, found {moment(found.at)}: {what}."
