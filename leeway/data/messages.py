"""Messages of a stream as rows: each that is one, and for each that is none the reason.

Belongs here: bytes of messages to a table. Does not belong here: where they come from
(`resources.sources.topic`), or rules for values (`leeway.data.validation`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from leeway.data.records import NotRecords, parse_json, row_of

if TYPE_CHECKING:
    import pyarrow as pa

TOPIC, PARTITION, OFFSET = "message_topic", "message_partition", "message_offset"
AT, MESSAGE, PROBLEM = "message_at", "message", "message_problem"
MESSAGE_COLUMNS = (TOPIC, PARTITION, OFFSET, AT, MESSAGE, PROBLEM)
_EXCERPT = 200  # bytes of a message that is no row


@dataclass(frozen=True)
class Message:
    """One message; `problem` is why there is no value to read, where its reader knows of one."""

    partition: int
    offset: int
    value: bytes | None
    at: datetime | None = None
    problem: str = ""


def table_of_messages(
    topic: str, messages: Sequence[Message], columns: Collection[str], largest: int
) -> pa.Table:
    """One row per message, in the order given.

    The columns of the use case hold texts, and are missing where a message has no such name. Beside
    them are MESSAGE_COLUMNS: where the message is, when it was sent, what it held, and why it is no
    row. Names that the use case does not have are in what it held alone.

    Args:
        topic: where the messages are from.
        messages: at least one.
        columns: the names that a row has in the source; what a message says itself of those of
            MESSAGE_COLUMNS is not believed.
        largest: bytes of a message; of one with more, and of one that is no text, the beginning is
            kept.
    """
    import pyarrow as pa

    columns = [name for name in columns if name not in MESSAGE_COLUMNS]
    read = [_row(message, columns, largest) for message in messages]
    kept = [_kept(m, cut=bool(problem)) for m, (_, problem) in zip(messages, read, strict=True)]
    return pa.table(
        {name: pa.array([row.get(name) for row, _ in read], pa.string()) for name in columns}
        | {
            TOPIC: pa.array([topic] * len(messages), pa.string()),
            PARTITION: pa.array([m.partition for m in messages], pa.int64()),
            OFFSET: pa.array([m.offset for m in messages], pa.int64()),
            AT: pa.array([m.at for m in messages], pa.timestamp("us", tz="UTC")),
            MESSAGE: pa.array(kept, pa.string()),
            PROBLEM: pa.array([problem or None for _, problem in read], pa.string()),
        }
    )


def places_of(table: pa.Table) -> list[str] | None:
    """Topic, partition and offset of each row; None for a table that is not of messages."""
    if PROBLEM not in table.column_names:
        return None
    parts = (table[name].to_pylist() for name in (TOPIC, PARTITION, OFFSET))
    return [f"{topic}, partition {p}, offset {o}" for topic, p, o in zip(*parts, strict=True)]


def _row(
    message: Message, columns: Collection[str], largest: int
) -> tuple[dict[str, str | None], str]:
    """The values of the declared columns, or none of them and the problem."""
    if message.problem:
        return {}, message.problem
    if message.value is None:
        return {}, "no value: the message deletes a key, and holds no row"
    if len(message.value) > largest:
        return {}, f"too large: {len(message.value)} bytes of {largest} at most"
    try:
        found = parse_json(message.value.decode())
        if not isinstance(found, dict):
            return {}, f"not an object with names and values, but {_kind(found)}"
        row = row_of({name: found[name] for name in columns if name in found}, 1)
    except UnicodeDecodeError as error:
        return {}, f"not UTF-8: byte {error.start}"
    except NotRecords as error:
        return {}, str(error).removeprefix("row 1: ")
    if not row:
        return {}, f"it has none of the columns {', '.join(columns)}"
    return row, ""


def _kind(found: object) -> str:
    if isinstance(found, list):
        return "a list"
    return "null" if found is None else "a single value"


def _kept(message: Message, *, cut: bool) -> str | None:
    """What a message held; of one that is no row the beginning, which any table can hold."""
    if message.value is None:
        return None
    if not cut:
        return message.value.decode()
    text = message.value[:_EXCERPT].decode(errors="backslashreplace")
    return text.encode("unicode_escape").decode()
