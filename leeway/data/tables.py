"""Arrow tables as Parquet bytes and back: the form of every stored table.

Belongs here: one way to write, so that equal tables give equal bytes. Does not belong here: where
the bytes go.
"""

from __future__ import annotations

import io
from collections.abc import Mapping

import pyarrow as pa
from pyarrow import parquet


def to_parquet(table: pa.Table, notes: Mapping[str, str] | None = None) -> bytes:
    """`table` as Parquet, compressed with zstd; equal tables and notes give equal bytes.

    Args:
        table: its own metadata are left out.
        notes: what is to be known of the table beside its rows, kept in the file's metadata.
    """
    buffer = io.BytesIO()
    fields = [field.remove_metadata() for field in table.schema]
    # Chunks may have dictionaries of their own: the same rows in any pieces are the same bytes.
    whole = table.cast(pa.schema(fields, notes)).combine_chunks()
    parquet.write_table(whole, buffer, compression="zstd")
    return buffer.getvalue()


def from_parquet(data: bytes) -> pa.Table:
    """The table in Parquet bytes.

    Raises:
        pyarrow.ArrowInvalid: when the bytes are not Parquet.
    """
    # `read_table` imports pandas, which takes a service longer than all that it serves.
    return parquet.ParquetFile(io.BytesIO(data)).read()
