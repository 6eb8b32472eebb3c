"""How a model was chosen: the comparison of algorithms, the tuning, and the seed.

Belongs here: what the training part decided. Does not belong here: what held-out rows said of the
model (`leeway.why.judged`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from leeway.why.facts import Gone, Story
from leeway.why.statement import Citation, Statement, Topic, row, some, stored, unknown
from leeway.why.trained import commit, release_row

TOPIC: Final[Topic] = "chosen by"


def how_chosen(story: Story) -> list[Statement]:
    """Algorithm, parameters and seed."""
    return [*_selection(story), _tuning(story), _seed(story)]


def manifest_object(story: Story) -> Citation:
    """The manifest of the release."""
    return stored(story.release.digest, str(story.release.facts.get("uri", "")))


def _selection(story: Story) -> list[Statement]:
    found = story.selection
    if isinstance(found, Gone):
        return [unknown(TOPIC, "The comparison of algorithms", found.why, release_row(story))]
    cited = (_file(story, "model_selection"), manifest_object(story))
    scores = [_score(each) for each in found["candidates"]]
    text = f"By {found['metric']} in cross-validation on the training part, {found['winner']} was "
    text += f"chosen of {some(scores)}."
    told = [Statement(TOPIC, text, cited)]
    if choices := _choices(found.get("choices", {})):
        told.append(Statement(TOPIC, f"Chosen before it: {choices}.", cited))
    return told


def _score(candidate: Mapping[str, Any]) -> str:
    if candidate["error"] is not None or candidate["mean"] is None:
        return f"{candidate['name']} (failed: {candidate['error']})"
    return f"{candidate['name']} {candidate['mean']:.4g} ± {candidate['std']:.2g}"


def _choices(choices: Mapping[str, Mapping[str, Any]]) -> str:
    return "; ".join(
        f"{what} of {some([f'{name}: {value}' for name, value in values.items()])}"
        for what, values in choices.items()
        if values
    )


def _file(story: Story, name: str) -> Citation:
    """A file that the manifest names."""
    if isinstance(story.manifest, Gone):
        return manifest_object(story)
    entry = story.manifest["files"][name]
    return stored(entry["digest"], entry["uri"])


def _tuning(story: Story) -> Statement:
    found = story.tuning
    if isinstance(found, Gone) or story.tuned is None:
        why = found.why if isinstance(found, Gone) else "its commit is not recorded any more"
        return unknown(TOPIC, "How its parameters were tuned", why, release_row(story))
    shown = some([f"{name} {value}" for name, value in found["parameters"].items()])
    text = f"{found['algorithm']} was tuned in {len(found['trials'])} trials; trial "
    text += f"{found['chosen']} was taken, with {found['metric']} {found['value']:.4g}"
    if found.get("gain") is not None:
        text += (
            f", {found['gain']:+.2g} (standard error {found['gain_error']:.2g}) over the defaults"
        )
    cited = (commit(story.tuned.id), stored(story.tuned.digest, story.tuned.uri))
    return Statement(TOPIC, f"{text}; parameters that were searched: {shown}.", cited)


def _seed(story: Story) -> Statement:
    tuned = story.tuned
    definition = story.definitions.get(tuned.version or "") if tuned else None
    if tuned is None or definition is None:
        why = "the model was trained by an older Leeway, which did not record it"
        return unknown(TOPIC, "The seed of the search", why, release_row(story))
    search = definition["fields"]["search"]
    text = f"The seed was {search['seed']}, with {search['folds']} folds and at most "
    text += f"{search['trials']} trials; code version {definition['code']}."
    cited = (commit(tuned.id), row("leeway.definitions", digest=str(tuned.version)))
    return Statement(TOPIC, text, cited)
