"""Schedules are off by default, and ask for the newest batch where there is something to do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import dagster as dg
import pytest

from assets.stage import Stage, stage_of
from leeway.spec import SCHEDULED, Scheduled, UseCase
from orchestration.jobs import RETRAINED, SCHEDULED_NODES, jobs_of, schedule_job_name
from orchestration.schedules import CRON, schedule_tick, schedules_of
from orchestration.use_cases import load_use_cases
from resources.instance import open_instance
from resources.platform import Platform
from resources.releases import Release, promote_in
from tests.conftest import installation
from tests.graph.conftest import NAME

ALL = {"quality": "daily", "scoring": "daily", "monitoring": "weekly", "training": "monthly"}


OF_DATA = {"raw", "staged", "clean", "profile"}


def stage(**schedules: str) -> Stage:
    content = load_use_cases()[NAME].model_dump() | {"schedules": schedules}
    return stage_of(NAME, UseCase.model_validate(content))


@pytest.fixture
def instance(server_home: Path, tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with installation(server_home, tmp_path / "home"):
        found = open_instance()
        yield found
        found.dispose()


def committed(platform: Platform, node: str, batch: str) -> None:
    attempt = platform.ledger.begin(NAME, node, batch, "r")
    platform.ledger.commit(attempt, input_digest="i", digest="sha256:0", uri="u", rows=1, facts={})


def promoted(platform: Platform) -> None:
    release = Release(
        use_case=NAME, version=1, digest="sha256:0", training_key="k", algorithm="a",
        verdict="promote", reason="r", facts={}, incident=None, run_id="r",
        released_at=datetime.now(UTC),
    )  # fmt: skip

    def record(cursor: Any) -> None:
        platform.releases.record(cursor, release)
        promote_in(cursor, NAME, 1, None, "r")

    attempt = platform.ledger.begin(NAME, "release", "", "r")
    platform.ledger.commit(
        attempt, input_digest="i", digest="sha256:0", uri="u", rows=1, facts={}, also=record
    )


def reason(part: Scheduled, instance: dg.DagsterInstance) -> str:
    found = schedule_tick(stage(**ALL), part, instance, Platform())
    assert isinstance(found, dg.SkipReason)
    return str(found.skip_message)


def test_nothing_is_scheduled_unless_the_yaml_says_so() -> None:
    assert schedules_of(stage()) == []
    (only,) = schedules_of(stage(scoring="daily"))
    assert only.name == f"{NAME}_scoring"
    assert only.default_status is dg.DefaultScheduleStatus.STOPPED


def test_each_part_has_its_cadence_and_is_off() -> None:
    found = {each.name.removeprefix(f"{NAME}_"): each for each in schedules_of(stage(**ALL))}
    assert {name: each.cron_schedule for name, each in found.items()} == {
        part: CRON[cadence] for part, cadence in ALL.items()
    }
    assert {each.default_status for each in found.values()} == {dg.DefaultScheduleStatus.STOPPED}
    assert {each.execution_timezone for each in found.values()} == {"UTC"}


def test_each_schedule_has_a_job_and_training_has_that_of_retraining() -> None:
    names = {job.name for job in jobs_of(stage(**ALL))}
    assert {schedule_job_name(NAME, part) for part in SCHEDULED} <= names
    assert schedule_job_name(NAME, "training") == f"{NAME}_retrain"
    assert set(SCHEDULED_NODES) | {"training"} == set(SCHEDULED) == set(get_args(Scheduled))
    assert set().union(*SCHEDULED_NODES.values()) - OF_DATA <= set(RETRAINED)


def test_a_tick_asks_for_the_newest_batch_or_says_what_is_missing(
    instance: dg.DagsterInstance,
) -> None:
    """Capability 93: monitoring of what was never predicted is skipped with the reason."""
    platform = Platform()
    for part in SCHEDULED:
        assert reason(part, instance) == "no batch is known yet"
    instance.add_dynamic_partitions(f"{NAME}_batches", ["2008", "2009"])
    quality = schedule_tick(stage(**ALL), "quality", instance, platform)
    assert isinstance(quality, dg.RunRequest)
    assert quality.partition_key == "2009"
    assert "no release was promoted" in reason("scoring", instance)
    assert "no release was promoted" in reason("monitoring", instance)
    assert "batch 2009 has no clean yet" in reason("training", instance)
    promoted(platform)
    committed(platform, "clean", "2009")
    assert "batch 2009 has no predictions yet" in reason("monitoring", instance)
    committed(platform, "predictions", "2009")
    for part in SCHEDULED:
        asked = schedule_tick(stage(**ALL), part, instance, platform)
        assert isinstance(asked, dg.RunRequest), part
        assert asked.partition_key == "2009"


@pytest.mark.parametrize(
    ("schedules", "said"),
    [({"scoring": "hourly"}, "daily"), ({"scorring": "daily"}, "did you mean 'scoring'")],
)
def test_another_cadence_or_part_is_refused(schedules: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        stage(**schedules)
