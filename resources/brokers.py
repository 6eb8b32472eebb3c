"""Brokers of Kafka: how a client reaches them, and sending messages.

Belongs here: addresses and secrets of brokers, the producer. Does not belong here: reading a topic
(`resources.kafka`). The library is an extra of the installation: it is imported where it is needed.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from typing import Any

from leeway.spec import KafkaSource
from resources.files import SourceError, Unavailable
from resources.variables import variable

INSTALL = "uv sync --extra kafka, or pip install 'confluent-kafka>=2.12' beside Leeway"


def send(source: KafkaSource, messages: Iterable[tuple[str, bytes]]) -> int:
    """Sends values to topics by name, in order and each once; returns how many.

    All have one key, so that those of a topic stay in one partition.

    Raises:
        Unavailable: when the brokers do not take one.
        SourceError: when the library is not installed.
    """
    settings = connection_of(source)
    check_installed(source.topic)
    from confluent_kafka import KafkaException, Producer

    failed: list[str] = []

    def heard(error: Any, message: Any) -> None:
        if error is not None:
            failed.append(said(error))

    limits = {"enable.idempotence": True, "linger.ms": 20, "message.timeout.ms": 10_000}
    producer, sent = Producer(settings | limits), 0
    for topic, value in messages:
        while True:
            try:
                producer.produce(topic, value=value, key=b"leeway", on_delivery=heard)
                break
            except BufferError:  # the queue is full: wait until some are delivered
                producer.poll(0.5)
            except KafkaException as error:  # it is too large for any broker
                failed.append(said(error))
                break
        producer.poll(0)
        sent += 1
    producer.flush()
    if failed:
        raise Unavailable(f"{len(failed)} of {sent} messages were not taken: {failed[0]}")
    return sent


def check_installed(place: str) -> None:
    """Checks that the library is there.

    Raises:
        SourceError: when it is not, with how to install it.
    """
    if find_spec("confluent_kafka") is None:
        raise SourceError(
            f"{place}: topics need confluent-kafka, which is not installed: {INSTALL}"
        )


def connection_of(source: KafkaSource) -> dict[str, Any]:
    """How librdkafka reaches the brokers; it holds the password.

    Raises:
        Unavailable: when a variable that the source names is not set.
    """
    found: dict[str, Any] = {
        "bootstrap.servers": variable(source.servers_env, "source.servers_env"),
        "client.id": "leeway",
        "socket.connection.setup.timeout.ms": 10_000,
        "socket.timeout.ms": 10_000,
        "log_level": 0,  # what went wrong comes with the error, too
        "security.protocol": "ssl" if source.tls else "plaintext",
    }
    if source.user_env is not None and source.password_env is not None:
        found |= {
            "security.protocol": "sasl_ssl",
            "sasl.mechanism": source.mechanism,
            "sasl.username": variable(source.user_env, "source.user_env"),
            "sasl.password": variable(source.password_env, "source.password_env"),
        }
    return found


def said(error: object) -> str:
    """The words of an error of the library, which wraps them."""
    within = error.args[0] if isinstance(error, Exception) and error.args else error
    return str(within.str() if hasattr(within, "str") else within)
