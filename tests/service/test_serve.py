"""`leeway serve` on an installation that has lived: real processes, real HTTP.

Belongs here: what a client sees. Does not belong here: what a body may be
(tests/unit/test_contract.py).
"""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from orchestration.jobs import RETRAINED
from tests.batches import penguins
from tests.faults.harness import LONG, until
from tests.installed import Complete
from tests.project_copy import NAME
from tests.service.service import PREDICT, Client, ready

pytestmark = pytest.mark.timeout(300)
SOON = 1 if LONG else 10  # seconds; beside other work it takes longer


def test_an_instance_is_predicted_with_its_set_and_says_which_release_did(
    client: Client, installed: Complete, example: dict[str, Any]
) -> None:
    status, found = client.post(PREDICT, {"instances": [example, example]})
    assert status == 200
    champion = installed.leeway("status", NAME, "--json").json["use_cases"][NAME]["champion"]
    assert (found["model_version"], found["release"]) == (champion["version"], champion["release"])
    first, second = found["predictions"]
    assert first["prediction"] in first["prediction_set"]
    assert first["prediction"] == max(first["probabilities"], key=first["probabilities"].get)
    assert sum(first["probabilities"].values()) == pytest.approx(1)
    assert first["warnings"] == []
    assert first["prediction_id"] != second["prediction_id"]


def test_what_the_model_does_not_know_is_predicted_and_warned_of(
    client: Client, example: dict[str, Any]
) -> None:
    heavy = example | {"body_mass_g": 9000}
    status, found = client.post(PREDICT, {"instances": [heavy]})
    assert status == 200
    (warning,) = found["predictions"][0]["warnings"]
    assert (warning["input"], warning["code"]) == ("body_mass_g", "outside_training_range")


def test_a_wrong_body_is_told_where_and_what_is_allowed(
    client: Client, example: dict[str, Any]
) -> None:
    status, found = client.post(PREDICT, {"instances": [example | {"body_mass_g": "heavy"}]})
    assert status == 422
    assert found["where"] == "instances[0].body_mass_g"
    assert found["value"] == "heavy"
    assert "g" in found["allowed"]
    assert client.post(PREDICT, b"{")[0] == 400
    assert client.post(PREDICT, b" " * 1_100_000)[0] == 413
    assert client.post("/api/v1/nothing/predict", {"instances": [example]})[0] == 404


def test_the_documentation_has_the_example_and_every_path_that_is_served(client: Client) -> None:
    _, document = client.get("/openapi.json")
    assert {PREDICT, f"/api/v1/{NAME}/model", "/ready"} <= set(document["paths"])
    instance = document["components"]["schemas"][f"{NAME}.Instance"]
    assert instance["properties"]["body_mass_g"]["unit"] == "g"
    assert "{use_case}" not in " ".join(document["paths"])


def test_the_champion_answers_by_its_fast_path_and_says_what_is_proven(client: Client) -> None:
    _, model = client.get(f"/api/v1/{NAME}/model")
    assert model["path"]["path"] == "fast"
    assert model["path"]["golden_rows"] >= 100
    assert model["path"]["test_rows"] > 0


def test_categories_are_those_that_are_allowed_and_those_that_were_seen(client: Client) -> None:
    _, found = client.get(f"/api/v1/{NAME}/categories")
    islands = ["Biscoe", "Dream", "Torgersen"]
    assert found["island"] == {"allowed": islands, "seen": islands}


def test_health_is_alive_and_ready_names_the_versions(client: Client) -> None:
    assert client.get("/health") == (200, {"status": "alive"})
    status, found = client.get("/ready")
    assert status == 200
    assert found == {
        "status": "ready",
        "served": {NAME: 1},
        "waiting": {},
        "known_from": "ledger",
        "ledger": "answers",
    }


def test_every_answer_is_in_the_history_and_in_the_summary(
    client: Client, example: dict[str, Any]
) -> None:
    _, answer = client.post(PREDICT, {"instances": [example, example]})
    sought = {each["prediction_id"] for each in answer["predictions"]}
    found: list[dict[str, Any]] = []

    def logged() -> bool:
        _, page = client.get(f"/api/v1/{NAME}/predictions/history?limit=2")
        found[:] = page["predictions"]
        return {uuid.UUID(each["prediction_id"]).hex for each in found} == sought

    assert until(logged, 10) is not None
    assert found[0]["inputs"] == example
    assert found[0]["release"] == answer["release"]
    _, page = client.get(f"/api/v1/{NAME}/predictions/history?before={found[1]['prediction_id']}")
    assert sought.isdisjoint(uuid.UUID(each["prediction_id"]).hex for each in page["predictions"])
    status, summed = client.get(f"/api/v1/{NAME}/metrics/summary?hours=1")
    assert status == 200
    assert summed["releases"][0]["predictions"] >= 2
    assert summed["inference_log"]["dropped"] == 0
    assert client.get(f"/api/v1/{NAME}/predictions/history?limit=0")[0] == 422


def test_a_key_is_logged_with_the_answer_to_its_row_and_is_no_input(
    client: Client, example: dict[str, Any]
) -> None:
    _, model = client.get(f"/api/v1/{NAME}/model")
    assert model["key"] == {"name": "penguin_id", "type": "integer"}
    named = example | {"penguin_id": 271}
    for path in (PREDICT, f"/api/v1/{NAME}/explain"):
        assert client.post(path, {"instances": [named, example]})[0] == 200
    assert client.post(PREDICT, {"instances": [named | {"penguin_id": "x"}]})[0] == 422

    def logged() -> bool:
        _, page = client.get(f"/api/v1/{NAME}/predictions/history?limit=4")
        found = page["predictions"]
        keys = [each["row_key"] for each in found]
        return sorted(map(str, keys)) == ["271", "271", "None", "None"] and all(
            each["inputs"] == example for each in found
        )

    assert until(logged, 10) is not None


def test_what_is_recorded_of_a_use_case_is_told(client: Client) -> None:
    status, found = client.get(f"/api/v1/{NAME}/releases")
    assert (status, found["champion"]) == (200, 1)
    release, move = found["releases"][-1], found["moves"][-1]  # the first ones
    assert (release["version"], release["verdict"]) == (1, "promote")
    assert release["metrics"]["macro_f1"]["unit"] == "fraction"
    assert (move["version"], move["action"], move["who"]) == (1, "promote", "leeway")
    assert len(client.get(f"/api/v1/{NAME}/batches?limit=1")[1]["batches"]) == 1
    _, found = client.get(f"/api/v1/{NAME}/batches")
    batch = next(each for each in found["batches"] if each["batch"] == "2009")
    assert batch["rows"] > 0
    assert batch["drift"]["version"] == batch["performance"]["version"] == 1
    assert batch["metrics"]["macro_f1"]["rows"] > 0
    assert client.get(f"/api/v1/{NAME}/decisions")[0] == 200
    assert client.get(f"/api/v1/{NAME}/traffic") == (200, {"windows": []})
    assert client.get(f"/api/v1/{NAME}/experiment")[0] == 404
    assert client.get("/api/v1/nothing/releases")[0] == 404


def test_a_champion_is_moved_over_http_and_an_odd_move_is_refused(
    client: Client, installed: Complete
) -> None:
    def moved(action: str, body: Any) -> tuple[int, str]:
        status, found = client.post(f"/api/v1/{NAME}/{action}", body)
        return status, found.get("told") or found["detail"]

    assert moved("promote", {"version": 9, "why": "a test"})[0] == 409
    assert moved("rollback", {"why": "a test"})[0] == 409
    assert moved("promote", {"version": 1, "why": ""})[0] == 422
    assert moved("promote", b"{")[0] == 400
    status, told = moved("promote", {"version": 1, "why": "a test"})
    assert (status, told) == (200, "version 1 is champion already; nothing was moved")


def test_a_new_champion_and_a_rollback_are_served_without_a_restart(
    client: Client, installed: Complete, example: dict[str, Any]
) -> None:
    def version() -> int:
        status, found = client.post(PREDICT, {"instances": [example]})
        assert status == 200
        return int(found["model_version"])

    installed.write("2010", penguins(first_key=2001, year=[2009]))
    nodes = ",".join(["raw", "staged", "clean", "profile", *RETRAINED[:6]])
    trained = installed.leeway("run", NAME, "--select", nodes, "--json")
    assert trained.code == 0, trained.err
    if trained.json["decision"] != "promoted":
        assert installed.leeway("promote", NAME, "2").code == 0
    assert until(lambda: version() == 2, 20) is not None
    assert installed.leeway("rollback", NAME).code == 0
    assert until(lambda: version() == 1, SOON) is not None
    status, _ = client.post(f"/api/v1/{NAME}/promote", {"version": 2, "why": "it was better"})
    assert status == 200
    assert until(lambda: version() == 2, SOON) is not None
    assert client.post(f"/api/v1/{NAME}/rollback", {"why": "it was not"})[0] == 200
    assert until(lambda: version() == 1, SOON) is not None
    _, found = client.get(f"/api/v1/{NAME}/releases")
    assert [each["why"] for each in found["moves"][:2]] == ["it was not", "it was better"]


def test_without_the_database_the_last_champion_is_served(
    client: Client, installed: Complete, example: dict[str, Any]
) -> None:
    """A service that starts while its ledger cannot, and goes on when the ledger goes."""
    with ready(installed) as other:
        _, before = other.post(PREDICT, {"instances": [example]})
    with installed.without_database():
        with ready(installed) as other:
            _, found = other.get("/ready")
            assert found["known_from"] == "last"
            _, after = other.post(PREDICT, {"instances": [example]})
        assert after["release"] == before["release"]
        status, answer = client.post(PREDICT, {"instances": [example]})
        assert status == 200
        assert client.get("/ready")[1]["ledger"] != "answers"
        assert client.get(f"/api/v1/{NAME}/predictions/history")[0] == 503
    installed.leeway("status", NAME)  # starts the database

    def logged() -> bool:
        _, page = client.get(f"/api/v1/{NAME}/predictions/history")
        ids = [uuid.UUID(each["prediction_id"]).hex for each in page.get("predictions", ())]
        return ids.count(answer["predictions"][0]["prediction_id"]) == 1

    assert until(logged, 60) is not None
