"""What people see of a use case's past, from an empty ledger and from one with batches."""

from __future__ import annotations

from typing import Any

from leeway.metrics.evaluation import Metric
from resources.ledger import Ledger
from resources.monitoring import replace_segment_metrics
from resources.overview import batches, decisions, experiment, use_cases, windows
from resources.postgres import transaction
from resources.settings import Settings

GOOD = Metric(0.9, 0.8, 0.95, "fraction", 20)


def commit(settings: Settings, node: str, batch: str, **facts: object) -> None:
    ledger = Ledger(settings)
    attempt = ledger.begin("u", node, batch, "r")
    segments = {"all rows": {"accuracy": GOOD}, "island=Dream": {"accuracy": GOOD}}

    def record(cursor: Any) -> None:
        if node in ("performance", "traffic_performance"):
            replace_segment_metrics(
                cursor, use_case="u", batch=batch, version=2, run_id="r", segments=segments
            )

    ledger.commit(attempt, input_digest="i", digest="d", uri="u", rows=1, facts=facts, also=record)


def test_an_installation_that_did_nothing_has_nothing_to_show(settings: Settings) -> None:
    assert use_cases(settings) == {}
    assert batches(settings, "u", 5) == []
    assert decisions(settings, "u", 5) == []
    assert experiment(settings, "u") == {}


def test_windows_come_newest_first_with_what_was_found_of_each(settings: Settings) -> None:
    assert windows(settings, "u", 5) == []
    with transaction(settings) as cursor:
        cursor.execute(
            "insert into leeway.windows (use_case, batch, until) values "
            "('u', 'w1', now()), ('u', 'w2', now())"
        )
    commit(settings, "traffic", "w1", versions={"2": 1}, warned=0)
    commit(settings, "traffic_drift", "w1", verdict="none", version=2, effects={"large": 1})
    commit(settings, "traffic_performance", "w1", version=2, maturity=0.5)
    second, first = windows(settings, "u", 5)
    assert (second["window"], second["answers"], second["drift"]) == ("w2", None, None)
    assert (first["window"], first["answers"], first["versions"]) == ("w1", 1, {"2": 1})
    assert first["drift"] == {"verdict": "none", "version": 2, "rows": 1}
    assert first["performance"]["maturity"] == 0.5
    assert first["metrics"]["accuracy"]["low"] == 0.8
    assert [each["window"] for each in windows(settings, "u", 1)] == ["w2"]


def test_batches_come_newest_first_with_what_was_found_of_each(settings: Settings) -> None:
    Ledger(settings).register_batches("u", ["a", "b", "c"])
    Ledger(settings).register_batches("other", ["c"])
    for batch in ("a", "b"):
        commit(settings, "raw", batch, rows=10, rejected=1, origin="real")
    commit(
        settings, "drift", "b", verdict="confirmed", version=2, effects={"x": {"ks": [0.4, 0.01]}}
    )
    commit(settings, "performance", "b", version=2)
    commit(settings, "effects", "", best=1)
    assert use_cases(settings) == {"other": "model", "u": "experiment"}
    c, b = batches(settings, "u", 2)
    assert (c["batch"], c["rows"], c["drift"], c["metrics"]) == ("c", None, None, {})
    assert (b["batch"], b["rows"], b["rejected"], b["origin"]) == ("b", 10, 1, "real")
    assert b["drift"] == {"verdict": "confirmed", "version": 2}
    assert b["distances"] == {"x": {"ks": 0.4}}
    assert (b["damage"], c["distances"]) == (None, {})
    assert b["metrics"]["accuracy"]["low"] == 0.8
    assert [each["batch"] for each in batches(settings, "u", 9)] == ["c", "b", "a"]
    assert batches(settings, "other", 9)[0]["rows"] is None
    assert experiment(settings, "u") == {"effects": {"best": 1}}
