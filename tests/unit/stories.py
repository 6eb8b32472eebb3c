"""A version that was recorded in full, for tests of what is said of it.

Belongs here: rows as the ledger has them. Does not belong here: what is said.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from leeway.why.facts import (
    Batch,
    Check,
    Commit,
    Decision,
    Head,
    History,
    Incident,
    Lineage,
    Move,
    Release,
    Run,
    Runs,
    Story,
    Training,
)

AT = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
POLICY: dict[str, Any] = {"on": ["drift"], "confirm_after": 1, "cooldown": "1d", "budget": 5}
SEARCH: dict[str, Any] = {"seed": 42, "folds": 5, "trials": 30}


def made(number: int, node: str, batch: str = "", **changes: Any) -> Commit:
    """A commit of which everything is recorded."""
    found = Commit(
        number, node, batch, f"sha256:{node}{batch}", f"file:///{node}{batch}", 100, {}, "run",
        AT, f"sha256:code-of-{node}", {},
    )  # fmt: skip
    return found._replace(**changes)


def decision(**changes: Any) -> Decision:
    """The decision to train for the incident."""
    found = Decision(
        7, AT, "confirmed", "retrain", "sha256:incident", 1, "drift", "Attempt 1 of 3.",
        "the world changed: train", "sha256:policy",
    )  # fmt: skip
    return found._replace(**changes)


def incident(**changes: Any) -> Incident:
    """The incident that version 2 was trained for."""
    found = Incident(
        "sha256:incident", "2011", ["x"], "sha256:release-1", "look", AT, "drift", "world", 1
    )
    return found._replace(**changes)


def history(**changes: Any) -> History:
    """Two versions, of which the second is champion."""
    heads = [
        Head(1, "sha256:release-1", "promote", "This is the first release.", False, AT),
        Head(2, "sha256:release-2", "promote", "It is better.", False, AT),
    ]
    moves = [
        Move(1, 1, None, "promote", "leeway", "This is the first release.", AT),
        Move(2, 2, 1, "promote", "leeway", "It is better.", AT),
    ]
    found = History("u", heads, moves, [decision()], [], {"raw": 2, "clean": 2, "release": 1})
    return replace(found, **changes)


def story(**changes: Any) -> Story:
    """The story of version 2, which was trained for drift and promoted."""
    facts = {
        "uri": "file:///release-2",
        "training_set": "sha256:training_set",
        "judged_against": 1,
        "batches": ["2010", "2011"],
    }
    inputs = {"clean@2010": "sha256:clean2010", "clean@2011": "sha256:clean2011"}
    found = Story(
        history(),
        Release(2, "sha256:release-2", "key", "tree", "promote", "It is better.", facts,
                "sha256:incident", "train", AT),
        incident(),
        made(41, "drift", "2011", run_id="look",
             facts={"reason": "x moved.", "verdict": "confirmed"}),
        [Training("sha256:incident", 1, "train", AT, 2, False, None, AT)],
        decision(),
        made(46, "tuned_model", run_id="train", facts={"git_commit": "abc", "user": "ann"}),
        made(43, "training_set", inputs=inputs,
             facts={"batches": ["2010", "2011"], "train": 80, "test": 20, "unlabelled": 3}),
        lineage(),
        definitions(),
        manifest(),
        selection(),
        tuning(),
        runs=Runs(
            {"train": Run("train", "u_retrain", "SUCCESS", {})},
            [Check("u/release", "passes_gates", "train", "SUCCEEDED"),
             Check("u/drift", "no_drift", "look", "FAILED")],
        ),
    )  # fmt: skip
    return replace(found, **changes)


def lineage() -> Lineage:
    """Two batches, back to their source."""
    raw = {"source": "folder x", "origin": "real", "rows": 101, "rejected": 1,
           "reasons": {"x: below 0": 1}, "source_digest": "sha256:given"}  # fmt: skip
    batches = ["2010", "2011"]
    return Lineage(
        {b: made(10 + i, "clean", b, inputs={f"staged@{b}": f"sha256:raw{b}"})
         for i, b in enumerate(batches)},
        {b: made(i, "raw", b, facts=raw) for i, b in enumerate(batches)},
        {b: Batch(b, AT) for b in batches},
    )  # fmt: skip


def definitions() -> dict[str, Any]:
    """The contents of the digests that the rows name."""
    return {
        "sha256:policy": POLICY,
        "sha256:code-of-tuned_model": {"code": "sha256:c", "fields": {"search": SEARCH}},
        "sha256:code-of-training_set": {"code": "sha256:d", "fields": {"split": {"seed": 42}}},
        "sha256:code-of-clean": {"code": "sha256:e", "fields": {}},
    }


def manifest(**decided: Any) -> dict[str, Any]:
    """What a release holds, as far as it is told."""
    gate = {"metric": "mae", "bound": "at most 3", "value": 2.0, "passed": True,
            "reason": "mae is 2 on 20 rows, which keeps at most 3."}  # fmt: skip
    compared = {"metric": "absolute error", "difference": -0.5, "low": -0.9, "high": -0.1,
                "rows": 20, "champion": 2.5}  # fmt: skip
    entry = {"digest": "sha256:file", "uri": "file:///file"}
    return {
        "decision": {"gates": [gate], "comparison": compared, **decided},
        "files": {"model_selection": entry, "golden": entry, "model": entry},
    }


def selection() -> dict[str, Any]:
    """A comparison of two algorithms."""
    good = {"name": "tree", "mean": 2.0, "std": 0.1, "error": None}
    bad = {"name": "forest", "mean": None, "std": None, "error": "no memory"}
    choices = {"imputation": {"x": "median"}, "clusters": {}}
    return {"metric": "mae", "winner": "tree", "candidates": [good, bad], "choices": choices}


def tuning() -> dict[str, Any]:
    """A search over parameters."""
    return {
        "algorithm": "tree", "metric": "mae", "value": 1.9, "gain": 0.1, "gain_error": 0.05,
        "chosen": 4, "trials": [{}] * 30, "parameters": {"depth": 3},
    }  # fmt: skip
