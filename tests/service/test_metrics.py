"""/metrics: what Prometheus reads of a service, of one worker and of two.

Belongs here: that the numbers are those of what was asked. Does not belong here: their cost
(benchmarks).
"""

from __future__ import annotations

import json
import signal
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.faults.harness import until
from tests.installed import Complete
from tests.project_copy import NAME
from tests.service.service import PREDICT, Client, ready

pytestmark = pytest.mark.timeout(300)
ROUTE = "/api/v1/{use_case}/predict"
RELEASE = f'model_version="1",use_case="{NAME}"'


def requests(
    found: dict[str, float], status: int, method: str = "POST", route: str = ROUTE
) -> float:
    name = f'http_requests_total{{method="{method}",route="{route}",status="{status}"}}'
    return found.get(name, 0.0)


def test_requests_predictions_and_refusals_are_counted_by_route_and_release(
    client: Client, example: dict[str, Any]
) -> None:
    before = client.metrics()
    heavy = example | {"body_mass_g": 9_000}
    answers = [client.post(PREDICT, {"instances": [example, heavy]})[1] for _ in range(3)]
    client.post(PREDICT, {"instances": [{"wings": 2}]})
    client.post(PREDICT, b"{")
    client.ask("POST", PREDICT, b"{}", {"Content-Type": "text/plain"})
    client.get("/api/v1/nothing/model")
    after = client.metrics()

    def grew(name: str) -> float:
        return after.get(name, 0.0) - before.get(name, 0.0)

    assert requests(after, 200) - requests(before, 200) == 3
    assert grew(f"predictions_total{{{RELEASE}}}") == 6
    assert grew(f"prediction_latency_seconds_count{{{RELEASE}}}") == 3
    assert grew(f'http_request_duration_seconds_count{{method="POST",route="{ROUTE}"}}') == 6
    said = Counter(each["prediction"] for answer in answers for each in answer["predictions"])
    for name, times in said.items():
        assert grew(f'predicted_classes_total{{class="{name}",{RELEASE}}}') == times
    warned = f'code="outside_training_range",input="body_mass_g",{RELEASE}'
    assert grew(f"prediction_warnings_total{{{warned}}}") == 3
    for kind in ("invalid", "not_readable", "media_type"):
        assert grew(f'requests_refused_total{{kind="{kind}",route="{ROUTE}"}}') == 1
    model = "/api/v1/{use_case}/model"
    assert grew(f'requests_refused_total{{kind="unknown_name",route="{model}"}}') == 1
    assert after[f"model_loaded{{{RELEASE}}}"] == 1
    assert after[f'champion_waiting{{use_case="{NAME}"}}'] == 0
    assert after["ledger_breaker_open"] == 0


def test_probes_and_metrics_count_nothing_and_paths_are_no_labels(client: Client) -> None:
    background = "inference_log_rows_total"  # of requests before: written when there is time
    before = client.metrics()
    for path in ("/health", "/ready", "/metrics", "/health", "/metrics"):
        assert client.ask("GET", path).status == 200
    after = client.metrics()
    changed = {name for name in after.keys() | before.keys() if after.get(name) != before.get(name)}
    assert {name for name in changed if not name.startswith(background)} == set()
    for number in range(50):
        client.ask("GET", f"/nothing/{number}?x={number}")
        client.ask("GET", f"/api/v1/nothing{number}/model")
    after = client.metrics()
    assert requests(after, 404, "GET", "none") - requests(before, 404, "GET", "none") == 50
    assert len(after) - len(before) <= 2 * 40, "two routes, not a hundred"
    assert not [name for name in after if "nothing" in name]


def test_a_rollback_and_an_absent_ledger_are_seen(client: Client, installed: Complete) -> None:
    with installed.without_database():
        assert until(lambda: client.metrics()["ledger_breaker_open"] == 1, 30) is not None
        assert client.metrics()["ledger_failures_total"] >= 5
        status, deep = client.get("/health/deep")
        assert (status, deep["status"]) == (200, "degraded")
        assert deep["dependencies"]["database"]["status"] == "does not answer"
        assert deep["dependencies"]["object_store"]["status"] == "answers"
        assert client.get("/health")[0] == client.get("/ready")[0] == 200
        status, problem = client.post(f"/api/v1/{NAME}/reload")
        assert status == 503
        assert "version 1 of penguins is served on" in problem["detail"]
    status, found = client.post(f"/api/v1/{NAME}/reload")
    assert status == 200, "at once, though the breaker was open"
    assert found["model_version"] == 1
    assert client.metrics()["ledger_breaker_open"] == 0
    status, found = client.post(f"/api/v1/{NAME}/warmup")
    assert (status, found["model_version"]) == (200, 1)
    assert found["seconds"] > 0


def test_deep_health_looks_once_in_a_while_however_often_it_is_asked(client: Client) -> None:
    seen = {json.dumps(client.get("/health/deep")[1]) for _ in range(20)}
    assert len(seen) <= 2, "seconds differ from look to look"


def test_two_workers_add_up_also_when_one_is_killed(installed: Complete) -> None:
    with ready(installed, "--workers", "2") as client:
        workers = client.spawned()
        assert len(workers) == 2
        assert until(lambda: set(ready_answers(client)) == {200}, 30) is not None
        ask_in_parallel(client, 400)
        logged = 'inference_log_rows_total{outcome="written"}'
        assert until(lambda: client.metrics().get(logged) == 400, 30) is not None
        found = client.metrics()
        assert requests(found, 200) == 400
        assert found[f"predictions_total{{{RELEASE}}}"] == 400
        assert found[f"model_loaded{{{RELEASE}}}"] == 1
        for worker in workers:
            with client.answered_by(worker):
                assert client.metrics() == found, "whichever is asked"
        workers[0].kill()
        assert until(lambda: len(set(client.spawned()) - set(workers)) == 1, 30) is not None
        assert until(lambda: set(ready_answers(client)) == {200}, 30) is not None
        ask_in_parallel(client, 100)
        found = client.metrics()
        assert requests(found, 200) == 500, "what the killed one had counted stays"
        assert found[f"model_loaded{{{RELEASE}}}"] == 1, "what it had loaded does not count"
        parent = psutil.Process(client.process.pid)
        everyone = parent.children(recursive=True)
    assert psutil.wait_procs(everyone, timeout=5)[1] == []


def ready_answers(client: Client) -> list[int]:
    """Of new connections, so that both workers are asked."""
    return [client.ask("GET", "/ready", headers={"Connection": "close"}).status for _ in range(20)]


def ask_in_parallel(client: Client, times: int) -> None:
    def ask() -> None:
        for _ in range(times // 4):
            answer = client.ask("POST", PREDICT, b'{"instances": [{}]}', {"Connection": "close"})
            assert answer.status == 200

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_workers_end_with_a_parent_that_is_killed(installed: Complete, tmp_path: Path) -> None:
    with ready(installed, "--workers", "2", TMPDIR=str(tmp_path)) as client:
        workers = client.spawned()
        assert len(workers) == 2
        client.process.kill()
        client.code = -signal.SIGKILL
        _, alive = psutil.wait_procs(workers, timeout=5)
        assert alive == []
