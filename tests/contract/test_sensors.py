"""The producer of readings: what it sends is what the use case reads from the topic."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition

from cli import sensors
from leeway.data.validation import validate
from leeway.spec import KafkaSource, StandIn, UseCase
from orchestration.use_cases import find_use_case
from resources.brokers import send
from resources.files import SourceError, Unavailable
from resources.settings import Settings
from resources.sources import Synthetic, open_source
from tests.broker import Broker, running_broker

NAME = "tool_wear"


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    with running_broker() as found:
        yield found


@pytest.fixture
def use_case(monkeypatch: pytest.MonkeyPatch) -> UseCase:
    """The use case without the published table, and with batches at once."""
    found = find_use_case(NAME)
    assert found.stand_in is not None
    found = found.model_copy(
        update={
            "source": found.source.model_copy(update={"wait": "0s"}),
            "stand_in": StandIn(synthetic=found.stand_in.synthetic),
        }
    )
    monkeypatch.setattr("cli.sensors.find_use_case", known({NAME: found}))
    return found


def known(changed: Mapping[str, UseCase]) -> Callable[[str], UseCase]:
    """Finds use cases as they ship, but those that were changed."""
    return lambda name: changed[name] if name in changed else find_use_case(name)


def test_readings_arrive_in_order_and_typed_and_failures_are_alerts_too(
    broker: Broker, use_case: UseCase, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENSORS_SERVERS", broker.servers)
    made = use_case.stand_in.synthetic if use_case.stand_in else None
    assert made is not None
    sent = Synthetic(use_case, made).read("synthetic-1").slice(100, 200)
    failures = sent["Machine_failure"].to_pylist().count(True)
    assert sensors.send_readings(NAME, first=101, rows=200) == 200 + failures
    source = open_source(use_case)
    (batch,) = source.batches()
    judged = validate(source.read(batch), use_case, batch=batch)
    assert judged.accepted.drop_columns(["row_number"]).equals(
        validate(sent, use_case).accepted.drop_columns(["row_number"])
    )
    assert judged.rejects == ()
    assert len(alerts(broker, failures)) == failures > 0


def alerts(broker: Broker, number: int) -> list[dict[str, Any]]:
    """The messages of the topic `alerts`, each of which tells of a failure."""
    consumer = Consumer({"bootstrap.servers": broker.servers, "group.id": "test"})
    consumer.assign([TopicPartition("alerts", partition, 0) for partition in range(4)])
    found = [json.loads(each.value() or b"") for each in consumer.consume(number, timeout=20)]
    consumer.close()
    assert all(each["Machine_failure"] for each in found)
    return found


def test_readings_that_are_sent_again_are_rejects_of_the_second_batch(
    broker: Broker, use_case: UseCase, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A producer that is not sure sends again; the number of a reading is its key."""
    monkeypatch.setenv("SENSORS_SERVERS", broker.servers)
    topic = use_case.source.model_copy(update={"topic": "again"})
    again = use_case.model_copy(update={"source": topic})
    monkeypatch.setattr("cli.sensors.find_use_case", known({NAME: again}))
    for first in (1, 26):
        sensors.send_readings(NAME, first=first, rows=50)
    source = open_source(again)
    (batch,) = source.batches()
    judged = validate(source.read(batch), again, batch=batch)
    assert judged.accepted["reading_id"].to_pylist() == list(range(1, 76))
    assert {each.reason for each in judged.rejects} == {"the key repeats one of an earlier row"}


def test_nothing_is_sent_without_a_topic_or_its_brokers(
    use_case: UseCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SENSORS_SERVERS", raising=False)
    with pytest.raises(Unavailable, match="the variable SENSORS_SERVERS is not set"):
        sensors.send_readings(NAME, first=1, rows=1)
    with pytest.raises(ValueError, match="penguins reads package, and no topic"):
        sensors.send_readings("penguins", first=1, rows=1)
    with pytest.raises(ValueError, match=r"no use case 'wear'; there are churn, .*, tool_wear"):
        sensors.send_readings("wear", first=1, rows=1)
    for first in (0, 1_000_001):
        with pytest.raises(ValueError, match=f"there is no reading {first}: they are 1 to "):
            sensors.send_readings(NAME, first=first, rows=1)


def test_a_message_that_no_broker_takes_is_an_error_and_not_silence(
    broker: Broker, use_case: UseCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENSORS_SERVERS", broker.servers)
    source = use_case.source
    assert isinstance(source, KafkaSource)
    with pytest.raises(SourceError, match="1 of 2 messages were not taken: "):
        send(source, [("too_large", b"{}"), ("too_large", b"x" * 2_000_000)])
