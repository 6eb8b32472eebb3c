"""Incidents about live traffic, tick by tick: each is trained for once, with a batch that is new.

Does not belong here: the decision from given facts (tests/unit/test_controller_traffic.py), or
windows themselves (test_traffic.py).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial

from leeway.controller.facts import incident_digest
from resources.postgres import transaction
from resources.releases import insert_incident
from tests.graph.history import History

HOUR = timedelta(hours=1)
BEGIN = datetime(2026, 11, 23, 10, tzinfo=UTC)


def window(history: History, hour: int, *columns: str) -> str:
    """A window is looked at: it has drifted in the columns, or it has not. Returns its incident."""
    champion = history.platform.releases.champion(history.stage.name)
    assert champion is not None
    name, until = f"traffic-2026-11-23T{hour:02}", BEGIN + hour * HOUR
    with transaction(history.platform.settings) as cursor:
        cursor.execute(
            "insert into leeway.windows (use_case, batch, until) values (%s, %s, %s) "
            "on conflict do nothing",
            (history.stage.name, name, until),
        )
    digest = incident_digest(history.stage.name, champion.digest, f"{name} {columns}", columns)
    found = partial(
        insert_incident, use_case=history.stage.name, digest=digest, batch=name, columns=columns,
        release_digest=champion.digest, run_id="", node="traffic_drift",
    )  # fmt: skip
    verdict = "confirmed" if columns else "none"
    facts = {"verdict": verdict, "version": champion.version, "trained_on": False}
    facts["incident"] = digest if columns else None
    history.commit("traffic_drift", name, facts=facts, also=found if columns else None)
    return digest


def test_drift_of_live_traffic_is_trained_for_once_a_new_batch_is_there(history: History) -> None:
    digest = window(history, 1, "sex")
    assert "waits for a batch that no model has seen" in history.reason()
    history.arrive("2009")
    request = history.request()
    assert request.tags["leeway/incident"] == digest
    assert request.partition_key == "2009", "a window is no batch of what trains"
    assert history.request().run_key == request.run_key
    assert history.carry_out(request, "hold").success
    assert "has been trained for: the model was held" in history.reason()

    # The next window has moved, too: it is another incident, and there is nothing new to learn.
    window(history, 2, "sex")
    assert "waits for a batch that no model has seen" in history.reason()
    history.arrive("2010")
    assert history.request(after=timedelta(days=30)).partition_key == "2010"


def test_another_training_that_took_a_new_batch_answers_it(history: History) -> None:
    window(history, 1, "sex")
    history.arrive("2009")
    assert history.carry_out(None, "hold").success
    assert "has been trained for: the model was held" in history.reason()


def test_a_training_on_what_was_known_before_does_not_answer_it(history: History) -> None:
    window(history, 1, "sex")
    assert history.carry_out(None, "hold").success
    assert "waits for a batch that no model has seen" in history.reason()


def test_a_window_that_looks_as_it_should_with_late_answers_is_no_incident(
    history: History,
) -> None:
    window(history, 1, "sex")
    history.arrive("2009")
    assert history.request().partition_key == "2009"
    window(history, 1)
    assert "No drift calls for a training" in history.reason()


def test_what_a_release_was_trained_for_is_known_to_the_windows_after_it(history: History) -> None:
    digest = window(history, 1, "sex")
    history.arrive("2009")
    assert history.carry_out(history.request(), "promote").success
    releases, name = history.platform.releases, history.stage.name
    champion = releases.champion(name)
    assert champion is not None
    assert champion.version == 2
    (known,) = releases.trained_for_traffic(name, 2)
    assert (known.digest, known.live) == (digest, True)
    assert releases.trained_for_traffic(name, 1) == []
    assert "no batch was held against it since" in history.reason()
