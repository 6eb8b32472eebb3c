"""Why a version was trained: the incident with its verdict, the decision, the policy, or a person.

Belongs here: the cause. Does not belong here: what it was trained on (`leeway.why.rows`), or what
became of it (`leeway.why.judged`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from leeway.why.facts import Decision, Incident, Story, Training
from leeway.why.statement import Citation, Statement, Topic, check, git, moment, row, run, unknown

TOPIC: Final[Topic] = "trained because"
# Tags that Dagster and Leeway give to runs (orchestration.jobs has the second).
SCHEDULE_TAG, COMMAND_TAG = "dagster/schedule_name", "leeway/command"
_CHECKS = {"drift": "no_drift", "damage": "no_damage", "performance": "keeps_gates"}
_MOVED = {
    "world": "the world moved",
    "pipeline": "our own pipeline moved it",
    "unknown": "who moved is unknown",
}


def why_trained(story: Story) -> list[Statement]:
    """The cause of the training, and who carried it out."""
    if story.release.incident is None:
        cause = [_without_incident(story)]
    else:
        found = (_incident(story), _verdict(story), _decision(story), _policy(story))
        cause = [each for each in found if each]
    trainings = [_training(story, each) for each in story.trainings]
    return [*cause, *trainings, *_made_by(story)]


def release_row(story: Story) -> Citation:
    """The row of the release that the story is about."""
    return release(story.history.use_case, story.release.version)


def release(use_case: str, version: int) -> Citation:
    """The row of a release."""
    return row("leeway.releases", use_case=use_case, version=version)


def commit(commit_id: int) -> Citation:
    """The row of a commit."""
    return row("leeway.commits", id=commit_id)


def _without_incident(story: Story) -> Statement:
    """What a schedule or a person started."""
    first = "It is the first release of the use case. " if _is_first(story) else ""
    if story.tuned is None:
        what = f"{first}What started its training"
        return unknown(TOPIC, what, story.tuned_gone, release_row(story))
    run_id = story.tuned.run_id
    cited = (release_row(story), commit(story.tuned.id))
    known = story.runs.by_id.get(run_id)
    if known is None:
        why = story.runs.problem or f"Dagster has no run {run_id} any more"
        return unknown(TOPIC, f"{first}What started its training", why, *cited)
    return Statement(TOPIC, f"{first}{_started(known.tags, known.job)}", (*cited, run(run_id)))


def _is_first(story: Story) -> bool:
    return min(each.version for each in story.history.releases) == story.release.version


def _started(tags: Mapping[str, str], job: str) -> str:
    if SCHEDULE_TAG in tags:
        return f"No incident asked for its training: the schedule {tags[SCHEDULE_TAG]} ran {job}."
    if COMMAND_TAG in tags:
        return "No incident asked for its training: it was trained by hand, by a command of leeway."
    return (
        f"No incident asked for its training: {job} was started in Dagster by neither a schedule "
        "nor a command of leeway, so by hand."
    )


def incident_row(use_case: str, incident: Incident | str) -> Citation:
    """The row of an incident."""
    digest = incident if isinstance(incident, str) else incident.digest
    return row("leeway.incidents", use_case=use_case, digest=digest)


def _incident(story: Story) -> Statement:
    found, use_case = story.incident, story.history.use_case
    if found is None:
        why = "the incident that its release names is not recorded"
        return unknown(TOPIC, "The incident that it was trained for", why, release_row(story))
    about = (
        "a release that is not recorded" if found.against is None else f"version {found.against}"
    )
    cited = [incident_row(use_case, found), release_row(story)]
    if found.run_id:  # the age of a champion is found by the controller, in no run
        cited.append(run(found.run_id))
    if found.cause == "freshness":
        text = f"{about} had become too old, while batch {found.batch} was there, unseen"
        text = text[0].upper() + text[1:]
    else:
        text = f"{found.cause.capitalize()} of {', '.join(found.columns)} was found in batch "
        text += f"{found.batch} against {about}; {_MOVED[found.origin]}"
    return Statement(TOPIC, f"{text}; found {moment(found.at)}.", tuple(cited))


def _verdict(story: Story) -> Statement | None:
    """What the node said of the batch; a champion's age has no verdict."""
    incident, found = story.incident, story.verdict
    if incident is None or incident.cause == "freshness":
        return None
    use_case = story.history.use_case
    if found is None:
        why = f"what {incident.cause} said of batch {incident.batch} then was replaced since"
        cited = incident_row(use_case, incident)
        return unknown(TOPIC, "The verdict that confirmed it", why, cited)
    said = " ".join(found.facts.get("broken_gates", ())) or found.reason
    asset, name = f"{use_case}/{found.node}", _CHECKS[incident.cause]
    held = [c for c in story.runs.found_in(found.run_id, asset) if c.name == name]
    checks = [check(asset, name, found.run_id) for _ in held[:1]]
    return Statement(
        TOPIC,
        f"The verdict on batch {incident.batch} was confirmed: {said}",
        (commit(found.id), run(found.run_id), *checks),
    )


def decision_row(decision: Decision) -> Citation:
    """The row of a decision."""
    return row("leeway.decisions", seq=decision.seq)


def _decision(story: Story) -> Statement:
    found = story.decision
    if found is None:
        why = "no decision to train for the incident is recorded"
        return unknown(TOPIC, "Who decided to train", why, release_row(story))
    text = f"The controller decided to train on {moment(found.at)}: {found.reason}"
    return Statement(TOPIC, text, (decision_row(found),))


def _policy(story: Story) -> Statement | None:
    if story.decision is None:
        return None
    digest = story.decision.policy
    content = story.definitions.get(digest)
    cited = decision_row(story.decision)
    if content is None:
        why = f"the decision of an older Leeway names the digest of the policy alone, {digest}"
        return unknown(TOPIC, "The numbers of the policy", why, cited)
    text = f"The policy was: {settings_told(content)}."
    return Statement(TOPIC, text, (cited, row("leeway.definitions", digest=digest)))


def settings_told(block: Mapping[str, Any]) -> str:
    """The names and values of a block of a use case."""
    return ", ".join(
        f"{name} {', '.join(value) if isinstance(value, list | tuple) else value}"
        for name, value in block.items()
    )


def training_row(use_case: str, found: Training) -> Citation:
    """The row of an attempt at an incident."""
    key: dict[str, str | int] = {"incident": found.incident, "attempt": found.attempt}
    return row("leeway.trainings", use_case=use_case, **key)


def _training(story: Story, found: Training) -> Statement:
    """An attempt that came to this version; a later one may have come to it again."""
    which = "" if found.incident == story.release.incident else f" at incident {found.incident}"
    ended = "" if found.ended_at is None else f", and ended {moment(found.ended_at)}"
    again = ", with the very release that the incident is about" if found.unchanged else ""
    text = f"Attempt {found.attempt}{which} began {moment(found.begun_at)}{ended}{again}."
    cited = training_row(story.history.use_case, found)
    return Statement(TOPIC, text, (cited, run(found.run_id)))


def _made_by(story: Story) -> list[Statement]:
    """By whom and from which commit the model was fitted."""
    what = "By whom, and from which commit of the project, it was fitted"
    if story.tuned is None:
        return [unknown(TOPIC, what, story.tuned_gone, release_row(story))]
    facts, cited = story.tuned.facts, (commit(story.tuned.id), run(story.tuned.run_id))
    found, user = facts.get("git_commit"), facts.get("user")
    who = (
        f"The user {user} fitted it" if user else "A user whom the system had no name for fitted it"
    )
    text = f"{who}, {moment(story.tuned.at)}"
    if "git_commit" not in facts:
        return [unknown(TOPIC, what, "it was trained by an older Leeway", *cited)]
    if found is None:
        why = "git did not answer, or does not track the project"
        return [Statement(TOPIC, f"{text}.", cited), unknown(TOPIC, "The commit", why, *cited)]
    return [Statement(TOPIC, f"{text}, from commit {found}.", (*cited, git(found)))]
