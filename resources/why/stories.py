"""What was recorded of one version.

Belongs here: the rows and objects of a release. Does not belong here: the use case as a whole
(`resources.why.history`), or what happened to it later (`resources.why.later`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from leeway.why.facts import (
    Commit,
    Decision,
    Gone,
    History,
    Incident,
    Lineage,
    Release,
    Story,
    Training,
)
from resources.settings import Settings
from resources.why.commits import commits, definitions_of, lineage_of
from resources.why.history import DECISION, TRAINING
from resources.why.later import incidents, looks_at, metrics_of, scored
from resources.why.reading import Objects, read_json
from resources.why.runs import runs_of

if TYPE_CHECKING:
    import psycopg2.extensions

_RELEASE = (
    "select version, digest, training_key, algorithm, verdict, reason, facts, incident, run_id, "
    "released_at from leeway.releases where (use_case, version) = (%s, %s)"
)
_TRAININGS = (
    f"select {TRAINING} "  # noqa: S608  # a literal
    "from leeway.trainings where (use_case, version) = (%s, %s) order by begun_at"
)
_DECISION = (
    f"select {DECISION} from leeway.decisions where use_case = %s and incident = %s "  # noqa: S608
    "and action = 'retrain' and attempt = %s order by seq limit 1"
)


@dataclass(frozen=True)
class Cause:
    """What is recorded of why a version was trained; `decision` is that of the first training."""

    incident: Incident | None
    verdict: Commit | None
    trainings: Sequence[Training]
    decision: Decision | None


def story_of(
    cursor: psycopg2.extensions.cursor,
    settings: Settings,
    objects: Objects,
    history: History,
    version: int,
) -> Story:
    """The story of a version that is among the releases of the history."""
    name = history.use_case
    cursor.execute(_RELEASE, (name, version))
    (row,) = cursor.fetchall()
    made = Release(*row)
    cause, looks = _cause(cursor, name, made), looks_at(cursor, name, version)
    tuned, training_set, lineage = _made_from(cursor, name, made)
    gone = Gone(Story.tuned_gone)
    if tuned is not None and tuned.at > made.at:  # who made it again says nothing of this version
        tuned, gone = None, Gone("its training was made again since, in its place")
    cited = [each for each in (tuned, training_set, *lineage.clean.values()) if each]
    policies = [cause.decision.policy] if cause.decision else []
    newest = {each.node: each for each in looks}.values()
    shown = [*cited, *newest, *([cause.verdict] if cause.verdict else [])]
    manifest = read_json(objects, str(made.facts.get("uri", "")), made.digest)
    return Story(
        history,
        made,
        cause.incident,
        cause.verdict,
        cause.trainings,
        cause.decision,
        tuned,
        training_set,
        lineage,
        definitions_of(cursor, [*(each.version for each in cited), *policies]),
        manifest,
        _file(objects, manifest, "model_selection"),
        gone if tuned is None else _tuning(objects, manifest, tuned),
        looks,
        metrics_of(cursor, name, version, looks),
        incidents(cursor, name, "release_digest", made.digest),
        scored(cursor, name, "version", version),
        runs_of(settings, [made.run_id, *(each.run_id for each in shown)]),
        tuned_gone=gone.why,
    )


def _made_from(
    cursor: psycopg2.extensions.cursor, name: str, made: Release
) -> tuple[Commit | None, Commit | None, Lineage]:
    """The commits of the model and of its training set, and the batches in it."""
    tuned = commits(
        cursor,
        "use_case = %s and node = 'tuned_model' and input_digest = %s",
        (name, made.training_key),
    )
    training_set = commits(
        cursor,
        "use_case = %s and node = 'training_set' and digest = %s "
        "order by committed_at <= %s desc, committed_at desc",
        (name, made.facts.get("training_set"), made.at),
    )
    found = training_set[0] if training_set else None
    lineage = lineage_of(cursor, name, found.facts["batches"], found) if found else Lineage()
    return tuned[0] if tuned else None, found, lineage


def _cause(cursor: psycopg2.extensions.cursor, name: str, made: Release) -> Cause:
    cursor.execute(_TRAININGS, (name, made.version))
    trainings = [Training(*row) for row in cursor.fetchall()]
    if made.incident is None:
        return Cause(None, None, trainings, None)
    found = incidents(cursor, name, "digest", made.incident)
    attempt = next((t.attempt for t in trainings if t.incident == made.incident), None)
    cursor.execute(_DECISION, (name, made.incident, attempt))
    decided = cursor.fetchone()
    verdict: list[Commit] = []
    if found:
        verdict = commits(
            cursor,
            "use_case = %s and node in (%s, 'traffic_' || %s) and batch = %s "
            "and facts ->> 'incident' = %s order by committed_at desc limit 1",
            (name, found[0].cause, found[0].cause, found[0].batch, made.incident),
        )
    return Cause(
        found[0] if found else None,
        verdict[0] if verdict else None,
        trainings,
        Decision(*decided) if decided else None,
    )


def _file(objects: Objects, manifest: Mapping[str, Any] | Gone, name: str) -> Any:
    """The JSON of a file that a manifest names."""
    if isinstance(manifest, Gone):
        return manifest
    entry = manifest["files"].get(name)
    if entry is None:
        return Gone(f"the release of an older Leeway names no {name}")
    return read_json(objects, entry["uri"], entry["digest"])


def _tuning(objects: Objects, manifest: Mapping[str, Any] | Gone, tuned: Commit) -> Any:
    """What the tuning held, if it is still that of the release."""
    found = read_json(objects, tuned.uri, tuned.digest)
    if isinstance(found, Gone) or isinstance(manifest, Gone):
        return found
    if found["model"]["digest"] != manifest["files"]["model"]["digest"]:
        return Gone("the training was made again since, and came to another model")
    return found
