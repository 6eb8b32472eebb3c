"""Live traffic and the commands: what people see of it, and a look that is killed half-way.

Belongs here: commands as processes. Does not belong here: what is found of a window
(tests/graph/test_traffic.py).
"""

from __future__ import annotations

import signal
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from leeway.served.contract import Classes, Classified
from leeway.served.logged import Answered, as_copied
from resources.inference_log import write
from tests.batches import penguins
from tests.end_to_end.conftest import Recorded
from tests.installed import Complete
from tests.project_copy import NAME

pytestmark = pytest.mark.timeout(300)
INPUTS = ["island", "bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g", "sex"]
LIVE = {"traffic", "traffic_drift", "traffic_performance"}


def answer(recorded: Recorded, at: datetime) -> None:
    """The service answered for the penguins of 2009, rightly; their truth is known by their key."""
    champion = recorded.releases.champion(NAME)
    assert champion is not None
    table = penguins().query("year == 2009 and sex.notna()")
    given = [
        Classified(uuid.uuid4().hex, species, {species: 1.0}, None, [])
        for species in table["species"]
    ]
    answers = Classes(NAME, "species", None, 0.9, champion.version, champion.digest, given)
    rows, keys = table[INPUTS].to_dict("records"), list(map(str, table["penguin_id"]))
    write(recorded.settings, as_copied([Answered(at.timestamp(), 0.01, rows, answers, keys)]))


def test_a_window_is_taken_once_and_whole_though_the_run_was_killed(
    installed: Complete, recorded: Recorded
) -> None:
    before = installed.leeway("run", NAME, "--json")
    assert before.code == 0, before.err
    assert not any(each["node"] in LIVE for each in before.json["ran"] + before.json["skipped"]), (
        "nobody has asked yet"
    )
    checks = installed.leeway("status", NAME, "--json").json["use_cases"][NAME]["checks"]
    assert checks["failed"] == []

    answer(recorded, datetime.now(UTC) - timedelta(days=2))
    killed = installed.leeway("run", NAME, LEEWAY_FAULTS="traffic_drift.in_commit:kill")
    assert killed.code == -signal.SIGKILL
    made = {node for node, _ in recorded.ledger.every_current(NAME)} & LIVE
    assert "traffic_drift" not in made
    assert "traffic" in made

    done = installed.leeway("run", NAME, "--json")
    assert done.code == 0, done.err
    ran = {(each["node"], each["batch"]) for each in done.json["ran"]}
    (window,) = {batch for _, batch in ran}
    assert window.startswith("traffic-")
    assert {node for node, _ in ran} >= LIVE - made
    assert installed.wrong() == []
    again = installed.leeway("run", NAME, "--json")
    assert again.json["ran"] == []
    assert {(e["node"], e["batch"]) for e in again.json["skipped"]} >= {(n, window) for n in LIVE}

    measured = recorded.ledger.require(NAME, "traffic_performance", window).facts
    assert measured["maturity"] == 1, "a clean batch has the truth of these rows"
    checked = installed.leeway("check", NAME, "--json").json["use_cases"][NAME]
    live = {each["check"] for each in checked["failed"] if each["node"] in LIVE}
    assert checked["passed"] + len(live) == checks["passed"] + 3
    status = installed.leeway("status", NAME, "--json").json["use_cases"][NAME]
    assert status["data"]["batches"] == 2
    assert status["drift"]["batch"] == "2009", "that of the source's batches, as ever"
