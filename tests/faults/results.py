"""The file of what the proofs found: a part for each test, renewed when that test runs.

Belongs here: reading and writing that file. Does not belong here: what is a figure
(`tests.faults.harness`). A whole proof takes hours, and one test of it minutes; what a run did not
try keeps its own date, commit and number of kills.
"""

from __future__ import annotations

import os
import platform
import subprocess
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

FIGURE = "figure of a fault test"
OUTCOMES = ("passed", "failed", "error", "skipped")


def figures_of(report: pytest.TestReport) -> list[str]:
    """What the test of a report found."""
    return [str(text) for name, text in report.user_properties if name == FIGURE]


def write(file: Path, stats: Mapping[str, Sequence[object]], kills: int) -> None:
    """Renews the parts of the tests that ran, whatever their parameters, in the order of names."""
    parts = _parts(file.read_text()) if file.exists() else {}
    found: dict[str, dict[str, list[pytest.TestReport]]] = defaultdict(lambda: defaultdict(list))
    for outcome, reports in stats.items():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                found[report.nodeid.partition("[")[0]][outcome].append(report)
    parts |= {name: _part(name, outcomes, kills) for name, outcomes in found.items()}
    whole = "\n".join(parts[name] for name in sorted(parts))
    new = file.with_name(f"{file.name}.new")
    new.write_text(whole)
    new.replace(file)


def _parts(text: str) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    name = ""
    for line in text.splitlines():
        if line.startswith("tests/"):
            name = line.partition(": ")[0]
        found.setdefault(name, []).append(line)
    return {name: "\n".join(lines).strip() + "\n" for name, lines in found.items()}


def _part(name: str, reports: Mapping[str, Sequence[pytest.TestReport]], kills: int) -> str:
    every = [report for outcome in reports.values() for report in outcome]
    counts = ", ".join(f"{len(reports[each])} {each}" for each in OUTCOMES if reports.get(each))
    seconds = sum(report.duration for report in every)
    head = (
        f"{name}: {counts} in {seconds:.0f} s; {datetime.now(UTC):%Y-%m-%d}, commit {_commit()}, "
        f"Python {platform.python_version()}, {os.cpu_count()} cores, LEEWAY_KILLS={kills}"
    )
    return "\n".join([head, *(f"  {text}" for each in every for text in figures_of(each)), ""])


def _commit() -> str:
    """Of the working tree; with `-dirty` where a file differs from it."""
    command = ["git", "describe", "--always", "--dirty"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
