"""Where the models of a backtest come from: the ledger, or trainings on what is there.

Belongs here: the choice, and what a reader must know of it. Does not belong here: the replay
(`leeway.backtest`), or reading batches and releases (`resources.backtest`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cli.output import say
from leeway.backtest.errors import CannotBacktest
from leeway.backtest.facts import Models
from leeway.backtest.models import Refitted
from leeway.backtest.plan import as_batches, first_third, recipe_for
from leeway.backtest.recorded import Recorded
from leeway.drift.stored import Stored
from leeway.spec import UseCase
from resources.backtest import Material, recorded_material, source_material
from resources.instance import prepare


@dataclass(frozen=True)
class Chosen:
    """Models, whether they are recorded ones, and the profiles of all batches in their order."""

    models: Models
    told: Literal["recorded", "refitted"]
    stored: dict[str, Stored]
    notes: tuple[str, ...]


def chosen_models(name: str, use_case: UseCase, *, refit: bool) -> Chosen:
    """Recorded models where there are batches that the first of them has not seen.

    Raises:
        CannotBacktest: when there is too little to replay.
        SourceError: when the source is needed and cannot be read.
    """
    material = recorded_material(name, use_case, prepare())
    if not material.tables:
        say(f"{name} was never materialized: its rows are read from the source")
        material = source_material(use_case)
    try:
        return _chosen(use_case, material, refit=refit)
    except CannotBacktest as error:
        raise CannotBacktest(f"{name}: {error}") from error


def _chosen(use_case: UseCase, material: Material, *, refit: bool) -> Chosen:
    tables, stored = material.tables, material.stored
    first = set(material.releases[0].batches) if material.releases else set()
    if not first or not first < set(tables):
        return _without_history(use_case, material)
    if not refit:
        models = Recorded(use_case, material.releases, tables, stored)
        return Chosen(models, "recorded", stored, material.notes)
    recipe = material.recipe or recipe_for({name: tables[name] for name in first}, use_case)
    note = f"{recipe.algorithm} of the first release is fitted again, with its parameters"
    initial = [name for name in tables if name in first]
    fitted = Refitted(use_case, tables, stored, initial, recipe)
    return Chosen(fitted, "refitted", stored, (*material.notes, note))


def _without_history(use_case: UseCase, material: Material) -> Chosen:
    """No batch came after a model: the first third of the batches trains one, as --refit does."""
    tables, stored, unit = as_batches(material.tables, material.stored, use_case)
    first = first_third(list(tables))
    recipe = recipe_for({name: tables[name] for name in first}, use_case)
    told = "no batch came after a recorded model, so that models are trained here, as with --refit"
    cut = [] if unit is None else [f"the rows are cut by {unit}"]
    chosen = f"{recipe.algorithm} was chosen on the first third, with its default parameters"
    models = Refitted(use_case, tables, stored, first, recipe)
    return Chosen(models, "refitted", stored, (*material.notes, told, *cut, chosen))
