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
from typing import Any

from cli.output import emit, say
from leeway.rehearsal.catalogue import FAULTS, SEED, cases
from leeway.rehearsal.errors import CannotRehearse
from leeway.rehearsal.findings import Finding, counts
from leeway.spec import UseCase
from orchestration.use_cases import find_use_case
from resources.private_copy import private_copy
from resources.settings import Settings, get_settings

TRIALS, FOLDS = 3, 3  # of the search: a rehearsal needs a model, not the best one


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
    from cli.rehearsal.planting import plant_all, since, train
    from resources.instance import prepare

    started = time.monotonic()
    prepare(copy)
    given = given_of(name, use_case, users, copy)
    short, model = _short(use_case, given.algorithm)
    with output_to(copy.home / "logs" / "rehearsal.log"):
        say(f"{name}: a private copy, from {given.read_from} ({since(started)})")
        with open_graph(name, short, copy.home / "batches") as graph:
            importance = train(graph, given)
            say(f"  trained on {len(given.batches)} batches: {model} ({since(started)})")
            planted_into, table = list(given.batches.items())[-1]
            chosen = cases(use_case, importance, table, columns, only)
            control, findings = plant_all(graph, given, planted_into, chosen)
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
