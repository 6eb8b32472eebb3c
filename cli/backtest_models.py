"""Where the models of a backtest come from: the ledger, or trainings on what is there.

Belongs here: the choice, and what a reader must know of it. Does not belong here: the replay
(`leeway.backtest`), or reading batches and releases (`resources.backtest`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from cli.output import say
from leeway.backtest.clock import in_order, in_time, notes_on_order
from leeway.backtest.errors import CannotBacktest
from leeway.backtest.facts import Batch, Models
from leeway.backtest.models import Refitted
from leeway.backtest.plan import as_batches, first_third, recipe_for
from leeway.backtest.recorded import Recorded, RecordedRelease
from leeway.spec import UseCase
from resources.backtest import Material, recorded_material, told_of
from resources.instance import prepare


@dataclass(frozen=True)
class Chosen:
    """Models, whether they are recorded ones, and all batches in the order in which they came."""

    models: Models
    told: Literal["recorded", "refitted"]
    batches: list[Batch]
    notes: tuple[str, ...]


def chosen_models(name: str, use_case: UseCase, *, refit: bool) -> Chosen:
    """Recorded models where there are batches that the first of them has not seen.

    Raises:
        CannotBacktest: when there is too little to replay.
        SourceError: when the source is needed and cannot be read.
    """
    settings = prepare()
    material = recorded_material(name, use_case, settings)
    if not material.tables and not material.left_out:
        from resources.backtest_source import source_material

        say(f"{name} was never materialized: its rows are read as `leeway run` would read them")
        material = source_material(name, use_case, settings)
    try:
        return chosen_of(use_case, material, refit=refit)
    except CannotBacktest as error:
        raise CannotBacktest(f"{name}: {error}") from error


def chosen_of(use_case: UseCase, material: Material, *, refit: bool) -> Chosen:
    """What the material allows to replay.

    Raises:
        CannotBacktest: when there is too little.
    """
    releases, gone = _with_batches(material.releases, material.tables)
    first = set(releases[0].batches) if releases else set()
    if not releases:
        return _without_history(use_case, material, "there is no recorded model")
    if not first:
        told = f"no batch of the first recorded model can be replayed ({', '.join(gone)})"
        return _without_history(use_case, material, told)
    if first == set(material.tables):
        return _without_history(use_case, material, "no batch came after a recorded model")
    notes = [f"a recorded model was trained on batches that are gone: {', '.join(gone)}"]
    return _with_history(use_case, material, releases, notes if gone else [], refit=refit)


def _with_history(
    use_case: UseCase,
    material: Material,
    releases: Sequence[RecordedRelease],
    notes: Sequence[str],
    *,
    refit: bool,
) -> Chosen:
    """The first release serves, and all batches that it did not see come after it."""
    first = releases[0].batches
    # In the order in which they were found, as production looked at them.
    order = sorted(material.tables, key=lambda name: name not in first)
    tables = {name: material.tables[name] for name in order}
    batches = in_time(tables, material.stored, use_case)
    told = (*material.notes, *notes, *notes_on_order(batches))
    if not refit:
        models = Recorded(use_case, releases, tables, material.stored)
        return Chosen(models, "recorded", batches, told)
    initial = order[: len(first)]
    recipe = material.recipe or recipe_for({name: tables[name] for name in initial}, use_case)
    note = f"{recipe.algorithm} of the first release is fitted again, with its parameters"
    fitted = Refitted(use_case, tables, material.stored, initial, recipe)
    return Chosen(fitted, "refitted", batches, (*told, note))


def _with_batches(
    releases: Sequence[RecordedRelease], tables: Collection[str]
) -> tuple[list[RecordedRelease], list[str]]:
    """The releases with those of their batches that can be replayed, and the others."""
    found = [
        replace(each, batches=tuple(name for name in each.batches if name in tables))
        for each in releases
    ]
    every = dict.fromkeys(name for each in releases for name in each.batches)
    return found, [name for name in every if name not in tables]


def _without_history(use_case: UseCase, material: Material, why: str) -> Chosen:
    """No recorded model can begin: the first third of the batches trains one, as --refit does."""
    try:
        tables, stored, unit = as_batches(material.tables, material.stored, use_case)
    except CannotBacktest as error:
        raise CannotBacktest("; ".join([str(error), *told_of(material.left_out)])) from error
    order = in_order(tables, use_case)
    moved = ["the batches come in the order of their times, not of their ids"]
    notes = [] if order == list(tables) else moved
    tables = {name: tables[name] for name in order}
    first = first_third(order)
    recipe = recipe_for({name: tables[name] for name in first}, use_case)
    told = f"{why}, so that models are trained here, as with --refit"
    cut = [] if unit is None else [f"the rows are cut by {unit}"]
    chosen = f"{recipe.algorithm} was chosen on the first third, with its default parameters"
    batches = in_time(tables, stored, use_case)
    notes += notes_on_order(batches)  # where a batch has no time, and all are as they were found
    models = Refitted(use_case, tables, stored, first, recipe)
    return Chosen(models, "refitted", batches, (*material.notes, *notes, told, *cut, chosen))
