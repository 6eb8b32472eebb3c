"""Listings from an HTTP API by month: what is no house stays out and says why, and drift is told.

The API is a process of its own; prices follow from size and state, and the search is short.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from orchestration.use_cases import load_use_cases
from resources.postgres import transaction
from resources.settings import get_settings
from tests.conftest import used_installation
from tests.graph.answered import assert_service_agrees
from tests.graph.conftest import Graph, check_results, opened
from tests.reference import Reference, serving

NAME = "real_estate"
MONTHS = ["2024-01", "2024-02"]
PRICE_OF = {"Vermont": 150.0, "New York": 400.0, "Puerto Rico": 90.0}  # USD for a square foot
LAND = {"price": 50_000.0, "house_size": None, "bed": None, "bath": None}
UNMEASURED = {"house_size": None}
GIVEN_AWAY = {"price": 11_000.0, "house_size": 9_000.0}
PALACE = {"price": 6_000_000.0}  # beyond what the use case is about: rejected, not cleaned away


def listings(seed: int, larger: float = 1.0) -> list[dict[str, Any]]:
    """200 ordinary houses, with some that are not in front of them."""
    random = np.random.default_rng(seed)
    found = []
    for number in range(200):
        state = str(random.choice(list(PRICE_OF)))
        size = float(random.uniform(800, 3000) * larger)
        price = size * PRICE_OF[state] * random.uniform(0.9, 1.1)
        house: dict[str, Any] = {
            "price": round(price),
            "house_size": round(size),
            "bed": 1 + number % 5,
        }
        house |= {"bath": 1 + number % 3, "acre_lot": 0.25, "state": state, "status": "for_sale"}
        house |= {"zip_code": f"0{1000 + number % 7}", "city": f"{state} {number % 4}"}
        found.append(house | {"prev_sold_date": None, "brokered_by": None, "street": None})
    ordinary = found[0]
    return [{**ordinary, **each} for each in (LAND, UNMEASURED, GIVEN_AWAY, PALACE)] + found


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reference]:
    with serving(tmp_path_factory.mktemp("api")) as found:
        yield found


@pytest.fixture(scope="module")
def graph(
    reference: Reference, server_home: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Graph]:
    folder = tmp_path_factory.mktemp("home")
    with (
        used_installation(server_home, folder),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("REAL_ESTATE_URL", reference.url)
        patch.setenv("LEEWAY_SOURCE_SCHEMES", "http")
        patch.setenv("LEEWAY_SOURCE_NETWORKS", "127.0.0.0/8")
        get_settings.cache_clear()
        use_case = load_use_cases()[NAME]
        search = {"candidates": ("ridge", "gradient_boosting"), "trials": 2, "folds": 3}
        use_case = use_case.model_copy(update={"search": use_case.search.model_copy(update=search)})
        with opened(NAME, use_case, folder) as found:
            yield found


def test_months_become_a_champion_and_larger_houses_are_drift(
    reference: Reference, graph: Graph
) -> None:
    reference.hold({month: listings(seed) for seed, month in enumerate(MONTHS)})
    first = graph.materialize(MONTHS)
    assert first.success
    ledger = graph.platform.ledger
    release = ledger.require(NAME, "release")
    assert release.facts["verdict"] == "promote", release.facts["reason"]
    assert check_results(first)["passes_gates"].passed

    # Rejected, left out with the reason, or clean: each row is somewhere.
    for month in MONTHS:
        raw, clean = ledger.require(NAME, "raw", month), ledger.require(NAME, "clean", month)
        assert (raw.facts["rows"], raw.facts["rejected"], raw.rows) == (204, 1, 203)
        assert (clean.rows, clean.facts["excluded"]) == (200, 3)
    with transaction(graph.platform.settings) as cursor:
        cursor.execute(
            "select excluded_because, count(*) from real_estate.staged "
            "where excluded_because is not null group by 1 order by 1"
        )
        reasons = cursor.fetchall()
        cursor.execute("select distinct column_name, value from real_estate.rejects")
        rejects = cursor.fetchall()
    assert reasons == [
        ("a house without its size", 2),
        ("less than 5 USD for a square foot", 2),
        ("no house: land alone", 2),
    ]
    assert rejects == [("price", "6000000.0")]

    assert_service_agrees(graph.platform, "real_estate", MONTHS[0])

    # The API has another month, of houses twice as large: KS of each feature says which moved.
    reference.hold({month: listings(seed) for seed, month in enumerate(MONTHS)} | {
        "2024-03": listings(2, larger=2.0)
    })  # fmt: skip
    second = graph.materialize(["2024-03"], ["raw", "staged", "clean", "profile", "drift"])
    drift = ledger.require(NAME, "drift", "2024-03").facts
    assert drift["verdict"] == "confirmed"
    assert "house_size" in drift["columns"]
    assert "bed" not in drift["columns"]
    assert not check_results(second)["no_drift"].passed
