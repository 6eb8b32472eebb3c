"""The loop of a rehearsal: train once, then one fault after the other.

Belongs here: what is written, run and asked in which order. Does not belong here: the faults and
verdicts (`leeway.rehearsal`), or the report (`cli.rehearse`).
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from cli.output import console, say
from cli.rehearsal.given import Given
from cli.rehearsal.graph import Graph
from cli.rehearsal.observed import observed
from cli.rehearsal.rows import with_rows
from leeway.rehearsal.advice import advice
from leeway.rehearsal.catalogue import Case
from leeway.rehearsal.columns import NotHere
from leeway.rehearsal.errors import CannotRehearse
from leeway.rehearsal.findings import Finding, Observed, catches, does_not_apply, finding
from leeway.rehearsal.keys import with_new_keys

if TYPE_CHECKING:
    import pyarrow as pa

LATE = "0-rehearsal"  # no id that begins with a letter or a higher digit is before it
SUFFIX = "-rehearsal"
LONGEST_ID = 63


def train(graph: Graph, given: Given) -> list[str]:
    """Takes in the batches as they are and trains; the features, the most important first.

    Raises:
        CannotRehearse: when the graph fails without any fault, or releases no model.
    """
    for batch, table in given.batches.items():
        graph.write(batch, table)
    ran = graph.train(list(given.batches))
    name, ledger = graph.stage.name, graph.platform.ledger
    if ran.error is not None:
        raise CannotRehearse(f"{name}: without any fault, its graph fails: {ran.error}")
    if graph.platform.releases.champion(name) is None:
        why = ledger.require(name, "release").facts["reason"]
        raise CannotRehearse(
            f"{name}: the model of the rehearsal was not released, so that nothing would be "
            f"predicted: {why}"
        )
    explained = ledger.require(name, "explainers")
    stored = json.loads(graph.platform.store.get(explained.uri, explained.digest))
    return [each["feature"] for each in stored["shap"]["importance"]]


def plant_all(
    graph: Graph, given: Given, planted_into: str, chosen: Sequence[Case]
) -> tuple[Observed, list[Finding]]:
    """The batch without a fault, and what came of each fault.

    All but the late one replace the same further batch, so that each is judged beside the same
    others.

    Raises:
        CannotRehearse: when the batch is refused without any fault.
    """
    use_case, others = graph.stage.use_case, list(given.batches.values())
    table = given.batches[planted_into]
    further = f"{max(given.batches)[: LONGEST_ID - len(SUFFIX)]}{SUFFIX}"
    try:
        clean = with_new_keys(table, use_case, others, 0)
        too_late = with_new_keys(table, use_case, others, 1)
    except NotHere as error:
        raise CannotRehearse(f"{graph.stage.name}: {error}") from error
    started = time.monotonic()
    graph.write(further, clean)
    control = observed(graph, further, graph.take_in(further))
    say(f"  without a fault: {_checks(control)} ({since(started)})")
    if control.error is not None:
        raise CannotRehearse(
            f"{graph.stage.name}: a copy of batch {planted_into} without any fault, with keys of "
            f"its own, is refused: {control.error}"
        )
    findings = []
    for case in chosen:
        batch, into = (LATE, too_late) if case.late else (further, clean)
        findings.append(_one(graph, case, batch, into, control, list(given.batches)))
    return control, findings


def _one(
    graph: Graph,
    case: Case,
    batch: str,
    table: pa.Table,
    control: Observed,
    batches: Sequence[str],
) -> Finding:
    started = time.monotonic()
    label = " ".join([case.fault, *case.columns])
    try:
        planted = case.plant(table)
        if case.late and batch >= min(batches):
            raise NotHere(f"no id of a batch is before {min(batches)}")
    except NotHere as error:
        say(f"  {label}: does not apply: {error}")
        return does_not_apply(case, str(error))
    with console.status(f"  {label}"):
        graph.write(batch, planted.table)
        ran = graph.take_in(batch)
        seen = observed(graph, batch, ran)
        caught = catches(seen, control, planted.table.num_rows)
        if caught:
            caught[0] = with_rows(caught[0], graph, batch, ran)
        found = finding(case, planted, seen, caught)
    seconds = round(time.monotonic() - started, 1)
    say(f"  {label}: {found.verdict} ({seconds} s)")
    return replace(found, advice=advice(found, graph.stage.use_case), seconds=seconds, batch=batch)


def _checks(seen: Observed) -> str:
    names = ", ".join(f"{each.node}.{each.check}" for each in seen.failing)
    return f"{names} fail already, and count for no fault" if names else "no check fails"


def since(started: float) -> str:
    """The seconds since then, for a person."""
    return f"{time.monotonic() - started:.1f} s"
