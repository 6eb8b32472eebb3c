"""What a run of Dagster does, as its events tell: a line per step, and what came of it.

Belongs here: reading events. Does not belong here: starting a run (`cli.execution`).
"""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg
from rich.live import Live
from rich.spinner import Spinner

from cli.output import console
from leeway.plan import WHOLE


class Progress:
    """Shows which step runs, and prints a line when it is done, from the events of the run.

    `made` are the nodes and batches that were materialized, `failing` the checks that failed by
    node and name, and `passed` counts the others.
    """

    def __init__(self, labels: Mapping[str, str]) -> None:
        self.labels = labels
        self.started: dict[str, float] = {}
        self.made: set[tuple[str, str]] = set()
        self.failing: dict[tuple[str, str], dict[str, str]] = {}
        self.passed = 0
        # Shown on a terminal only. Not to redirect: what libraries print belongs into the log.
        self.live = Live(
            console=console, transient=True, redirect_stdout=False, redirect_stderr=False
        )
        self._of_step: list[dict[str, str]] = []

    def show(self, entry: dg.EventLogEntry) -> None:
        """Takes the next event."""
        event = entry.dagster_event
        if event is None or event.step_key is None:
            return
        kind = event.event_type_value
        if kind == "STEP_START":
            self.started[event.step_key] = entry.timestamp
            self.live.update(Spinner("dots", self._label(event.step_key)))
        elif kind == "ASSET_MATERIALIZATION" and event.asset_key is not None:
            self.made.add((event.asset_key.path[-1], event.partition or WHOLE))
        elif kind == "ASSET_CHECK_EVALUATION":
            self._check(event)
        elif kind in ("STEP_SUCCESS", "STEP_FAILURE"):
            self._line(event.step_key, entry.timestamp, failed=kind == "STEP_FAILURE")

    def _label(self, step_key: str) -> str:
        return self.labels.get(step_key, step_key)

    def _check(self, event: dg.DagsterEvent) -> None:
        found = event.asset_check_evaluation_data
        if found.passed:
            self.passed += 1
            return
        failed = {
            "node": found.asset_key.path[-1],
            "check": found.check_name,
            "severity": found.severity.value,
            "description": found.description or "",
        }
        self.failing[failed["node"], failed["check"]] = failed
        self._of_step.append(failed)

    def _line(self, step_key: str, timestamp: float, *, failed: bool) -> None:
        """The line of a step that ended, and one for each of its checks that failed."""
        label, checks = self._label(step_key), self._of_step
        self._of_step = []
        severities = {check["severity"] for check in checks}
        mark = "FAILED" if failed or "ERROR" in severities else "warn" if severities else "ok"
        seconds = timestamp - self.started.get(step_key, timestamp)
        console.print(f"  {label:<22} {mark:<6} {seconds:6.1f} s", markup=False)
        for check in checks:
            name = f"{check['node']}.{check['check']}"
            which = "" if name == label else f"{check['severity']} {name}: "
            console.print(f"    {which}{check['description']}", markup=False)
