"""A Kafka to test against: librdkafka's own cluster of one broker, in this process.

Belongs here: starting it, and sending messages. Does not belong here: what must hold. It speaks
Kafka's protocol over TCP, so that any process can ask it; it has no TLS, no SASL, no retention and
no transactions, and each topic begins with four partitions.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition

PARTITIONS = 4


@dataclass(frozen=True)
class Broker:
    """A running broker, and its address for others."""

    servers: str

    def send(self, topic: str, values: Sequence[Any], partition: int = 0, at: int = 0) -> None:
        """Sends values as JSON, bytes as they are; `at` in milliseconds since 1970, 0 is now."""
        producer = Producer({"bootstrap.servers": self.servers, "linger.ms": 0})
        for value in values:
            data = value if value is None or isinstance(value, bytes) else json.dumps(value)
            producer.produce(topic, value=data, partition=partition, timestamp=at)
        assert producer.flush(10) == 0

    def committed(self, topic: str, group: str) -> list[int]:
        """What the group has told, by partition; -1001 where nothing."""
        consumer = Consumer({"bootstrap.servers": self.servers, "group.id": group})
        asked = [TopicPartition(topic, partition) for partition in range(PARTITIONS)]
        found = [each.offset for each in consumer.committed(asked, timeout=10)]
        consumer.close()
        return found


@contextmanager
def running_broker() -> Iterator[Broker]:
    """A broker that lives as long as the block."""
    host = Producer({"test.mock.num.brokers": 1, "log_level": 0})
    (broker,) = host.list_topics(timeout=10).brokers.values()
    yield Broker(f"{broker.host}:{broker.port}")
    del host
