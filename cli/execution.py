"""Materializes planned steps in this process.

Belongs here: the runs of Dagster behind `leeway run`, and carrying out one. Does not belong here:
what is planned (`cli.run`), or what a person sees of it (`cli.progress`).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from cli.collector import collect_from_here
from cli.output import INTERRUPTED, say
from cli.preload import Preload
from cli.progress import Progress
from cli.quiet import output_to
from cli.run import DECISIONS, RunReport
from leeway.graph import graph_of
from leeway.plan import WHOLE, Portion, Step, portions
from leeway.spec import UseCase
from orchestration.build import cached_defs
from orchestration.jobs import COMMAND_TAG, graph_job_name, traffic_job_name
from resources.instance import open_instance
from resources.ledger import Ledger
from resources.reaper import worker_tags
from resources.releases import Releases
from resources.settings import get_settings
from resources.stand_ins import reading_of

if TYPE_CHECKING:
    from dagster_shared.error import SerializableErrorInfo

RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def execute(
    name: str, use_case: UseCase, steps: Sequence[Step], report: RunReport, command: str
) -> set[str]:
    """Runs the steps and writes into the report what came of each.

    `command` is what all runs of Dagster have in common that one command makes.
    What they print goes to one file under the name of the first run; the report names the last.
    Returns the batches of which something was made beside the steps: they lost or won rows to them.
    """
    first = str(uuid.uuid4())
    log = log_of(first)
    count = len({step.node for step in steps})
    say(f"{name}: {count} nodes to materialize; what they print goes to {_from_here(log)}")
    progress = Progress(_labels(name, use_case))
    with output_to(log):
        instance = open_instance()
        parts = _parts(instance, name, use_case, steps)
        collect_from_here()
        with progress.live:
            for position, (job, portion) in enumerate(parts):
                report.run_id = str(uuid.uuid4()) if position else first
                preload = Preload(portion.nodes, use_case)
                instance.add_event_listener(report.run_id, progress.show)
                instance.add_event_listener(report.run_id, preload.notice)
                assets = [dg.AssetKey([name, node]) for node in portion.nodes]
                tags = {COMMAND_TAG: command, **_range(portion.batches)}
                report.error = carry_out(job, instance, report.run_id, tags, assets)
                if report.error is not None:
                    report.status = "failure"
                    break
    report.completed(steps, progress.made)
    report.checked(progress.passed, progress.failing)
    if ("release", WHOLE) in progress.made:
        commit = Ledger().require(name, "release")
        report.decision = DECISIONS[str(commit.facts["verdict"])]
        if waiting := Releases(get_settings()).waiting(name):
            command = f"leeway promote {name} {waiting.version}"
            say(f"{name}: version {waiting.version} waits for a person: `{command}`")
    return {batch for _, batch in progress.made - {(step.node, step.batch) for step in steps}}


def _parts(
    instance: dg.DagsterInstance, name: str, use_case: UseCase, steps: Sequence[Step]
) -> list[tuple[dg.JobDefinition, Portion]]:
    """The runs of Dagster: those of the source and its batches, then those of live traffic."""
    of_windows = {node.name for node in graph_of(use_case) if node.live}
    batches = _known_to_dagster(instance, name, use_case)
    given = [step for step in steps if step.node not in of_windows]
    job = cached_defs().resolve_job_def(graph_job_name(name))
    parts = [(job, portion) for portion in portions(given, batches)]
    live = [step for step in steps if step.node in of_windows]
    if live:
        windows = f"{name}_traffic"
        instance.add_dynamic_partitions(windows, sorted({step.batch for step in live}))
        job = cached_defs().resolve_job_def(traffic_job_name(name))
        known = instance.get_dynamic_partitions(windows)
        parts += [(job, portion) for portion in portions(live, known)]
    return parts


def log_of(run_id: str) -> Path:
    """The file for what a run prints."""
    return get_settings().home / "logs" / f"{run_id}.log"


def carry_out(
    job: dg.JobDefinition,
    instance: dg.DagsterInstance,
    run_id: str,
    tags: Mapping[str, str],
    assets: Sequence[dg.AssetKey] | None = None,
) -> str | None:
    """One run of Dagster in this process; says why it failed, if it did."""
    result = job.execute_in_process(
        instance=instance,
        run_id=run_id,
        run_config=QUIET,
        asset_selection=assets,
        tags={**tags, **worker_tags()},
        raise_on_error=False,
    )
    return None if result.success else failure_of(result.all_events)


def _from_here(path: Path) -> Path:
    """The path as short as it can be."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _labels(name: str, use_case: UseCase) -> dict[str, str]:
    """What a person calls each step of Dagster's."""
    labels = {f"{name}_dbt": "staged, clean"}
    for node in graph_of(use_case):
        labels[f"{name}__{node.name}"] = node.name
        labels |= {f"{name}__{node.name}_{check}": f"{node.name}.{check}" for check in node.checks}
    return labels


def _known_to_dagster(instance: dg.DagsterInstance, name: str, use_case: UseCase) -> Sequence[str]:
    """The batches of the ledger, in the order in which Dagster got to know them."""
    ledger, partitions = Ledger(), f"{name}_batches"
    batches = ledger.batches(name)
    exist = {*batches, *reading_of(name, use_case, ledger.settings).source.batches()}
    for gone in set(instance.get_dynamic_partitions(partitions)) - exist:
        instance.delete_dynamic_partition(partitions, gone)
    instance.add_dynamic_partitions(partitions, batches)
    return instance.get_dynamic_partitions(partitions)


def _range(batches: Sequence[str]) -> dict[str, str]:
    """Tags that name the batches of the run, from the first to the last."""
    return {RANGE_START: batches[0], RANGE_END: batches[-1]} if batches else {}


def failure_of(events: Sequence[dg.DagsterEvent]) -> str:
    """Why the run failed: the message of the first step's own error, or what came between steps."""
    for event in events:
        if event.event_type_value == "STEP_FAILURE":
            error, where = event.step_failure_data.error, f"{event.step_key}: "
            described = event.step_failure_data.user_failure_data
            if described is not None and described.description:
                return str(described.description)
        elif event.event_type_value == "PIPELINE_FAILURE":
            error, where = event.job_failure_data.error, ""
        else:
            continue
        # Dagster wraps what the step raised; what that one was raised from is for the log.
        while error is not None and error.cause is not None and _is_of_dagster(error):
            error = error.cause
        if error is not None and error.cls_name == "DagsterExecutionInterruptedError":
            return INTERRUPTED
        if error is not None:
            return f"{where}{error.message.strip()}"
    return "the run failed before its first step; see the Dagster UI"


def _is_of_dagster(error: SerializableErrorInfo) -> bool:
    return (error.cls_name or "").startswith("Dagster")
