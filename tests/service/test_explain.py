"""Explanations, neighbours and the map over HTTP, and the processes that make them.

Belongs here: what a client sees, and that predictions do not wait for it. Does not belong here: the
methods (tests/unit/test_explanation.py), or the queue and the time alone (test_pool.py).
"""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import urllib3

from serving.explanations import WAITING, WORKERS
from tests.faults.harness import alive, figure, until
from tests.installed import Complete
from tests.service.service import EXPLAIN, MAP, NEIGHBOURS, PREDICT, Client, ready

pytestmark = pytest.mark.timeout(300)
Instances = dict[str, Any]
MOST_SLOWER = 5  # of the 99th percentile, whatever else the machine does


@pytest.fixture(scope="module")
def body(example: dict[str, Any]) -> Instances:
    heavier = example | {"body_mass_g": 6000}
    return {"instances": [example, heavier, dict.fromkeys(example)]}


def without_ids(predictions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in each.items() if k != "prediction_id"} for each in predictions]


def libraries(pid: int) -> set[str]:
    """Which of the heavy libraries a process has loaded."""
    maps = Path(f"/proc/{pid}/maps").read_text()
    return {name for name in ("llvmlite", "shap") if f"/{name}/" in maps}


def test_nothing_is_started_until_somebody_asks(installed: Complete) -> None:
    with ready(installed) as other:
        assert other.workers() == []


def test_base_and_values_are_the_probabilities_that_predict_gives(
    client: Client, body: Instances
) -> None:
    status, found = client.post(EXPLAIN, body)
    assert status == 200
    _, predicted = client.post(PREDICT, body)
    given = [each["prediction"] for each in found["explanations"]]
    assert without_ids(given) == without_ids(predicted["predictions"])
    assert (found["release"], found["scale"]) == (predicted["release"], "log-odds")
    assert found["explainer"] == "LinearExplainer"
    assert found["fallback_reason"] is None
    assert 0 <= found["additivity_gap"] < 1e-9
    for each in found["explanations"]:
        assert set(each["shap_values"]) == set(body["instances"][0])
        log_odds = np.array(found["base_values"]) + sum(map(np.array, each["shap_values"].values()))
        share = np.exp(log_odds) / np.exp(log_odds).sum()
        probabilities = [each["prediction"]["probabilities"][name] for name in found["outputs"]]
        np.testing.assert_allclose(share, probabilities, rtol=1e-9)


def test_neighbours_are_rows_of_the_training_part_and_agree_or_not(
    client: Client, body: Instances
) -> None:
    status, found = client.post(NEIGHBOURS, body)
    assert status == 200
    first = found["surroundings"][0]
    assert first["neighbours"][0]["inputs"] == body["instances"][0]
    assert first["neighbours"][0]["distance"] == 0
    assert found["searched_rows"] == found["training_rows"] > 200
    for each in found["surroundings"]:
        near = each["neighbours"]
        assert len(near) == 5
        assert [n["distance"] for n in near] == sorted(n["distance"] for n in near)
        same = [n["target"] == each["prediction"]["prediction"] for n in near]
        assert each["agreement"] == sum(same) / 5


def test_an_instance_is_on_the_map_where_its_row_is(client: Client, body: Instances) -> None:
    _, near = client.post(NEIGHBOURS, body)
    status, found = client.get(MAP)
    assert status == 200
    assert found["axes"] == near["axes"]
    assert 200 < len(found["points"]) <= 1000
    places = np.array([each["coordinates"] for each in found["points"]])
    own = np.array(near["surroundings"][0]["coordinates"])
    assert np.abs(places - own).max(axis=1).min() < 1e-9
    shares = [each["explained_variance_ratio"] for each in found["axes"]]
    assert 1 > shares[0] > shares[1] > 0


def test_a_body_is_judged_as_that_of_predict_and_has_ten_instances_at_most(
    client: Client, example: Instances
) -> None:
    wrong = {"instances": [example | {"body_mass_g": "heavy"}]}
    for path in (EXPLAIN, NEIGHBOURS):
        assert client.post(path, wrong) == client.post(PREDICT, wrong)
        assert client.post(path, b"{")[0] == 400
        status, found = client.post(path, {"instances": [example] * 11})
        assert (status, found["where"]) == (422, "instances")
        assert client.post(path, {"instances": [example] * 10})[0] == 200
    assert client.post("/api/v1/nothing/explain", {"instances": [example]})[0] == 404


def test_the_process_that_predicts_has_none_of_the_libraries_that_explain(
    client: Client, body: Instances
) -> None:
    assert client.post(EXPLAIN, body)[0] == 200
    (worker,) = client.workers()
    assert libraries(worker.pid) == {"llvmlite", "shap"}, "the control: they would be seen"
    assert libraries(client.process.pid) == set()


def test_a_worker_that_was_killed_is_replaced_and_nobody_sees_it(
    client: Client, body: Instances
) -> None:
    assert client.post(EXPLAIN, body)[0] == 200
    (worker,) = client.workers()
    worker.kill()
    assert client.post(EXPLAIN, body)[0] == 200
    (second,) = client.workers()
    second.send_signal(signal.SIGSTOP)
    with ThreadPoolExecutor(1) as sending:
        asked = sending.submit(client.post, EXPLAIN, body)
        assert until(lambda: client.post(PREDICT, body)[0] == 200, 10) is not None
        second.kill()
        assert asked.result()[0] == 200
    assert not {worker.pid, second.pid} & {each.pid for each in client.workers()}


def explains(client: Client) -> float:
    """The metric `explainer_loaded` of the champion."""
    text = client.ask("GET", "/metrics").data.decode()
    (line,) = [each for each in text.splitlines() if each.startswith("explainer_loaded{")]
    assert 'use_case="penguins"' in line
    return float(line.rpartition(" ")[2])


def test_whether_it_explained_is_told_by_the_metrics(client: Client, body: Instances) -> None:
    assert client.post(EXPLAIN, body)[0] == 200
    assert explains(client) == 1
    killed = set()
    (warm,) = client.workers()
    warm.send_signal(signal.SIGSTOP)  # else it may have answered before it is killed

    def refused() -> bool:
        """The worker that there is dies, and the one that takes its place."""
        for worker in client.workers():
            worker.kill()
            killed.add(worker.pid)
        return asked.done()

    with ThreadPoolExecutor(1) as sending:
        asked = sending.submit(client.post, EXPLAIN, body)
        assert until(refused, 60) is not None
    assert asked.result()[0] == 503
    assert len(killed) >= 2
    assert explains(client) == 0
    assert client.post(EXPLAIN, body)[0] == 200
    assert explains(client) == 1


def test_who_finds_the_queue_full_is_told_when_to_come_again_and_the_others_are_answered(
    client: Client, body: Instances
) -> None:
    assert client.post(EXPLAIN, body)[0] == 200
    most = WORKERS + WAITING
    answers = client.overfilled(EXPLAIN, json.dumps(body).encode(), "application/json", most)
    assert sorted(each.status for each in answers) == [200] * most + [429]
    (refused,) = (each for each in answers if each.status == 429)
    assert int(refused.headers["Retry-After"]) >= 1
    assert refused.headers["Content-Type"] == "application/problem+json"


def test_predictions_stay_fast_while_as_much_is_explained_as_can_be(
    client: Client, body: Instances
) -> None:
    """In one process it would be as many times slower as there are explanations under way."""
    assert client.post(EXPLAIN, {"instances": body["instances"]})[0] == 200
    ratios = []
    for _ in range(3):
        quiet = slowest(client, body)
        with explaining(client, body, clients=WORKERS + WAITING) as done:
            loaded = slowest(client, body)
        assert len(done) > 1
        assert set(done) == {200}
        ratios.append(loaded / quiet)
        if ratios[-1] < MOST_SLOWER / 2:
            break  # as good as it has to be
    figure(f"p99 of predict while explain is saturated: {min(ratios):.1f} times that of before")
    assert min(ratios) < MOST_SLOWER, ratios


def slowest(client: Client, body: Instances) -> float:
    """99th percentile of the seconds of a prediction."""
    return float(np.percentile(client.latencies(json.dumps(body).encode(), 150), 99))


@contextmanager
def explaining(client: Client, body: Instances, clients: int) -> Iterator[list[int]]:
    """So many clients that ask for explanations, one after the other; the statuses they get."""
    pool = urllib3.HTTPConnectionPool("127.0.0.1", client.port, maxsize=clients, retries=False)
    data = json.dumps({"instances": [body["instances"][0]] * 10}).encode()
    done: list[int] = []
    ended = threading.Event()

    def ask() -> None:
        while not ended.is_set():
            done.append(pool.request("POST", EXPLAIN, body=data, timeout=90).status)

    with ThreadPoolExecutor(clients) as sending:
        asking = [sending.submit(ask) for _ in range(clients)]
        assert until(lambda: bool(done), 60) is not None
        try:
            yield done
        finally:
            ended.set()
            for each in asking:
                each.result()


def test_workers_end_with_a_service_that_was_killed(installed: Complete, body: Instances) -> None:
    with ready(installed) as other:
        assert other.post(EXPLAIN, body)[0] == 200
        (worker,) = other.workers()
        os.kill(other.process.pid, signal.SIGKILL)
        assert until(lambda: not alive(worker.pid), 5) is not None
        other.process.wait()
        other.process.returncode = 0  # the end that `serving` expects


def test_the_documentation_has_the_types_of_each_route_and_how_it_refuses(client: Client) -> None:
    _, document = client.get("/openapi.json")
    operation = document["paths"][EXPLAIN]["post"]
    (request,) = operation["requestBody"]["content"].values()
    name = request["schema"]["$ref"].rpartition("/")[2]
    assert document["components"]["schemas"][name]["properties"]["instances"]["maxItems"] == 10
    (answer,) = operation["responses"]["200"]["content"].values()
    fields = document["components"]["schemas"][answer["schema"]["$ref"].rpartition("/")[2]]
    assert "additivity_gap" in fields["required"]
    assert {"400", "404", "413", "422", "429", "503"} < set(operation["responses"])
    assert set(operation["responses"]["429"]["content"]) == {"application/problem+json"}
    assert "neighbours" in json.dumps(document["paths"][NEIGHBOURS]["post"]["operationId"])
