"""A batch judged beside the others of its use case, and those that are judged again because of it.

Belongs here: what the other batches hold, and which of them lose or win rows. Does not belong here:
the rules (`leeway.data.validation`, `leeway.data.shared_keys`), or storing what was judged
(`assets.raw`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from assets.stage import Stage
from leeway.data import shared_keys
from leeway.data.tables import from_parquet
from leeway.data.validation import SchemaMismatch, Validated, validate
from resources.ledger import Commit
from resources.platform import Platform
from resources.postgres import transaction
from resources.warehouse import keys_of

if TYPE_CHECKING:
    import psycopg2.extensions
    import pyarrow as pa


@dataclass(frozen=True)
class JudgedAgain:
    """A batch that was stored before: its commit until now, its rows, and what is accepted now."""

    commit: Commit
    table: pa.Table
    judged: Validated


def judge(
    platform: Platform, stage: Stage, batch: str, table: pa.Table
) -> tuple[Validated, list[JudgedAgain]]:
    """Judges a batch, and again each later one that has a key which moves by that.

    The caller keeps others from storing a batch of the use case meanwhile.

    Raises:
        SchemaMismatch: when the batch cannot be judged. A later one that cannot be any more,
            because the use case has other columns now, is left as it is: that makes it stale.
    """
    commits = platform.ledger.every_current(stage.name)
    later = {b: found for (node, b), found in commits.items() if node == "raw" and b > batch}
    # Ended before anything is stored: to have read a table keeps others from changing its columns.
    with transaction(platform.settings) as cursor:
        held = _held(cursor, stage, "raw", stage.use_case.key.name)
        named = _held(cursor, stage, "rejects", "value") if later else held
    first = validate(table, stage.use_case, shared_keys.before(held, batch), batch=batch)
    if not later:
        return first, []
    keys = first.accepted[stage.use_case.key.name]
    again = [b for b in shared_keys.concerned(held, named, batch, keys) if b in later]
    held = _with(held, first, stage, batch)
    found = []
    for each in again:
        rows = from_parquet(platform.store.get(later[each].uri, later[each].digest))
        try:
            judged = validate(rows, stage.use_case, shared_keys.before(held, each), batch=each)
        except SchemaMismatch:
            continue
        held = _with(held, judged, stage, each)
        found.append(JudgedAgain(later[each], rows, judged))
    return first, found


def _held(cursor: psycopg2.extensions.cursor, stage: Stage, table: str, column: str) -> pa.Table:
    """The values of a column and their batch; none when the table does not have it yet."""
    import pyarrow as pa

    found = keys_of(cursor, stage.name, table, column)
    return shared_keys.held_by(pa.array([], pa.string()), "") if found is None else found


def _with(held: pa.Table, judged: Validated, stage: Stage, batch: str) -> pa.Table:
    """What batches hold, with what one of them holds from now on."""
    import pyarrow as pa

    held = shared_keys.without(held, batch)
    held = held.set_column(0, "key", shared_keys.as_text(held["key"]))
    mine = shared_keys.held_by(judged.accepted[stage.use_case.key.name], batch)
    return pa.concat_tables([held.cast(mine.schema), mine])
