"""A topic of Kafka: each message is in exactly one batch, whatever it holds and who is killed.

The broker is librdkafka's own (`tests.broker`), which speaks the protocol over TCP. No test here
has seen a broker of Apache Kafka.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from assets import raw
from assets.stage import stage_of
from leeway.data.messages import OFFSET, PARTITION
from leeway.data.validation import validate
from leeway.spec import KafkaSource, UseCase
from resources.faults import FaultInjected
from resources.files import SourceError, Unavailable
from resources.kafka import Reader, settings_of
from resources.platform import Platform
from resources.postgres import transaction
from resources.settings import Settings
from resources.sources import Topic, open_source
from resources.topic_ranges import Range, batch_id, record
from tests.broker import Broker, running_broker
from tests.conftest import installation

COLUMNS = [
    {"name": "id", "type": "integer", "role": "key", "description": "d", "required": True},
    {"name": "x", "type": "number", "description": "d"},
    {"name": "y", "type": "number", "role": "target", "description": "d"},
]
NAME = "sensors"
LONG_AGO = 1_700_000_000_000


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    with running_broker() as found:
        yield found


@pytest.fixture(scope="module")
def database(server_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    with installation(server_home, tmp_path_factory.mktemp("home")) as found:
        yield found


@pytest.fixture(autouse=True)
def _servers(broker: Broker, database: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENSORS", broker.servers)


@pytest.fixture
def topic(request: pytest.FixtureRequest) -> str:
    """A topic that no other test has."""
    return str(request.node.originalname)[:100] + str(abs(hash(request.node.name)))


def use_case(topic: str, **more: Any) -> UseCase:
    source = {"kind": "kafka", "servers_env": "SENSORS", "topic": topic, "group": f"g-{topic}",
              "tls": False, "wait": "0s"}  # fmt: skip
    return UseCase.model_validate(
        {"title": "t", "task": "regression", "source": source | more, "columns": COLUMNS}
    )


def opened(topic: str, **more: Any) -> Topic:
    source = open_source(use_case(topic, **more))
    assert isinstance(source, Topic)
    return source


def rows(first: int, after: int) -> list[dict[str, Any]]:
    return [{"id": n, "x": n / 2, "y": 1} for n in range(first, after)]


def held(source: Topic) -> list[tuple[int, int]]:
    """Partition and offset of every message of every batch."""
    return [
        place
        for batch in source.batches()
        for table in [source.read(batch)]
        for place in zip(table[PARTITION].to_pylist(), table[OFFSET].to_pylist(), strict=True)
    ]


def store(topic: str, batch: str, **more: Any) -> None:
    """Materializes `raw` of a batch."""
    stage = stage_of(NAME, use_case(topic, **more))
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions(f"{NAME}_batches", [batch])
        dg.materialize(
            [raw.build(stage)],
            instance=instance,
            partition_key=batch,
            resources={"platform": Platform()},
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )


def stored(topic: str) -> list[int]:
    """The keys in the table raw that came with one topic."""
    with transaction() as cursor:
        cursor.execute(
            "select id from sensors.raw where batch_id in (select batch from leeway.topic_ranges "
            "where topic = %s) order by id",
            (topic,),
        )
        return [row[0] for row in cursor.fetchall()]


def test_what_came_is_a_batch_and_what_comes_later_the_next_one(broker: Broker, topic: str) -> None:
    source = opened(topic)
    broker.send(topic, rows(0, 3), 0)
    broker.send(topic, rows(3, 5), 2)
    (first,) = source.batches()
    assert source.batches() == [first], "nothing new came"
    broker.send(topic, rows(5, 6), 2)
    assert source.batches()[0] == first
    assert [source.read(batch)["id"].to_pylist() for batch in source.batches()] == [
        ["0", "1", "2", "3", "4"], ["5"],
    ]  # fmt: skip
    assert first == batch_id(topic, [Range(0, 0, 3), Range(2, 0, 2)])
    assert opened(topic).batches() == source.batches(), "another process finds the same"


def test_a_long_backlog_is_cut_into_full_batches_and_each_message_is_in_one(
    broker: Broker, topic: str
) -> None:
    for partition in range(4):
        broker.send(topic, rows(100 * partition, 100 * partition + 60), partition)
    source = opened(topic, rows=50)
    sizes = [source.read(batch).num_rows for batch in source.batches()]
    assert sizes == [50, 50, 50, 50, 40]
    assert sorted(held(source)) == [(p, o) for p in range(4) for o in range(60)]


def test_messages_wait_for_others_until_the_oldest_waited_long_enough(
    broker: Broker, topic: str
) -> None:
    broker.send(topic, rows(0, 9), 0)
    source = opened(topic, rows=10, wait="1h")
    assert source.batches() == []
    broker.send(topic, rows(9, 12), 1)
    (full,) = source.batches()
    assert source.read(full).num_rows == 10
    broker.send(topic, rows(12, 13), 3, at=LONG_AGO)
    assert [source.read(batch).num_rows for batch in source.batches()] == [10, 3]


def test_a_batch_ends_where_it_is_large_enough(broker: Broker, topic: str) -> None:
    wide = [{"id": n, "x": 1, "y": 1, "note": "n" * 200_000} for n in range(15)]
    broker.send(topic, wide)
    source = opened(topic, megabytes=1, message_kilobytes=300)
    assert [source.read(batch).num_rows for batch in source.batches()] == [6, 6, 3]


POISON = {
    b"{": ("not JSON: ", "{"),
    b"[1, 2]": ("not an object with names and values, but a list", "[1, 2]"),
    b"null": ("not an object with names and values, but null", "null"),
    b"\xff\xfe": ("not UTF-8: byte 0", r"\\xff\\xfe"),
    b"[" * 100_000: ("the JSON is nested too deep", "[" * 200),
    b'{"id": 7, "id": 8}': ("an object names 'id' more than once", '{"id": 7, "id": 8}'),
    b'{"id": 7, "x": {"a": 1}}': ("'x' holds an object", '{"id": 7, "x": {"a": 1}}'),
    b'{"a": 1}': ("it has none of the columns id, x, y", '{"a": 1}'),
    b'{"id": 7, "x": "' + b"9" * 200_000 + b'"}': ("too large: 200018 bytes of 153600 at", None),
    None: ("no value: the message deletes a key", None),
    b'{"x": 7, "y": 2}': ("missing", None),
    b'{"id": 7, "x": "hot", "y": 2}': ("not a number", "hot"),
    b'{"id": "\\u0000", "x": 1, "y": 2}': ("not an integer", r"\0"),
}


def test_a_message_that_is_no_row_is_a_reject_with_its_place_and_no_other_row_is_touched(
    broker: Broker, topic: str
) -> None:
    values = [value for poison in POISON for value in (poison, *rows(100, 101))]
    good = [{"id": 100 + n, "x": 1, "y": 1} for n in range(len(POISON))]
    values[1::2] = good
    broker.send(topic, values, 1)
    source = opened(topic, message_kilobytes=150)
    (batch,) = source.batches()
    judged = validate(source.read(batch), use_case(topic), batch=batch)
    assert judged.accepted["id"].to_pylist() == [each["id"] for each in good]
    assert judged.ignored_columns == ()
    found = {reject.row_number: reject for reject in judged.rejects}
    assert len(found) == len(judged.rejects) == len(POISON), "one reason for each"
    for offset, (reason, value) in zip(range(0, 2 * len(POISON), 2), POISON.values(), strict=True):
        reject = found[offset + 1]
        assert reject.place == f"{topic}, partition 1, offset {offset}"
        assert reason in reject.reason
        assert value is None or reject.value == value


def test_a_batch_of_nothing_but_poison_is_rejects_and_the_next_one_is_read(
    broker: Broker, topic: str
) -> None:
    """A column whose every value is wrong is no reason to stop a stream, as it is for a file."""
    broker.send(topic, [{"id": n, "x": "hot", "y": 1} for n in range(20)])
    source = opened(topic)
    source.batches()
    broker.send(topic, rows(0, 5))
    judged = [validate(source.read(b), use_case(topic), batch=b) for b in source.batches()]
    assert [(each.rows, each.rejected_rows) for each in judged] == [(20, 20), (5, 0)]


def test_the_group_is_told_what_is_stored_and_never_more(
    broker: Broker, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = opened(topic, rows=3)
    broker.send(topic, rows(100, 109), 1)
    first, second, third = source.batches()
    assert broker.committed(topic, f"g-{topic}")[1] == -1001, "nothing is stored"
    store(topic, second, rows=3)
    assert broker.committed(topic, f"g-{topic}")[1] == 0, "the first is not"
    store(topic, first, rows=3)
    assert broker.committed(topic, f"g-{topic}")[1] == 6
    with monkeypatch.context() as killed:
        killed.setattr(Topic, "tell_stored", lambda self: None)
        store(topic, third, rows=3)
    opened(topic, rows=3).batches()
    assert broker.committed(topic, f"g-{topic}")[1] == 9, "a reader that was killed is made up for"
    assert stored(topic) == list(range(100, 109))


@pytest.mark.parametrize("point", ["raw.before_commit", "raw.in_commit", "raw.after_commit"])
def test_an_error_between_reading_and_telling_loses_nothing_and_doubles_nothing(
    broker: Broker, topic: str, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kills of the process at the same points: tests/faults/test_topic_kills.py."""
    key = 1000 * ("before", "in", "after").index(point[4:].removesuffix("_commit")) + 1000
    values = [value for n in range(key, key + 6) for value in (*rows(n, n + 1), b"no row")]
    broker.send(topic, values, 3)
    (batch,) = opened(topic).batches()
    monkeypatch.setenv("LEEWAY_FAULTS", f"{point}:raise")
    with pytest.raises(FaultInjected):
        store(topic, batch)
    monkeypatch.delenv("LEEWAY_FAULTS")
    assert broker.committed(topic, f"g-{topic}")[3] == -1001, "nothing was told"
    broker.send(topic, rows(key + 6, key + 9), 3)
    first, second = opened(topic).batches()
    assert first == batch
    store(topic, second)
    store(topic, first)
    assert stored(topic) == list(range(key, key + 9))
    assert broker.committed(topic, f"g-{topic}")[3] == 15
    with transaction() as cursor:
        cursor.execute(
            "select place, reason like 'not JSON%%' from sensors.rejects where batch_id = %s "
            "order by row_number",
            (first,),
        )
        found = cursor.fetchall()
    assert found == [(f"{topic}, partition 3, offset {n}", True) for n in range(1, 12, 2)]


def test_readers_that_cut_at_the_same_time_agree(broker: Broker, topic: str) -> None:
    broker.send(topic, rows(0, 40))
    one, other = opened(topic, rows=7), opened(topic, rows=13)
    really, raced = one._record, []

    def late(waiting: Any, ends: Any) -> Any:
        raced.append(other.batches())
        return really(waiting, ends)

    one._record = late  # type: ignore[method-assign]  # the other one comes between
    assert one.batches() == other.batches()
    assert Counter(held(one)) == Counter({(0, offset): 1 for offset in range(40)})
    assert raced


def test_messages_that_were_deleted_before_they_were_read_are_told(
    broker: Broker, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker of the tests has no retention: what it holds is made to look shorter."""
    broker.send(topic, rows(0, 10))
    source = opened(topic, rows=6)
    kept = source.fingerprint(source.batches()[1])
    really = Reader.bounds

    def shorter(self: Reader) -> dict[int, tuple[int, int]]:
        return really(self) | {0: (4, 10)}

    monkeypatch.setattr(Reader, "bounds", shorter)
    source = opened(topic, rows=6)
    first, last = source.batches()
    assert source.fingerprint(first) is None
    assert source.fingerprint(last) == kept
    judged = validate(source.read(first), use_case(topic), batch=first)
    assert [each.reason for each in judged.rejects] == [
        "lost: offsets 0 to 3 were deleted by the topic's retention before they were read"
    ]
    assert judged.accepted["id"].to_pylist() == [4, 5]


def test_a_topic_that_was_made_anew_is_refused(broker: Broker, topic: str) -> None:
    broker.send(topic, rows(0, 2))
    record(f"g-{topic}", topic, [Range(0, 0, 5)])
    with pytest.raises(SourceError, match="ends at offset 2, and was read up to 5: this is"):
        opened(topic).batches()


def test_a_topic_that_is_not_there_and_a_broker_that_does_not_answer_are_unavailable(
    topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Unavailable, match=f"topic {topic} of SENSORS: .*[Uu]nknown topic"):
        opened(topic).batches()
    monkeypatch.setattr("resources.kafka._ANSWER_SECONDS", 0.5)
    monkeypatch.setenv("SENSORS", "127.0.0.1:1")
    began = time.monotonic()
    with pytest.raises(Unavailable, match=f"topic {topic} of SENSORS: "):
        opened(topic).batches()
    assert time.monotonic() - began < 5
    monkeypatch.delenv("SENSORS")
    with pytest.raises(Unavailable, match=r"source\.servers_env: the variable SENSORS is not set"):
        opened(topic).batches()


def test_brokers_that_fall_silent_are_not_waited_for(
    broker: Broker, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker.send(topic, rows(0, 2))
    source = opened(topic)
    (batch,) = source.batches()
    monkeypatch.setattr("resources.kafka._SILENT_SECONDS", 0.5)
    monkeypatch.setattr("resources.kafka.Reader._next", lambda self: [])
    with pytest.raises(Unavailable, match="no message for 0 seconds"):
        source.read(batch)


def test_without_the_library_the_error_says_how_to_install_it(
    topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resources.brokers.find_spec", lambda name: None)
    with pytest.raises(SourceError, match="not installed: uv sync --extra kafka, or pip install"):
        opened(topic).batches()


def test_a_password_comes_from_the_environment_and_goes_over_tls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KAFKA_USER", "ana")
    monkeypatch.setenv("KAFKA_PASSWORD", "hunter2canary")
    source = KafkaSource(kind="kafka", servers_env="SENSORS", topic="t", group="g",
                         user_env="KAFKA_USER", password_env="KAFKA_PASSWORD")  # fmt: skip
    found = settings_of(source)
    assert found["security.protocol"] == "sasl_ssl"
    assert (found["sasl.username"], found["sasl.password"]) == ("ana", "hunter2canary")
    assert "hunter2canary" not in repr(source)
