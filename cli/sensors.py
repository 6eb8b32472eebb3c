"""Sends the readings of a machine to a topic, for a demonstration and for tests.

Belongs here: `python -m cli.sensors`. Does not belong here: reading a topic (`resources.sources`).
The readings are those that stand in for the topic in a defs.yaml: a published table, else synthetic
rows. Those with a failure go to the topic `alerts`, too, as a machine would do it.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from cli.output import say
from leeway.data.validation import validate
from leeway.spec import KafkaSource, StandIn, UseCase
from orchestration.use_cases import find_use_case
from resources.brokers import send
from resources.files import SourceError, Unavailable
from resources.sources import BatchSource, Synthetic, open_source

if TYPE_CHECKING:
    import pyarrow as pa

ALERTS = "alerts"
FAILURE = "machine_failure"


def main() -> int:
    """Sends some readings; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m cli.sensors",
        description="Send readings to the topic that a use case reads. Example: "
        "SENSORS_SERVERS=localhost:9092 python -m cli.sensors --rows 1000",
    )
    parser.add_argument("--use-case", default="tool_wear", help="whose topic (default: tool_wear)")
    parser.add_argument("--first", type=int, default=1, help="number of the first reading")
    parser.add_argument("--rows", type=int, default=10_000, help="how many, at most")
    parser.add_argument("--per-second", type=float, default=0.0, help="0: as fast as it goes")
    asked = parser.parse_args()
    try:
        sent = send_readings(asked.use_case, asked.first, asked.rows, asked.per_second)
    except (SourceError, ValueError) as error:
        say(f"error: {error}")
        return 1
    say(f"{sent} messages sent")
    return 0


def send_readings(name: str, first: int, rows: int, per_second: float = 0.0) -> int:
    """Sends readings of a use case to its topic, and failures to `alerts`; returns how many.

    Raises:
        ValueError: when there is no such use case or reading, it reads no topic, or nothing stands
            in for it.
        SourceError: when the readings or the brokers cannot be had.
    """
    use_case = find_use_case(name)
    if not isinstance(use_case.source, KafkaSource):
        raise ValueError(f"{name} reads {use_case.source.kind}, and no topic")
    table, topic = _readings(use_case), use_case.source.topic
    if not 1 <= first <= table.num_rows:
        raise ValueError(f"there is no reading {first}: they are 1 to {table.num_rows}")
    some = messages(table.slice(first - 1, rows), use_case, topic)
    return send(use_case.source, _paced(some, per_second))


def messages(table: pa.Table, use_case: UseCase, topic: str) -> Iterator[tuple[str, bytes]]:
    """Topic and JSON of each accepted row, by the names that the source has."""
    names = {c.name: c.in_source for c in use_case.given_columns if not c.from_position}
    for row in validate(table, use_case).accepted.to_pylist():
        reading = {source: row[name] for name, source in names.items()}
        value = json.dumps(reading, default=str).encode()
        yield topic, value
        if row.get(FAILURE):
            yield ALERTS, value


def _readings(use_case: UseCase) -> pa.Table:
    """The first batch of what stands in for the topic."""
    for source in _sources(use_case, use_case.stand_in or StandIn.model_construct()):
        try:
            return source.read(source.batches()[0])
        except Unavailable as error:
            say(f"{source.description}: {error}")
    raise ValueError("nothing stands in for the topic, so there are no readings to send")


def _sources(use_case: UseCase, stand_in: StandIn) -> Iterator[BatchSource]:
    if stand_in.source is not None:
        yield open_source(use_case.model_copy(update={"source": stand_in.source}))
    if stand_in.synthetic is not None:
        yield Synthetic(use_case, stand_in.synthetic)


def _paced(found: Iterable[Any], per_second: float) -> Iterator[Any]:
    for each in found:
        yield each
        if per_second > 0:
            time.sleep(1 / per_second)


if __name__ == "__main__":
    sys.exit(main())
