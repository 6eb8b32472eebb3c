"""More requests than the service can answer: those that it takes are answered soon.

Belongs here: a load that does not wait for answers, at multiples of what the service can do, and
what becomes of it. Does not belong here: how many may wait (tests/service/test_slow_clients.py).

Reliability matrix, S5. The service has a core of its own, and so has the load.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from leeway.digests import canonical_json
from resources.settings import Settings
from tests.faults.harness import LONG, figure, times
from tests.faults.load import Asked, load, quantile
from tests.faults.released import ROWS, make, make_champion, served
from tests.service.service import Client

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1800)]
REFUSED = (429, 503)  # with Retry-After: too many requests, too many connections
AT_ONCE = 32  # connections that find out how much it can do
# Bodies by the number of their instances; each of other rows.
BODIES = {
    count: [
        canonical_json({"instances": [ROWS[(first + n) % len(ROWS)] for n in range(count)]})
        for first in range(0, len(ROWS), 7)
    ]
    for count in (1, 100)
}


@pytest.fixture(scope="module")
def client(shared: Settings) -> Iterator[Client]:
    make(shared, 1)
    make_champion(shared, 1)
    with served(shared) as found:
        if len(os.sched_getaffinity(0)) > 1:
            service = psutil.Process(found.process.pid)
            for thread in service.threads():
                os.sched_setaffinity(thread.id, [0])
        yield found


@contextmanager
def probed(client: Client) -> Iterator[list[float]]:
    """Seconds that /health takes, asked ten times a second on a connection of its own."""
    found: list[float] = []
    ended = threading.Event()

    def probe() -> None:
        while not ended.wait(0.1):
            began = time.monotonic()
            assert client.alive()
            found.append(time.monotonic() - began)

    thread = threading.Thread(target=probe)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()


def offered(
    client: Client, folder: Path, instances: int, per_second: int, seconds: float
) -> tuple[list[Asked], list[float]]:
    """What came of that many requests a second, and what /health took meanwhile."""
    with (
        probed(client) as probes,
        load(client.port, BODIES[instances], per_second, folder, AT_ONCE) as found,
    ):
        time.sleep(seconds)
    return found.asked, probes


def lateness(asked: list[Asked]) -> float:
    """Seconds that the load was behind its own clock, 99th percentile."""
    return sorted(each.sent for each in asked)[int(0.99 * len(asked))]


def row_of(name: str, asked: list[Asked], probes: list[float]) -> tuple[float, str]:
    """Answers a second, and a line of the table."""
    seconds = max(each.answered for each in asked) - min(each.due for each in asked)
    span = max(each.due for each in asked) - min(each.due for each in asked)
    statuses = Counter(each.status for each in asked)
    good = [each for each in asked if each.status == 200]
    rest = [each for each in asked if each.status in REFUSED]
    per_second = len(good) / seconds
    shown = (
        f"{name}: offered {len(asked) / span:.0f}/s, answered {per_second:.0f}/s, 429 "
        f"{statuses[429] / span:.0f}/s, 503 {statuses[503] / span:.0f}/s, neither "
        f"{len(asked) - len(good) - len(rest)}; p50 "
        f"{quantile(good, 0.5) * 1e3:.1f}, p99 {quantile(good, 0.99) * 1e3:.1f}, p99.9 "
        f"{quantile(good, 0.999) * 1e3:.1f} ms; refused after "
        f"{quantile(rest, 0.5) * 1e3 if rest else 0:.1f} ms; /health "
        f"{max(probes) * 1e3:.0f} ms at most; the load itself {lateness(asked) * 1e3:.1f} ms late"
    )
    return per_second, shown


@pytest.mark.parametrize("instances", [100, 1] if LONG else [100])
def test_of_more_than_it_can_do_it_answers_nearly_as_much_as_it_can(
    client: Client, tmp_path: Path, instances: int
) -> None:
    seconds = min(times(2), 20)
    with load(client.port, BODIES[instances], 0, tmp_path, AT_ONCE) as found:
        time.sleep(seconds)
    peak, shown = row_of(f"{instances} a request, saturated", found.asked, [0.0])
    figure(f"overload: {shown}")
    judged: list[float] = []
    for factor in (1, 2, 3, 4, 5) if LONG else (2,):
        asked, probes = offered(client, tmp_path, instances, int(factor * peak), seconds)
        answered, shown = row_of(f"{instances} a request, {factor} times", asked, probes)
        figure(f"overload: {shown}; {answered / peak:.2f} of the peak")
        if lateness(asked) < 0.5:  # else the load had no processor, and was another one
            assert {each.status for each in asked} <= {200, *REFUSED}
            judged.append(answered)
    asked, _ = offered(client, tmp_path, instances, int(0.3 * peak), 1)
    assert {each.status for each in asked[len(asked) // 2 :]} == {200}, "it recovers at once"
    if not judged and not LONG:
        pytest.skip("the load was late, so that it was no overload: this machine has other work")
    assert judged, "the load was late each time, so that nothing was tried"
    assert min(judged) > 0.3 * peak, "far from the aim of 0.9: the machine has other work, too"
