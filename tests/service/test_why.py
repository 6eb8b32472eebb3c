"""`GET /api/v1/{use_case}/why` on an installation that has lived: real processes, real HTTP.

Belongs here: what a client sees of it. Does not belong here: what an answer says
(tests/unit/test_why.py, tests/graph/test_why.py).
"""

from __future__ import annotations

import time

import psycopg2
import pytest
from sqlalchemy.engine import make_url

from resources.postgres import embedded_url
from tests.faults.harness import until
from tests.installed import Complete
from tests.project_copy import NAME
from tests.service.service import Client

pytestmark = pytest.mark.timeout(300)
WHY = f"/api/v1/{NAME}/why"


def test_the_answer_is_the_one_of_the_command_line(client: Client, installed: Complete) -> None:
    status, found = client.get(WHY)
    assert status == 200
    assert found == installed.leeway("why", NAME, "--json").json
    assert found["champion"] is True
    assert client.get(f"{WHY}?version=1")[1] == found
    topics = {each["topic"] for each in found["statements"]}
    assert {"trained because", "trained on", "judged by", "champion"} <= topics


def test_what_is_not_recorded_is_refused_with_what_there_is(client: Client) -> None:
    status, found = client.get(f"{WHY}?version=9")
    assert (status, found["title"]) == (404, "Not Found")
    assert "penguins has no version 9; there are 1." in found["detail"]
    status, found = client.get("/api/v1/nosuch/why")
    assert status == 404
    assert "recorded are penguins" in found["detail"]
    for wrong in ("0", "-1", "x", "1e3", "9" * 30, "%00"):
        status, found = client.get(f"{WHY}?version={wrong}")
        assert status == 422, wrong
        assert found["where"] == "query.version"


def test_the_documentation_has_it_with_its_parameter(client: Client) -> None:
    _, document = client.get("/openapi.json")
    operation = document["paths"][WHY]["get"]
    (parameter,) = operation["parameters"]
    assert {"200", "404", "422", "503"} <= set(operation["responses"])
    assert (parameter["name"], parameter["in"], parameter["required"]) == (
        "version",
        "query",
        False,
    )


def test_without_the_database_it_says_so_in_time_and_predictions_go_on(
    client: Client, installed: Complete
) -> None:
    example = {
        each["name"]: each["example"] for each in client.get(f"/api/v1/{NAME}/model")[1]["inputs"]
    }
    with installed.without_database():
        begun = time.monotonic()
        status, found = client.get(WHY)
        assert time.monotonic() - begun < 8
        assert status == 503
        assert "predictions go on" in found["detail"]
        assert str(installed.home) not in found["detail"], "where things are is for the log"
        predicted = client.post(f"/api/v1/{NAME}/predict", {"instances": [example]})
        assert predicted[0] == 200
    assert until(lambda: client.get(WHY)[0] == 200, 60) is not None


def test_a_ledger_that_does_not_answer_is_given_up_in_time(
    client: Client, installed: Complete
) -> None:
    """A lock holds every read up; the answer comes all the same, and later ones work again."""
    url = make_url(embedded_url(installed.home)).set(database="leeway")
    holding = psycopg2.connect(url.render_as_string(hide_password=False))
    try:
        with holding.cursor() as cursor:
            cursor.execute("lock table leeway.decisions in access exclusive mode")
        begun = time.monotonic()
        assert client.get(WHY)[0] == 503
        assert time.monotonic() - begun < 10
        assert client.get("/health")[0] == 200
    finally:
        holding.rollback()
        holding.close()
    assert client.get(WHY)[0] == 200
