"""Whether the profile of a batch, and the verdict on it, cost more after a thousand batches.

    .venv/bin/python -W ignore -m benchmarks.batches

Belongs here: a use case with few batches and one with many, and the steps `profile` and `drift` of
its last batches, in turn, as Dagster times them. Does not belong here: the sensor
(`benchmarks.controller`), or how a verdict's cost grows with rows (`benchmarks.drift`).

The past of both is written through the store, the ledger and PostgreSQL, as runs would have written
it, with a verdict for each batch; the view `staged` is the table `raw`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.timing import installation_at, say

if TYPE_CHECKING:
    import dagster as dg
    import pyarrow as pa

    from assets.stage import Stage
    from resources.platform import Platform

FEW, MANY, RATIO = 10, 1000, 1.1
ROWS = 500
NODES = ("profile", "drift")


def rows_of(stage: Stage, number: int) -> pa.Table:
    """The rows of a batch: penguins drawn with replacement, under keys of their own."""
    import numpy as np
    import palmerpenguins
    import pyarrow as pa

    drawn = palmerpenguins.load_penguins().sample(ROWS, replace=True, random_state=number)
    known = pa.Table.from_pandas(drawn, preserve_index=False)
    keys = pa.array(np.arange(ROWS) + number * ROWS)
    names = [column.name for column in stage.use_case.columns]
    columns = {name: keys if name not in known.column_names else known[name] for name in names}
    return pa.table(columns)


class Past:
    """A use case under another name, and the batches that it has had."""

    def __init__(self, name: str, platform: Platform) -> None:
        from assets.stage import stage_of
        from leeway.drift.declared import profile_table
        from leeway.drift.stored import Stored, to_bytes
        from orchestration.use_cases import find_use_case

        self.stage = stage_of(name, find_use_case("penguins"))
        self.platform = platform
        first = rows_of(self.stage, 0)
        profile = profile_table(first, self.stage.use_case.columns)
        self.profile = to_bytes(Stored({"train": profile, "clean": profile}))

    def begin(self) -> None:
        """The tables, and a champion that was trained on the first batch."""
        from assets.loading import ADDED_COLUMNS
        from leeway.data.values import POSTGRES_TYPES
        from resources.postgres import transaction
        from resources.warehouse import ensure_table

        name = self.stage.name
        declared = {c.name: POSTGRES_TYPES[c.type] for c in self.stage.use_case.columns}
        with transaction(self.platform.settings) as cursor:
            ensure_table(cursor, name, "raw", {**declared, **ADDED_COLUMNS})
            made = f"create view {name}.staged as select * from {name}.raw"  # noqa: S608  # its own
            cursor.execute(made)
        self.arrive(0)
        self.release()

    def arrive(self, number: int) -> str:
        """A batch is there, clean."""
        import pyarrow as pa

        from leeway.data.tables import to_parquet
        from resources.postgres import transaction
        from resources.warehouse import replace_batch

        batch, rows = f"b{number:05d}", rows_of(self.stage, number)
        self.platform.ledger.register_batches(self.stage.name, [batch])
        with transaction(self.platform.settings) as cursor:
            given = rows.append_column("batch_id", pa.array([batch] * ROWS))
            replace_batch(cursor, self.stage.name, "raw", batch, given)
        self.commit("clean", batch, "parquet", to_parquet(rows), {})
        return batch

    def judge(self, batch: str, facts: dict[str, Any]) -> None:
        """A batch was profiled and judged, as one before it was."""
        span = {"since": None, "until": None}
        self.commit("profile", batch, "arrow", self.profile, span)
        self.commit("drift", batch, "json", b"{}", facts)

    def commit(
        self,
        node: str,
        batch: str,
        suffix: str,
        data: bytes,
        facts: Mapping[str, Any],
        also: Any = None,
    ) -> str:
        """A node's result in store and ledger; its digest."""
        stored = self.platform.store.put("reports", self.stage.name, suffix, data)
        attempt = self.platform.ledger.begin(self.stage.name, node, batch, "")
        self.platform.ledger.commit(
            attempt, input_digest=stored.digest, digest=stored.digest, uri=stored.uri, rows=ROWS,
            facts=facts, also=also,
        )  # fmt: skip
        return stored.digest

    def release(self) -> None:
        """The champion, with its reference."""
        from datetime import UTC, datetime

        from resources.releases import Release, promote_in

        put, name = self.platform.store.put, self.stage.name
        reference = put("reports", name, "arrow", self.profile)
        entry = {"digest": reference.digest, "uri": reference.uri}
        manifest = {"batches": ["b00000"], "files": {"reference_profile": entry}}
        stored = put("models", name, "json", json.dumps(manifest).encode())
        made = Release(
            use_case=name, version=1, digest=stored.digest, training_key=name, algorithm="ridge",
            verdict="promote", reason="made up",
            facts={"batches": ["b00000"], "awaits_person": False, "uri": stored.uri},
            incident=None, run_id="", released_at=datetime.now(UTC),
        )  # fmt: skip

        def record(cursor: Any) -> None:
            self.platform.releases.record(cursor, made)
            promote_in(cursor, name, 1, None, "made up")

        self.commit("release", "", "json", b"{}", {}, record)


class Steps:
    """The nodes of a use case, run by Dagster."""

    def __init__(self, past: Past, instance: dg.DagsterInstance) -> None:
        from assets import drift, profile

        self.past, self.instance = past, instance
        self.assets = [profile.build(past.stage), drift.build(past.stage)]

    def seconds(self, batch: str) -> dict[str, float]:
        """Of each step, on one batch."""
        import dagster as dg

        from orchestration.build import default_resources

        self.instance.add_dynamic_partitions(f"{self.past.stage.name}_batches", [batch])
        ran = dg.materialize(
            self.assets,
            instance=self.instance,
            resources=default_resources(),
            partition_key=batch,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
        found = {}
        for event in ran.all_events:
            if event.event_type is dg.DagsterEventType.STEP_SUCCESS and event.step_key:
                node = event.step_key.rpartition("__")[2]
                found[node] = event.step_success_data.duration_ms / 1e3
        return {node: found[node] for node in NODES}


def measure(repetitions: int) -> bool:
    """Times both use cases in turn; whether the limit is kept."""
    from resources.instance import open_instance
    from resources.platform import Platform
    from resources.postgres import transaction

    platform = Platform()
    with open_instance() as instance:
        steps = {}
        for name, batches in (("few", FEW), ("many", MANY)):
            past = Past(name, platform)
            past.begin()
            steps[batches] = Steps(past, instance)
            first = past.arrive(1)
            steps[batches].seconds(first)
            facts = platform.ledger.require(name, "drift", first).facts
            for number in range(2, batches):
                past.judge(past.arrive(number), dict(facts))
        with transaction(platform.settings) as cursor:
            cursor.execute("analyze")
        times: dict[int, list[dict[str, float]]] = {FEW: [], MANY: []}
        for repetition in range(repetitions + 3):
            for batches, found in list(steps.items())[:: -1 if repetition % 2 else 1]:
                taken = found.seconds(found.past.arrive(batches + repetition))
                if repetition >= 3:
                    times[batches].append(taken)
    kept = [_told(node, times) for node in NODES]
    return all(kept)


def _told(node: str, times: dict[int, list[dict[str, float]]]) -> bool:
    pairs = zip(times[FEW], times[MANY], strict=True)
    ratio = statistics.median(many[node] / few[node] for few, many in pairs)
    for batches, found in times.items():
        median = statistics.median(each[node] for each in found)
        say(f"{node} of a batch after {batches:>4} batches: {median * 1e3:.0f} ms")
    kept = ratio <= RATIO
    say(f"  ratio {ratio:.3f} (median of {len(times[FEW])} pairs); limit {RATIO}: "
        f"{'kept' if kept else 'MISSED'}")  # fmt: skip
    return kept


def main() -> int:
    """Prints both figures; 1 where one misses its limit."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.batches")
    parser.add_argument("repetitions", type=int, nargs="?", default=30)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="leeway-") as folder, installation_at(Path(folder)):
        return 0 if measure(asked.repetitions) else 1


if __name__ == "__main__":
    raise SystemExit(main())
