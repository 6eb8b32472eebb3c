"""What `leeway why` takes: on a small ledger, and on one of thousands of batches.

    .venv/bin/python -W ignore -m benchmarks.why --repetitions 10

Belongs here: the seconds of the command, beside those of `leeway --help`, which only starts.
Does not belong here: whether what is said is right (tests/graph/test_why.py).
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.timing import compare, installation_at, say

if TYPE_CHECKING:
    from resources.platform import Platform

FEW, MANY, SECONDS = 4, 2000, 0.5
SEARCH = {"seed": 42, "folds": 5, "trials": 30}
# Each batch with what a run commits of it, and 1,000 bytes of effects in each verdict.
_GROW = """
    with numbers as (
        select 'b' || to_char(n, 'FM00000') as batch from generate_series(1, %(n)s) as n),
    known as (insert into leeway.batches (use_case, batch) select %(name)s, batch from numbers),
    nodes (node, facts) as (values %(nodes)s),
    made as (
        insert into leeway.commits
            (use_case, node, batch, input_digest, token, digest, uri, rows, facts, run_id, version,
             inputs)
        select %(name)s, node, batch, node || batch, 1, 'sha256:' || node || batch, 'file:///none',
            100, facts::jsonb, 'run-' || batch, 'sha256:code', case node
                when 'clean' then jsonb_build_object('staged@' || batch, 'sha256:raw' || batch)
                else '{}' end
        from numbers, nodes returning id, node, batch)
    insert into leeway.current (use_case, node, batch, commit_id)
    select %(name)s, node, batch, id from made
"""


def grow(name: str, batches: int) -> None:
    """A use case with so many batches, all of them in the training set of its one release."""
    from psycopg2.extensions import AsIs

    from resources.platform import Platform
    from resources.postgres import transaction

    raw = {"source": "folder x", "origin": "real", "rows": 101, "rejected": 1, "reasons": {},
           "source_digest": "sha256:given"}  # fmt: skip
    look = {"verdict": "none", "reason": "Nothing moved.", "version": 1, "trained_on": True,
            "effects": "x" * 1000}  # fmt: skip
    nodes = {"raw": raw, "clean": {}, "drift": look, "damage": look, "performance": look}
    values = ", ".join(f"('{node}', '{json.dumps(facts)}')" for node, facts in nodes.items())
    platform = Platform()
    with transaction(platform.settings) as cursor:
        cursor.execute(_GROW, {"n": batches, "name": name, "nodes": AsIs(values)})
    _release(name, platform, platform.ledger.batches(name))
    with transaction(platform.settings) as cursor:
        cursor.execute("analyze")


def _release(name: str, platform: Platform, batches: list[str]) -> None:
    """The release on all of the batches, with the files that an answer reads."""
    from datetime import UTC, datetime

    from resources.definitions import Lineage
    from resources.releases import Release, promote_in

    def put(content: Mapping[str, Any]) -> dict[str, Any]:
        stored = platform.store.put("models", name, "json", json.dumps(content).encode())
        return {"digest": stored.digest, "uri": stored.uri}

    def commit(node: str, facts: Mapping[str, Any], entry: Mapping[str, Any]) -> None:
        read = {f"clean@{b}": f"sha256:clean{b}" for b in batches if node == "training_set"}
        platform.ledger.commit(
            platform.ledger.begin(name, node, "", "run"), input_digest="key", rows=1, facts=facts,
            lineage=Lineage(read, {"code": "sha256:1", "fields": {"split": {}, "search": SEARCH}}),
            **entry,
        )  # fmt: skip

    model = {"digest": "sha256:model", "uri": "file:///none"}
    chosen = put({"metric": "mae", "winner": "tree", "candidates": []})
    files = {"model_selection": chosen, "model": model, "golden": model}
    manifest = put({"decision": {"gates": [], "comparison": None}, "files": files})
    tuned = {"algorithm": "tree", "metric": "mae", "value": 1.0, "chosen": 0, "trials": [],
             "parameters": {}, "model": model}  # fmt: skip
    commit("tuned_model", {"git_commit": None, "user": "u"}, put(tuned))
    commit("training_set", {"batches": batches}, put({"training": name}))
    training_set = platform.ledger.require(name, "training_set").digest
    facts = {"uri": manifest["uri"], "batches": batches, "training_set": training_set,
             "judged_against": None}  # fmt: skip
    made = Release(name, 1, manifest["digest"], "key", "tree", "promote", "made up", facts, None,
                   "run", datetime.now(UTC))  # fmt: skip

    def record(cursor: Any) -> None:
        platform.releases.record(cursor, made)
        promote_in(cursor, name, 1, None, "made up")

    attempt = platform.ledger.begin(name, "release", "", "run")
    platform.ledger.commit(attempt, input_digest="r", rows=1, facts={}, also=record, **manifest)


def main() -> int:
    """Prints the medians; 1 where the small ledger takes longer than the limit."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--repetitions", type=int, default=10)
    repetitions = arguments.parse_args().repetitions
    with tempfile.TemporaryDirectory(prefix="leeway-") as name, installation_at(Path(name)):
        for use_case, batches in (("few", FEW), ("many", MANY)):
            grow(use_case, batches)
        leeway = [sys.executable, "-W", "ignore", "-m", "cli.main"]
        commands = {
            "leeway --help": [*leeway, "--help"],
            f"{FEW} batches": [*leeway, "why", "few"],
            f"{MANY} batches": [*leeway, "why", "many"],
            f"{MANY}, --json": [*leeway, "why", "many", "--json"],
        }
        found = compare(commands, repetitions, Path(name))
    for command, times in found.items():
        say(
            f"{command:<20} {statistics.median(times.wall):.2f} s ({min(times.wall):.2f} to "
            f"{max(times.wall):.2f}), CPU {statistics.median(times.cpu):.2f} s"
        )
    # Of CPU: what others use of the machine is left out.
    kept = statistics.median(found[f"{FEW} batches"].cpu) <= SECONDS
    say(f"limit {SECONDS:g} s of CPU for {FEW} batches: {'kept' if kept else 'MISSED'}")
    return 0 if kept else 1


if __name__ == "__main__":
    raise SystemExit(main())
