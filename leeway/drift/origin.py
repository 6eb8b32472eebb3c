"""Who moved: whether the world changed, or our own pipeline changed what it makes of it.

Belongs here: the same effect walked upstream, joined with what was defined anew. Does not belong
here: whether there is drift (`leeway.drift.verdict`), or what follows (`leeway.controller`).

Cleaning is a function of its input and its definition. Where no definition changed since the
reference was made, only the input can have: the world changed. Where one did, the step from which
the effect is there tells who made it: its own definition if that changed, else what it was given.
A definition shows from the first batch that it made: where an earlier one was made by the same
definitions and does not have the effect, the world changed since.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from leeway.definitions import of_column
from leeway.drift.effects import Measure
from leeway.drift.history import PastBatch
from leeway.drift.measured import effects_of, sides_of
from leeway.drift.stored import Stored

Who = Literal["world", "pipeline", "unknown"]

LAYERS = ("raw", "staged", "clean")
_WORST_FIRST: tuple[Who, ...] = ("pipeline", "world", "unknown")
INHERITED = 0.5  # a layer has the effect when it has at least this share of it
_MADE_BY = {
    "raw": "the source's entry in defs.yaml",
    "staged": "the dbt model that stages it",
    "clean": "the dbt model that cleans it",
}


@dataclass(frozen=True)
class Origin:
    """Where the effect on a column came from; `layer` is the first that has it, where known."""

    who: Who
    layer: str | None
    reason: str

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)


def origin_of(
    column: str,
    measure: Measure,
    reference: Stored,
    current: Stored,
    min_rows: int,
    made_alike: Sequence[PastBatch] = (),
) -> Origin:
    """Where a confirmed effect on a column of `clean` came from.

    Args:
        column: name of it.
        measure: of the effect that was confirmed.
        reference: profiles by layer, and definitions, of what the model was trained on.
        current: those of the batch.
        min_rows: fewer tell nothing.
        made_alike: effects on earlier batches that were made by the definitions of this one and
            compared with the same reference.
    """
    if not reference.definitions or not current.definitions:
        return Origin("unknown", None, "It is not recorded how the reference was made.")
    changed = [layer for layer in LAYERS if _changed(layer, column, reference, current)]
    effects = {
        layer: _effect(column, measure, reference, current, layer, min_rows) for layer in LAYERS
    }
    if not changed:
        first = _first(effects)
        told = f"; it is there from {first} on" if first else ""
        reason = f"The world changed: nothing is defined otherwise than before{told}."
        return Origin("world", first, reason)
    if any(_lacks(batch, column, measure, effects[LAYERS[-1]]) for batch in made_alike):
        reason = "The world changed: a batch before it was made by the same definitions without it."
        return Origin("world", None, reason)
    return _with_changes(column, effects, changed, reference, current)


def who_of(origins: Sequence[Origin]) -> Who | None:
    """Who moved the columns of a batch: the pipeline where it moved one of them.

    A training would learn its fault, whatever the world did beside it. Else the world where it did.
    """
    found = {origin.who for origin in origins}
    return next((who for who in _WORST_FIRST if who in found), None)


def _with_changes(
    column: str,
    effects: Mapping[str, float | None],
    changed: Sequence[str],
    reference: Stored,
    current: Stored,
) -> Origin:
    first = _first(effects)
    if first is None:
        names = ", ".join(changed)
        reason = f"{names} changed, and what {column} was before them is not recorded."
        return Origin("unknown", None, reason)
    if first in changed:
        before = LAYERS[: LAYERS.index(first)]
        silent = f"; {before[-1]} did not change" if before else ""
        reason = (
            f"Introduced by {first}, {_MADE_BY[first]}, which changed{_since(reference, current)}"
            f"{silent}."
        )
        return Origin("pipeline", first, reason)
    others = ", ".join(changed)
    if LAYERS.index(first) < min(LAYERS.index(layer) for layer in changed):
        reason = f"The world changed: it is there from {first} on, before {others}, which changed."
        return Origin("world", first, reason)
    reason = (
        f"It is there from {first} on, which is defined as before; {others} changed, and a column "
        "of another name may carry it on."
    )
    return Origin("unknown", first, reason)


def _lacks(batch: PastBatch, column: str, measure: Measure, whole: float | None) -> bool:
    """Whether a batch is known not to have the effect."""
    known = batch.get(column, {}).get(measure)
    return whole is not None and known is not None and known.estimate < INHERITED * whole


def _changed(layer: str, column: str, reference: Stored, current: Stored) -> bool:
    """Whether a layer, or the column at it, is defined otherwise than before."""
    names = (layer, of_column(layer, column))
    before, now = (
        [set(stored.definitions.get(name, ())) for name in names] for stored in (reference, current)
    )
    return before != now


def _effect(
    column: str,
    measure: Measure,
    reference: Stored,
    current: Stored,
    layer: str,
    min_rows: int,
) -> float | None:
    """The effect on the column at a layer; None where it is not there or not comparable."""
    ours, theirs = reference.profiles.get(layer), current.profiles.get(layer)
    sides = None if ours is None or theirs is None else sides_of(column, ours, theirs)
    if sides is None or min(sides.rows) < min_rows:
        return None
    found = (raw for raw in effects_of(sides, min_rows) if raw.measure == measure)
    return next((raw.estimate for raw in found), None)


def _first(effects: Mapping[str, float | None]) -> str | None:
    """The first layer from which on the effect is there; None: the last one is not known.

    A layer that is not known tells nothing, and is passed over.
    """
    whole = effects[LAYERS[-1]]
    if whole is None:
        return None
    first = LAYERS[-1]
    for layer in reversed(LAYERS):
        effect = effects[layer]
        if effect is None:
            continue
        if effect < INHERITED * whole:
            break
        first = layer
    return first


def _since(reference: Stored, current: Stored) -> str:
    """Between which commits, where git knows; what is not committed yet has none."""
    if not reference.commits or not current.commits:
        return ""
    before, now = (each.commits[-1].partition("-") for each in (reference, current))
    between = f" between commits {before[0][:12]} and {now[0][:12]}"
    if before[0] != now[0]:
        return f"{between}, or is not committed" if now[2] else between
    return f" after commit {now[0][:12]} and is not committed" if now[2] else ""
