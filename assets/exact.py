"""The KS distance from the rows of a batch and of the training part, where cells hide it.

Belongs here: reading these columns again. Does not belong here: which they are, or the distance
(`leeway.drift.exact`).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from assets.released import Batch
from leeway.data.training_set import PART, TRAIN, part_of
from leeway.drift.exact import exact_ks
from leeway.drift.numbers import NumberProfile
from leeway.drift.profile import Profile

if TYPE_CHECKING:
    import pyarrow as pa


def exact_distances(
    batch: Batch, columns: Sequence[str], reference: Profile, current: Profile
) -> dict[str, float]:
    """By column; nothing where the reference is of batches, of which there may be a hundred."""
    if batch.stage.use_case.drift.reference != "training_part" or not columns:
        return {}
    platform, trained = batch.platform, batch.champion.manifest["files"]["training_set"]
    ours = platform.store.get(str(trained["uri"]), str(trained["digest"]))
    before, now = part_of(_table(ours, *columns, PART), TRAIN), _rows(batch, columns)
    found = {}
    for name in columns:
        one, other = reference.columns[name], current.columns[name]
        if isinstance(one, NumberProfile) and isinstance(other, NumberProfile):
            found[name] = exact_ks(one, other, (before[name].chunks, now[name].chunks))
    return found


def _rows(batch: Batch, columns: Sequence[str]) -> "pa.Table":
    """The columns of the batch; a window has them within what was asked."""
    import pyarrow as pa
    import pyarrow.compute as pc

    node = "traffic" if batch.live else "clean"
    commit = batch.platform.ledger.require(batch.stage.name, node, batch.name)
    data = batch.platform.store.get(commit.uri, commit.digest)
    if not batch.live:
        return _table(data, *columns)
    asked = _table(data, "inputs")["inputs"]
    return pa.table({name: pc.struct_field(asked, name) for name in columns})


def _table(data: bytes, *columns: str) -> "pa.Table":
    import pyarrow as pa
    from pyarrow import parquet

    return parquet.read_table(pa.BufferReader(data), columns=list(columns))
