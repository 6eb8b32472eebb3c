"""`leeway run`: plan, materialize what the plan says, report.

Belongs here: the order of these steps and what is printed. Does not belong here: the plan
(`leeway.plan`) or the graph. Dagster is imported only when there is something to run.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from cli.output import say
from cli.recovery import recover, tell_registry
from leeway.code_version import code_version
from leeway.graph import graph_of
from leeway.plan import NO_CHAMPION, Committed, Step, plan
from leeway.spec import UseCase
from leeway.traffic.windows import KEPT_UP
from orchestration.use_cases import InvalidUseCase, find_use_case
from resources.instance import prepare
from resources.ledger import Ledger
from resources.releases import Releases
from resources.settings import Settings
from resources.stand_ins import reading_of

Sources = Mapping[str, Mapping[str, str | None]]
# What JSON and people call a verdict.
DECISIONS = {"promote": "promoted", "hold": "held", "reject": "rejected"}


@dataclass
class RunReport:
    """What a run did, what it left alone and why, and what its checks said."""

    use_case: str
    status: Literal["success", "failure"]
    run_id: str | None = None
    seconds: float = 0.0
    decision: str | None = None
    error: str | None = None
    ran: list[dict[str, str]] = field(default_factory=list)
    skipped: list[dict[str, str]] = field(default_factory=list)
    checks: dict[str, Any] = field(default_factory=lambda: {"passed": 0, "failed": []})

    def completed(self, steps: Sequence[Step], made: Collection[tuple[str, str]]) -> None:
        """Takes what was materialized of `steps`; the others were skipped after all."""
        why = NO_CHAMPION if self.status == "success" else "not reached, because the run failed"
        known = {(step.node, step.batch) for step in steps}
        self.skipped = [each for each in self.skipped if (each["node"], each["batch"]) not in known]
        for step in steps:
            if (step.node, step.batch) in made:
                self.ran.append(_shown(step))
            else:
                self.skipped.append(_shown(step) | {"reason": why})

    def checked(self, passed: int, failing: Mapping[tuple[str, str], dict[str, str]]) -> None:
        """Takes what checks said, in place of what the same ones said before."""
        before = {(each["node"], each["check"]): each for each in self.checks["failed"]}
        failed = list({**before, **failing}.values())
        self.checks = {"passed": self.checks["passed"] + passed, "failed": failed}

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def run(
    name: str, *, batch: str | None = None, select: str | None = None, everything: bool = False
) -> RunReport:
    """Materializes what is missing or stale, or what was asked for."""
    started = time.monotonic()
    use_case = find_use_case(name)
    settings = prepare()
    recover(settings)
    ledger = Ledger(settings)
    reading = reading_of(name, use_case, settings)
    if reading.note:
        say(f"{name}: {reading.note}")
    source = reading.source
    found = source.batches()
    ledger.register_batches(name, found)
    ledger.forget_batches(name, keep=found)  # a file that could not be read, and was removed
    sources: Sources = {
        "raw": {each: source.fingerprint(each) for each in ledger.batches(name)},
        "labels": _labels(settings, name, use_case),
        **_traffic(settings, name, use_case),
    }
    _judge_trial(settings, name, use_case)  # with the labels that came, and before the plan
    steps = narrowed(plan_of(name, use_case, ledger, sources, everything), batch, select)
    report = RunReport(name, "success")
    report.skipped = [_shown(step) for step in steps if not step.runs]
    running = [step for step in steps if step.runs]
    if running:
        from cli.execution import execute

        command = str(uuid.uuid4())
        shared = execute(name, use_case, running, report, command)
        if shared and report.status == "success" and select is None:
            # Batches that lost or won rows to one of this run; what reads them follows.
            now = plan_of(name, use_case, ledger, sources)
            follow = [s for s in now if s.runs and (batch is None or s.batch in shared)]
            if follow:
                execute(name, use_case, follow, report, command)
    report.seconds = round(time.monotonic() - started, 1)
    _print(report)
    return report


def _judge_trial(settings: Settings, name: str, use_case: UseCase) -> None:
    """Carries out what follows from a trial that runs, for those who have no daemon."""
    from resources import trials

    if trials.running_of(settings, name) is None:
        return
    from resources.trial_judge import judge_trial

    found = judge_trial(settings, name, use_case, datetime.now(UTC))
    if found is not None:
        say(f"{name}: {found.told}")
        if found.ended:
            tell_registry(settings, name)


def _labels(settings: Settings, name: str, use_case: UseCase) -> Mapping[str, str | None]:
    """Takes in labels that are new; by batch, what changes when one of its labels does."""
    if use_case.labels is None:
        return {}
    from resources.labels import changes, take_in

    take_in(settings, name, use_case, use_case.labels, lambda: datetime.now(UTC))
    return changes(settings, name, use_case.key.name)


def _traffic(settings: Settings, name: str, use_case: UseCase) -> Sources:
    """Closes windows of live traffic; by node, what changes when more is known of a window."""
    if use_case.task == "experiment":
        return {}
    from resources.traffic import answer_counts, close_windows, truth_changes

    now = datetime.now(UTC)
    if not close_windows(settings, name, use_case.monitoring.window, now):
        return {}
    return {
        "traffic": answer_counts(settings, name, now - KEPT_UP),
        "traffic_performance": truth_changes(settings, name, use_case),
    }


def plan_of(
    name: str,
    use_case: UseCase,
    ledger: Ledger,
    sources: Sources,
    everything: bool = False,
) -> list[Step]:
    """What would be materialized now, and why."""
    nodes = graph_of(use_case)
    live = _windows(name, use_case, ledger, sources)
    champion = Releases(ledger.settings).champion(name)
    committed = {
        key: Committed(
            commit.input_digest,
            commit.digest,
            tuple(commit.facts.get("batches", ())),
            commit.told,
            commit.facts.get("source_digest"),
            commit.facts.get("settled", {}),
        )
        for key, commit in ledger.every_current(name).items()
    }
    return plan(
        nodes,
        {node.name: code_version(name, use_case, node) for node in nodes},
        ledger.batches(name),
        committed,
        champion.digest if champion else None,
        sources,
        windows=live,
        everything=everything,
    )


def _windows(name: str, use_case: UseCase, ledger: Ledger, sources: Sources) -> list[str]:
    """The windows of live traffic that are kept up to date, oldest first.

    They are those that ended not long ago, those that were never looked at, and those of which
    labels came.
    """
    if use_case.task == "experiment":
        return []
    from resources.traffic import windows

    recent, labels = (sources.get(node, {}) for node in ("traffic", "traffic_performance"))
    judged = ledger.sources_of(name, "traffic_performance")
    return [
        each.name
        for each in windows(ledger.settings, name)
        if each.name in recent
        or each.name not in judged
        or (labels.get(each.name) or judged[each.name]) != judged[each.name]
    ]


def narrowed(steps: Sequence[Step], batch: str | None, select: str | None) -> list[Step]:
    """The steps of the chosen batch and nodes; chosen nodes run even when they are up to date.

    Raises:
        InvalidUseCase: when the batch or a node does not exist.
    """
    chosen = [step for step in steps if batch is None or step.batch in (batch, "")]
    if batch is not None and all(step.batch != batch for step in steps):
        known = dict.fromkeys(step.batch for step in steps if step.batch)
        raise InvalidUseCase(f"no batch {batch!r}; there are {', '.join(known) or 'none'}")
    if select is None:
        # One batch alone: its own nodes, not those that all batches share.
        return [step for step in chosen if batch is None or step.batch]
    wanted = [name.strip() for name in select.split(",")]
    known = dict.fromkeys(step.node for step in steps)
    for name in wanted:
        if name not in known:
            raise InvalidUseCase(f"no node {name!r}; there are {', '.join(known)}")
    return [
        Step(step.node, step.batch, runs=True, reason="asked for")
        for step in chosen
        if step.node in wanted
    ]


def _shown(step: Step) -> dict[str, str]:
    return {"node": step.node, "batch": step.batch, "reason": step.reason}


def _print(report: RunReport) -> None:
    if report.error:
        say(f"{report.use_case}: failed: {report.error}")
        return
    if report.run_id is None:
        waiting = sum(step["reason"] == NO_CHAMPION for step in report.skipped)
        rest = f"; {waiting} wait for a champion, because {NO_CHAMPION}" if waiting else ""
        say(f"{report.use_case}: everything is up to date{rest} ({report.seconds} s)")
        return
    left = f", {len(report.skipped)} skipped" if report.skipped else ""
    decision = f"; the release was {report.decision}" if report.decision else ""
    names = [f"{check['node']}.{check['check']}" for check in report.checks["failed"]]
    checks = f"; failing checks: {', '.join(names)}" if names else ""
    say(
        f"{report.use_case}: {len(report.ran)} materialized{left}{decision}{checks} "
        f"({report.seconds} s)"
    )
