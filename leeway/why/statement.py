"""One sentence of an answer, and what it rests on.

Belongs here: the form of statements and citations. Does not belong here: any particular sentence.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

Kind = Literal["ledger", "run", "git", "object", "check"]
Topic = Literal[
    "trained because",
    "trained on",
    "chosen by",
    "judged by",
    "champion",
    "since then",
    "retraining",
    "prediction",
    "batch",
]
# What is left of a digest or a commit, and what is left out of the id of a run.
_HEX = re.compile(r"\b((?:sha256:)?[0-9a-f]{12})[0-9a-f]{28,52}\b")
_RUN = re.compile(r"(?<=\b[0-9a-f]{8})(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")


@dataclass(frozen=True)
class Citation:
    """What a statement rests on, by the key under which it can be looked up.

    `ledger`: a row, by its `table` and its key. `run`: of Dagster, by `id`. `git`: by `commit`.
    `object`: of the object store, by `digest`, with its `uri`. `check`: what a run found, by
    `asset`, `name` and `run`.
    """

    kind: Kind
    key: Mapping[str, str | int]

    def as_dict(self) -> dict[str, str | int]:
        """For JSON."""
        return {"kind": self.kind, **self.key}

    @property
    def told(self) -> str:
        """In a few words; long digests are cut, which JSON does not do."""
        key = self.key
        if self.kind == "ledger":
            found = ", ".join(str(v) for name, v in key.items() if name != "table")
            return f"{str(key['table']).removeprefix('leeway.')} {short(found)}"
        if self.kind == "object":
            return short(str(key["digest"]))
        if self.kind == "check":
            return f"check {key['asset']}.{key['name']}"
        return f"{self.kind} {short(str(key['commit' if self.kind == 'git' else 'id']))}"


def short(text: str) -> str:
    """The text with each digest, commit and run id cut to its beginning, as a person reads it."""
    return _RUN.sub("", _HEX.sub(r"\1", text))


def row(table: str, **key: str | int) -> Citation:
    """A row of a table of the ledger, by its key."""
    return Citation("ledger", {"table": table, **key})


def run(run_id: str) -> Citation:
    """A run of Dagster."""
    return Citation("run", {"id": run_id})


def git(commit: str) -> Citation:
    """A commit of the project; one of changed files ends in `-dirty`."""
    return Citation("git", {"commit": commit})


def stored(digest: str, uri: str) -> Citation:
    """An object of the store."""
    return Citation("object", {"digest": digest, "uri": uri})


def check(asset: str, name: str, run_id: str) -> Citation:
    """What a run found at a check of a node; `asset` is such as `penguins/drift`."""
    return Citation("check", {"asset": asset, "name": name, "run": run_id})


@dataclass(frozen=True)
class Statement:
    """A sentence of an answer; `known` is false where a fact is missing, and the text says why."""

    topic: Topic
    text: str
    rests_on: tuple[Citation, ...] = ()
    known: bool = True

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "topic": self.topic,
            "text": self.text,
            "known": self.known,
            "citations": [each.as_dict() for each in self.rests_on],
        }


def unknown(topic: Topic, what: str, why: str, *rests_on: Citation) -> Statement:
    """What is not known, and why not."""
    return Statement(topic, f"{what}: unknown, {why}", rests_on, known=False)


@dataclass(frozen=True)
class Answer:
    """The statements about one thing, in the order in which they follow from each other.

    `about` has what names it, such as its use case and version, for JSON.
    """

    title: str
    about: Mapping[str, Any]
    statements: Sequence[Statement]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**self.about, "statements": [each.as_dict() for each in self.statements]}


def moment(at: datetime) -> str:
    """A time as a person reads it, to the second."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def some(names: Sequence[str], most: int = 8) -> str:
    """The names, or the first and the last of them and how many there are."""
    if not names:
        return "none"
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[: most - 1])}, … {names[-1]} ({len(names)} in all)"
