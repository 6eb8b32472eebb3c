"""Reading a topic of Kafka: what it holds, and the messages of ranges of offsets.

Belongs here: the consumer. Does not belong here: connecting (`resources.brokers`), which offsets
are a batch (`resources.sources.topic`), or which were taken before (`resources.topic_ranges`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from leeway.data.messages import Message
from leeway.spec import KafkaSource
from resources.brokers import check_installed, connection_of, said
from resources.files import SourceError, Unavailable

if TYPE_CHECKING:
    from confluent_kafka import Consumer

    from resources.topic_ranges import Range

_ANSWER_SECONDS = 10.0  # of a broker
_SILENT_SECONDS = 30.0  # without a message that must be there
_AT_ONCE = 1000  # messages that are handed over together


@dataclass
class Reader:
    """A consumer of one topic that is assigned offsets and never joins its group."""

    consumer: Consumer
    source: KafkaSource
    place: str
    heard: list[str] = field(default_factory=list)  # what the library said went wrong

    def bounds(self) -> dict[int, tuple[int, int]]:
        """Of each partition, the oldest offset that it holds and the one after the newest.

        Raises:
            Unavailable: when no broker answers, or there is no such topic.
        """
        from confluent_kafka import KafkaException, TopicPartition

        topic = self.source.topic
        try:
            about = self.consumer.list_topics(topic, timeout=_ANSWER_SECONDS).topics[topic]
            if about.error is not None:
                raise KafkaException(about.error)
            found = {}
            for partition in sorted(about.partitions):
                of = TopicPartition(topic, partition)
                found[partition] = self.consumer.get_watermark_offsets(of, timeout=_ANSWER_SECONDS)
        except KafkaException as error:
            raise self._unavailable(error) from None
        if None in found.values():
            raise self._unavailable("no answer about its offsets")
        return found

    def messages(self, ranges: Sequence[Range]) -> Iterator[Message]:
        """The messages of the ranges that the topic holds, in order within each partition.

        Offsets without a message (of a transaction, or compacted) are passed over.

        Raises:
            Unavailable: when the brokers are silent while messages are missing.
            SourceError: when offsets are no longer there.
        """
        from confluent_kafka import KafkaException, TopicPartition

        after = {each.partition: each.after for each in ranges}
        topic = self.source.topic
        try:
            self.consumer.assign([TopicPartition(topic, r.partition, r.first) for r in ranges])
            spoke = time.monotonic()
            while after:
                found = self._next()
                if not found and time.monotonic() - spoke > _SILENT_SECONDS:
                    raise self._unavailable(f"no message for {_SILENT_SECONDS:.0f} seconds")
                spoke = time.monotonic() if found else spoke
                for each in found:
                    message = self._message(each, after)
                    if message is not None:
                        yield message
        except KafkaException as error:
            raise self._unavailable(error) from None

    def _next(self) -> list[Any]:
        """The messages that are there, without waiting for as many as may come at once."""
        first = self.consumer.poll(0.5)
        return [] if first is None else [first, *self.consumer.consume(_AT_ONCE, timeout=0)]

    def _message(self, found: Any, after: dict[int, int]) -> Message | None:
        """A message of the ranges; a partition of which all was read is taken out of `after`."""
        from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, KafkaError

        partition, error = found.partition(), found.error()
        if error is not None and error.code() == KafkaError._AUTO_OFFSET_RESET:
            raise SourceError(
                f"{self.place}, partition {partition}: what was to be read was deleted meanwhile; "
                "run the command again, which tells what is lost"
            )
        if error is not None and error.code() != KafkaError._PARTITION_EOF:
            raise self._unavailable(error)
        end = after.get(partition)
        if end is None:
            return None
        if error is not None or found.offset() >= end - 1:
            del after[partition]
        if error is not None or found.offset() >= end:
            return None
        kind, at = found.timestamp()
        sent = None if kind == TIMESTAMP_NOT_AVAILABLE else _moment(at)
        return Message(partition, found.offset(), found.value(), sent)

    def commit(self, offsets: Mapping[int, int]) -> str:
        """Tells the group where it goes on, for others to see; empty, or why that failed."""
        from confluent_kafka import KafkaException, TopicPartition

        topic = self.source.topic
        told = [TopicPartition(topic, partition, after) for partition, after in offsets.items()]
        try:
            for each in self.consumer.commit(offsets=told, asynchronous=False) or ():
                if each.error is not None:
                    return said(each.error)
        except KafkaException as error:
            return said(error)
        return ""

    def _unavailable(self, error: object) -> Unavailable:
        self.consumer.poll(0)  # hands over what the library heard meanwhile
        return Unavailable(f"{self.place}: {'; '.join([said(error), *self.heard[-1:]])}")


@contextmanager
def reader(source: KafkaSource, place: str) -> Iterator[Reader]:
    """A reader of the topic; nothing is asked of the brokers yet.

    Raises:
        Unavailable: when a variable that the source names is not set.
        SourceError: when the library is not installed, or refuses the settings.
    """
    settings = settings_of(source)  # first: without brokers, nobody needs the library
    check_installed(place)
    from confluent_kafka import Consumer, KafkaException

    heard: list[str] = []
    try:
        consumer = Consumer(settings | {"error_cb": lambda error: heard.append(error.str())})
    except KafkaException as error:
        raise SourceError(f"{place}: {said(error).strip()}") from None
    try:
        yield Reader(consumer, source, place, heard)
    finally:
        consumer.close()


def settings_of(source: KafkaSource) -> dict[str, Any]:
    """The settings of librdkafka's consumer; they hold the password.

    Raises:
        Unavailable: when a variable that the source names is not set.
    """
    return connection_of(source) | {
        "group.id": source.group,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "error",  # an offset that is gone is told, never skipped
        "isolation.level": "read_committed",
        "enable.partition.eof": True,
        "allow.auto.create.topics": False,
        "check.crcs": True,
        "fetch.wait.max.ms": 100,
        "queued.max.messages.kbytes": 16 * 1024,
    }


def _moment(milliseconds: int) -> datetime | None:
    """A time since 1970; None for one that no calendar has."""
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return None
