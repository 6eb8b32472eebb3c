"""`leeway rehearse`: plant faults into a private copy, and say what caught them.

Belongs here: the order of the steps and the report. Does not belong here: the faults and verdicts
(`leeway.rehearsal`), the private copy (`resources.private_copy`), its graph (`cli.rehearsal`), or
the table (`cli.rehearsal.table`).
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from cli.output import console, emit, say
from leeway.rehearsal.advice import advice
from leeway.rehearsal.catalogue import FAULTS, SEED, Case, cases
from leeway.rehearsal.columns import NotHere
from leeway.rehearsal.errors import CannotRehearse
from leeway.rehearsal.findings import (
    Finding,
    Observed,
    catches,
    counts,
    does_not_apply,
    finding,
)
from leeway.rehearsal.keys import with_new_keys
from leeway.spec import UseCase
from orchestration.use_cases import find_use_case
from resources.private_copy import private_copy
from resources.settings import Settings, get_settings

if TYPE_CHECKING:
    import pyarrow as pa

    from cli.rehearsal.given import Given
    from cli.rehearsal.graph import Graph

TRIALS, FOLDS = 3, 3  # of the search: a rehearsal needs a model, not the best one
LATE = "0-rehearsal"  # no id that begins with a letter or a higher digit is before it
SUFFIX = "-rehearsal"


@dataclass(frozen=True)
class Rehearsal:
    """What a rehearsal began with, and what came of each fault."""

    use_case: str
    read_from: str
    batches: tuple[str, ...]
    planted_into: str
    rows: int
    model: str
    columns: int
    control: tuple[str, ...]
    findings: tuple[Finding, ...]
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        content = asdict(self) | {"seed": SEED, "counts": counts(self.findings)}
        return content | {"findings": [each.as_dict() for each in self.findings]}


def rehearse(name: str, *, columns: int, only: Sequence[str], as_json: bool) -> None:
    """Rehearses a use case, and prints what came of it.

    Raises:
        CannotRehearse: when there is no such fault, nothing to plant one into, or no model.
        SourceError: when nothing is stored yet, and the source cannot be read.
    """
    from cli.rehearsal.table import print_rehearsal

    use_case = find_use_case(name)
    if unknown := [each for each in only if each not in FAULTS]:
        raise CannotRehearse(f"no fault {', '.join(unknown)}; there are {', '.join(FAULTS)}")
    if use_case.task == "experiment":
        raise CannotRehearse(
            f"{name} is an experiment: it has no predictions that a fault could reach, and each of "
            f"its runs is looked at by `leeway check {name}`"
        )
    users = get_settings()
    started = time.monotonic()
    try:
        with private_copy() as copy:
            found = _rehearsed(name, use_case, users, copy, columns, only)
    except KeyboardInterrupt:
        raise CannotRehearse(
            "interrupted; the private copy was removed, and nothing of yours was changed"
        ) from None
    found = replace(found, seconds=round(time.monotonic() - started, 1))
    if as_json:
        emit(json.loads(json.dumps(found.as_dict())))
    else:
        print_rehearsal(found)


def _rehearsed(
    name: str,
    use_case: UseCase,
    users: Settings,
    copy: Settings,
    columns: int,
    only: Sequence[str],
) -> Rehearsal:
    from cli.quiet import output_to
    from cli.rehearsal.given import given_of
    from cli.rehearsal.graph import open_graph
    from resources.instance import prepare

    started = time.monotonic()
    prepare(copy)
    given = given_of(name, use_case, users, copy)
    if not given.batches:
        raise CannotRehearse(f"{name} has no batch yet: there is nothing to plant a fault into")
    short, model = _short(use_case, given.algorithm)
    with output_to(copy.home / "logs" / "rehearsal.log"):
        say(f"{name}: a private copy, from {given.read_from} ({_since(started)})")
        with open_graph(name, short, copy.home / "batches") as graph:
            importance = _train(graph, given)
            say(f"  trained on {len(given.batches)} batches: {model} ({_since(started)})")
            planted_into = list(given.batches)[-1]
            table = given.batches[planted_into]
            chosen = cases(use_case, importance, table, columns, only)
            control, findings = _planted(graph, given, planted_into, chosen)
    return Rehearsal(
        name,
        given.read_from,
        tuple(given.batches),
        planted_into,
        table.num_rows,
        model,
        columns,
        tuple(f"{each.node}.{each.check}: {each.description}" for each in control.failing),
        tuple(findings),
        0.0,
    )


def _short(use_case: UseCase, algorithm: str | None) -> tuple[UseCase, str]:
    """The use case with a short search for one algorithm, and what that means for a person."""
    known = algorithm in use_case.candidates
    chosen = str(algorithm) if known else use_case.candidates[0]
    search = use_case.search
    trials, folds = min(search.trials, TRIALS), min(search.folds, FOLDS)
    short = search.model_copy(update={"candidates": (chosen,), "trials": trials, "folds": folds})
    whose = "the champion's algorithm" if known else f"the first of {len(use_case.candidates)}"
    said = (
        f"{chosen}, {whose}, by {trials} trials of {folds} folds where the use case has "
        f"{search.trials} of {search.folds}"
    )
    # Held for a person, no release would serve here.
    return use_case.model_copy(update={"search": short, "promotion": "automatic"}), said


def _train(graph: Graph, given: Given) -> list[str]:
    """Takes in the batches as they are and trains; the features, the most important first."""
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


def _planted(
    graph: Graph, given: Given, planted_into: str, chosen: Sequence[Case]
) -> tuple[Observed, list[Finding]]:
    """The batch without a fault, and what came of each fault.

    All but the late one replace the same further batch, so that each is judged beside the same
    others.
    """
    from cli.rehearsal.observed import observed

    use_case, others = graph.stage.use_case, list(given.batches.values())
    table = given.batches[planted_into]
    further = f"{max(given.batches)[: 63 - len(SUFFIX)]}{SUFFIX}"
    try:
        clean = with_new_keys(table, use_case, others, 0)
        too_late = with_new_keys(table, use_case, others, 1)
    except NotHere as error:
        raise CannotRehearse(f"{graph.stage.name}: {error}") from error
    started = time.monotonic()
    graph.write(further, clean)
    control = observed(graph, further, graph.take_in(further))
    say(f"  without a fault: {_checks(control)} ({_since(started)})")
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
    from cli.rehearsal.observed import observed
    from cli.rehearsal.rows import with_rows

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


def _since(started: float) -> str:
    return f"{time.monotonic() - started:.1f} s"
