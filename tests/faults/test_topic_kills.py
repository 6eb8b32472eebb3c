"""A reader of a topic that is killed anywhere: each message is in `raw` exactly once afterwards.

Minutes, so by default one test of tests/contract/test_source_topic.py raises at the same points:
`LEEWAY_KILLS=20 .venv/bin/pytest -k topic_kills`.
"""

from __future__ import annotations

import pytest

from resources.postgres import transaction
from resources.settings import Settings
from tests.broker import running_broker
from tests.faults.harness import LONG, figure, finish, hear, kill_within, seeded, start, times, zero

pytestmark = [pytest.mark.faults, pytest.mark.timeout(7200)]
TOPIC = "killed"
POINTS = ["raw.before_commit", "raw.in_commit", "raw.after_commit"]


@pytest.mark.skipif(not LONG, reason="minutes: make proof")
def test_a_reader_that_is_killed_again_and_again_stores_each_message_once(
    settings: Settings,
) -> None:
    rng = seeded("topic")
    kills = times(20)
    with running_broker() as broker:
        sent = 0
        for each in range(kills):
            values = [{"id": n, "x": n, "y": 1} for n in range(sent, sent + 60)]
            broker.send(TOPIC, [*values, b"no row"], each % 4)
            sent += 60
            point = POINTS[each] if each < len(POINTS) else ""
            faults = {"LEEWAY_FAULTS": f"{point}:kill"} if point else {}
            child = start("store_topic", TOPIC, SENSORS=broker.servers, **faults)
            if point:
                finish(child)
            else:
                hear(child, "batches")
                kill_within(child, 4, rng)
        code, _, said = finish(start("store_topic", TOPIC, SENSORS=broker.servers))
        assert code == 0, said
        with transaction(settings) as cursor:
            cursor.execute("select array_agg(id order by id) from sensors.raw")
            assert cursor.fetchall() == [(list(range(sent)),)]
            cursor.execute("select count(distinct place), count(*) from sensors.rejects")
            assert cursor.fetchall() == [(kills, kills)]
            cursor.execute(
                "select partition, max(after_offset) from leeway.topic_ranges group by 1"
            )
            told = broker.committed(TOPIC, "g")
            assert {p: end for p, end in enumerate(told) if end >= 0} == dict(cursor.fetchall())
    figure(f"topic: {zero(kills, 'kills lost or doubled a message')} of {sent}")
