"""The controller's speed, and whether a tick of the sensor costs more after many batches.

    .venv/bin/python -W ignore -m benchmarks.controller

Belongs here: ticks of the pure controller, and of the sensor over the ledger and Dagster's runs.
Does not belong here: whether what is decided is right (tests/unit/test_controller_world.py).
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any

from benchmarks.timing import installation_at, say

if TYPE_CHECKING:
    from dagster import DagsterInstance

    from assets.stage import Stage
    from resources.platform import Platform

TICKS, SECONDS = 100_000, 10.0
FEW, MANY, RATIO = 10, 1000, 1.1
NOW = datetime(2026, 11, 22, tzinfo=UTC)


def pure() -> bool:
    """Ticks of the controller over what the sensor reads at most of each."""
    from leeway.controller.facts import Facts, Incident, Intent, Look, Training
    from leeway.controller.machine import decide
    from leeway.spec import Retraining

    day = timedelta(days=1)
    facts = Facts(
        looks=[Look(str(n), "confirmed") for n in range(50)],
        incidents=[Incident(f"i{n}", str(n), ("x",), NOW) for n in range(50)],
        intents=[Intent(f"i{n}", 1, NOW - n * day) for n in range(5)],
        trainings=[
            Training(f"i{n}", 1, NOW - n * day, NOW - n * day, "held") for n in range(20, 0, -1)
        ],
    )
    policy = Retraining(confirm_after=2)
    began = process_time()  # nothing is waited for: what others use of the machine is left out
    for second in range(TICKS):
        decide(facts, policy, NOW + timedelta(seconds=second))
    seconds = process_time() - began
    kept = seconds < SECONDS
    each = seconds / TICKS * 1e6
    say(f"{TICKS:,} ticks of the controller: {seconds:.2f} s of CPU ({each:.0f} us each); "
        f"limit {SECONDS:g} s: {'kept' if kept else 'MISSED'}")  # fmt: skip
    return kept


def grow(stage: Stage, platform: Platform, instance: DagsterInstance, batches: range) -> None:
    """Batches that drifted, with their runs and commits; each tenth was trained for and held."""
    import dagster as dg

    from assets.requested import ATTEMPT_TAG, INCIDENT_TAG
    from leeway.controller.facts import incident_digest
    from orchestration.jobs import retrain_job_name
    from resources.releases import insert_incident
    from resources.trainings import Asked

    champion = platform.releases.champion(stage.name)
    assert champion is not None  # noqa: S101  # begun() made one
    success = dg.DagsterRunStatus.SUCCESS
    for number in batches:
        batch = f"b{number:05d}"
        platform.ledger.register_batches(stage.name, [batch])
        digest = incident_digest(stage.name, champion.digest, batch, ["x"])
        incident = partial(
            insert_incident, use_case=stage.name, digest=digest, batch=batch, columns=["x"],
            release_digest=champion.digest, run_id="",
        )  # fmt: skip
        drift = {"verdict": "confirmed", "version": champion.version, "trained_on": False}
        for node, facts, also in (("clean", {}, None), ("drift", drift, incident)):
            commit(stage, platform, node, batch, facts, also)
            selection = frozenset({stage.key(node)})
            instance.add_run(
                dg.DagsterRun(
                    "__ASSET_JOB", str(uuid.uuid4()), status=success, asset_selection=selection
                )
            )
        if number % 10 == 0:
            tags = {INCIDENT_TAG: digest, ATTEMPT_TAG: "1"}
            run = dg.DagsterRun(
                retrain_job_name(stage.name), str(uuid.uuid4()), status=success, tags=tags
            )
            instance.add_run(run)
            platform.trainings.claim(stage.name, Asked(digest, 1), run.run_id)
            release(stage, platform, run.run_id, digest, champion.version)


def commit(
    stage: Stage, platform: Platform, node: str, batch: str, facts: Mapping[str, Any], also: Any
) -> None:
    """A node's result in the ledger."""
    attempt = platform.ledger.begin(stage.name, node, batch, "")
    digest = f"sha256:{uuid.uuid4()}"
    platform.ledger.commit(
        attempt, input_digest=digest, digest=digest, uri="file:///none", rows=1,
        facts=facts, also=also,
    )  # fmt: skip


def release(
    stage: Stage, platform: Platform, run_id: str, incident: str | None, judged: int | None
) -> None:
    """A release that was trained on every batch so far; without an incident it is promoted."""
    from resources.releases import Release, promote_in
    from resources.trainings import Asked, end_in

    key = str(uuid.uuid4())
    made = Release(
        use_case=stage.name, version=platform.releases.next_version(stage.name, key),
        digest=f"sha256:{key}", training_key=key, algorithm="ridge",
        verdict="hold" if incident else "promote", reason="made up",
        facts={"batches": platform.ledger.batches(stage.name), "awaits_person": False},
        incident=incident, run_id=run_id, released_at=NOW - timedelta(days=30),
    )  # fmt: skip

    def record(cursor: Any) -> None:
        if incident:
            end_in(cursor, stage.name, Asked(incident, 1), made.version)
        platform.releases.record(cursor, made)
        if not incident:
            promote_in(cursor, stage.name, made.version, judged, "made up")

    commit(stage, platform, "release", "", {}, record)


def begun(name: str) -> Stage:
    """A use case under another name, and its first release."""
    from assets.stage import stage_of
    from orchestration.use_cases import find_use_case
    from resources.platform import Platform

    stage = stage_of(name, find_use_case("penguins"))
    release(stage, Platform(), "", None, None)
    return stage


def sensor(repetitions: int) -> bool:
    """Ticks of the sensor after few and after many batches, in turn."""
    from orchestration.retraining import retraining_tick
    from resources.instance import open_instance
    from resources.platform import Platform
    from resources.postgres import transaction

    platform = Platform()
    with open_instance() as instance:
        stages = {}
        for name, batches in (("few", FEW), ("many", MANY)):
            stages[batches] = begun(name)
            grow(stages[batches], platform, instance, range(1, batches + 1))
        for database in ("leeway", "dagster"):
            with transaction(platform.settings, database) as cursor:
                cursor.execute("analyze")
        times: dict[int, list[float]] = {FEW: [], MANY: []}
        for repetition in range(repetitions + 10):
            for batches, stage in list(stages.items())[:: -1 if repetition % 2 else 1]:
                began = perf_counter()
                retraining_tick(stage, instance, platform, NOW)
                if repetition >= 10:
                    times[batches].append(perf_counter() - began)
    ratio = statistics.median(many / few for few, many in zip(times[FEW], times[MANY], strict=True))
    for batches, found in times.items():
        say(f"a tick after {batches:>4} batches: {statistics.median(found) * 1e3:.1f} ms")
    kept = ratio <= RATIO
    say(f"  ratio {ratio:.3f} (median of {repetitions} pairs); limit {RATIO}: "
        f"{'kept' if kept else 'MISSED'}")  # fmt: skip
    return kept


def main() -> int:
    """Prints both figures; 1 where one misses its limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("repetitions", type=int, nargs="?", default=200)
    asked = parser.parse_args()
    kept = pure()
    with tempfile.TemporaryDirectory(prefix="leeway-") as folder:
        home = Path(folder)
        with installation_at(home):
            kept = sensor(asked.repetitions) and kept
    return 0 if kept else 1


if __name__ == "__main__":
    raise SystemExit(main())
