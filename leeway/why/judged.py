"""What released, held or rejected a version: its gates, and the champion on the same rows.

Belongs here: the evidence of the verdict. Does not belong here: who moved the champion
(`leeway.why.moved`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from leeway.why.chosen import manifest_object
from leeway.why.facts import Gone, Story
from leeway.why.statement import Citation, Statement, Topic, check, moment, run, stored, unknown
from leeway.why.trained import release, release_row

TOPIC: Final[Topic] = "judged by"
VERDICTS = {"promote": "released", "hold": "held", "reject": "rejected"}


def how_judged(story: Story) -> list[Statement]:
    """Gates, the comparison, the proof for serving, and the verdict."""
    if isinstance(story.manifest, Gone):
        found = [unknown(TOPIC, "Gates and comparison", story.manifest.why, release_row(story))]
    else:
        decision = story.manifest["decision"]
        found = [*_gates(story, decision), _comparison(story, decision), _golden(story)]
    return [*found, _verdict(story)]


def _gates(story: Story, decision: Mapping[str, Any]) -> list[Statement]:
    asset = f"{story.history.use_case}/release"
    held = story.runs.found_in(story.release.run_id, asset)
    checks = [check(asset, each.name, each.run_id) for each in held]
    cited = (manifest_object(story), *checks)
    if not decision["gates"]:
        return [Statement(TOPIC, "No gate is declared.", cited)]
    return [
        Statement(TOPIC, f"Gate {'kept' if gate['passed'] else 'broken'}: {gate['reason']}", cited)
        for gate in decision["gates"]
    ]


def _comparison(story: Story, decision: Mapping[str, Any]) -> Statement:
    facts, found = story.release.facts, decision["comparison"]
    cited: tuple[Citation, ...] = (manifest_object(story), release_row(story))
    rival = facts.get("judged_against")
    whom = f"version {rival}"
    if "judged_against" not in facts:
        whom = "a champion whose version an older Leeway did not record"
    if found is None:
        failing = any(not gate["passed"] for gate in decision["gates"])
        why = "no version was champion"
        if rival is not None or "judged_against" not in facts:
            why = f"against {whom}, " + ("a gate was broken" if failing else "see the verdict")
        return Statement(TOPIC, f"It was not compared on the same rows: {why}.", cited)
    if rival is not None:
        cited = (*cited, release(story.history.use_case, rival))
    text = f"Beside {whom} on the same {found['rows']} held-out rows, which neither was fitted on"
    if found["difference"] is None:
        return Statement(TOPIC, f"{text}, there was nothing to compare.", cited)
    text += f", its mean {found['metric']} differs by {found['difference']:+.4g}"
    if found["low"] is None:
        text += "; too few rows for an interval"
    else:
        text += f" (95 % interval {found['low']:+.4g} to {found['high']:+.4g}; below 0 is better)"
    return Statement(TOPIC, f"{text}.", cited, known="judged_against" in facts)


def _golden(story: Story) -> Statement:
    entry = not isinstance(story.manifest, Gone) and story.manifest["files"].get("golden")
    if not entry:
        why = "it was released by an older Leeway, without golden rows"
        return unknown(
            TOPIC, "Whether a service makes the same of its rows", why, release_row(story)
        )
    text = "A service has to make the same bits of its golden rows before it serves it."
    return Statement(TOPIC, text, (stored(entry["digest"], entry["uri"]),))


def _verdict(story: Story) -> Statement:
    """As it was given; what a person did with it later is a move."""
    found = story.release
    text = f"It was {VERDICTS[found.verdict]}, {moment(found.at)}: {found.reason}"
    return Statement(TOPIC, text, (release_row(story), run(found.run_id)))
