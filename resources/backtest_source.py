"""What a backtest reads of a use case that was never materialized: what its source has now.

Belongs here: its rows, judged as intake judges them, and the refusal where they are not enough.
Does not belong here: what the ledger holds (`resources.backtest`). No batch is stored. Which source
this installation reads is decided and recorded, as by every command that reads one.
"""

from __future__ import annotations

import pyarrow as pa

from leeway.backtest.errors import CannotBacktest
from leeway.data import shared_keys
from leeway.data.validation import SchemaMismatch, Validated, validate
from leeway.drift.declared import profile_table
from leeway.drift.stored import Stored
from leeway.spec import UseCase
from resources.backtest import Material, is_left_out, told_of
from resources.settings import Settings
from resources.sources import BatchSource
from resources.stand_ins import reading_of


def source_material(name: str, use_case: UseCase, settings: Settings) -> Material:
    """The accepted rows of what this installation reads, as no dbt model has seen them.

    As in every training, a key is in one batch alone (docs/adr/0013), and a batch of which too many
    rows were rejected is left out.

    Raises:
        SourceError: when the source cannot be read.
        CannotBacktest: when a batch does not fit the use case, dbt computes one of its columns, or
            to look at a topic would cut batches of it.
    """
    _check_readable(name, use_case)
    reading = reading_of(name, use_case, settings)
    tables: dict[str, pa.Table] = {}
    rejected, left_out = 0, []
    for batch, judged in _judged(reading.source, use_case).items():
        rejected += judged.rejected_rows
        if is_left_out(judged.rejected_rows, judged.rows, use_case):
            left_out.append(batch)
            continue
        ids = pa.array([batch] * judged.accepted.num_rows, pa.string())
        tables[batch] = judged.accepted.append_column("batch_id", ids)
    note = f"the rows are those of the source ({reading.description}); dbt did not clean them"
    told = [f"{rejected} rows were rejected"] if rejected else []
    stood_in = [reading.note] if reading.note else []
    stored = {
        batch: Stored({"clean": profile_table(table, use_case.columns)})
        for batch, table in tables.items()
    }
    notes = (note, *stood_in, *told, *told_of(left_out))
    return Material(tables, stored, notes=notes, left_out=tuple(left_out))


def _check_readable(name: str, use_case: UseCase) -> None:
    """Refuses what cannot be had without a run."""
    first = f"run `leeway run {name}` first"
    computed = [column.name for column in use_case.columns if column.computed]
    if computed:
        raise CannotBacktest(
            f"{name}: dbt computes {', '.join(computed)}, so that the rows of the source alone are "
            f"not enough: {first}"
        )
    stand_in = use_case.stand_in.source if use_case.stand_in else None
    if "kafka" in {use_case.source.kind, *([stand_in.kind] if stand_in else [])}:
        raise CannotBacktest(
            f"{name}: to look at a topic cuts batches of it, which a backtest does not: {first}"
        )


def _judged(source: BatchSource, use_case: UseCase) -> dict[str, Validated]:
    """The batches in the order of the source, each judged beside those with a lesser id.

    A key belongs to the least of the batches that have it, so that they are judged in that order.
    """
    order = source.batches()
    held = shared_keys.held_by(pa.array([], pa.string()), "")
    found: dict[str, Validated] = {}
    for batch in sorted(order):
        try:
            found[batch] = validate(source.read(batch), use_case, held, batch=batch)
        except SchemaMismatch as error:
            raise CannotBacktest(f"{source.place(batch)}: {error}") from error
        mine = shared_keys.held_by(found[batch].accepted[use_case.key.name], batch)
        held = pa.concat_tables([held, mine])
    return {batch: found[batch] for batch in order}
