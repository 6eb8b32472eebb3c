"""A policy that asks for damage: a shift that harms is trained for, and one that does not, is not.

Belongs here: batches without a surprise in their labels, and what the nodes, the incident and the
sensor make of them. Does not belong here: the estimate (tests/unit/test_damage.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from assets.requested import CAUSE_TAG
from cli.backtest_models import chosen_models
from leeway.backtest.walk import walk
from leeway.drift.stored import to_bytes
from leeway.spec import Retraining
from leeway.spec.damage import Damage
from orchestration.retraining import retraining_tick
from orchestration.use_cases import load_use_cases
from tests.conftest import used_installation
from tests.graph.conftest import NAME, Graph, check_results, opened, short
from tests.graph.history import asked_by

pytestmark = pytest.mark.timeout(600)
BATCH_NODES = ["raw", "staged", "clean", "profile", "drift", "damage"]
USUAL_MASS, HEAVY = (2500.0, 7500.0), (4500.0, 7500.0)


def made_up(seed: int, rows: int, short_bills: float, mass: tuple[float, float]) -> pd.DataFrame:
    """Rows of the penguins' columns; the species of a short bill is anybody's guess.

    Args:
        seed: also numbers the rows and the year.
        rows: how many.
        short_bills: their share.
        mass: lowest and highest.
    """
    rng = np.random.default_rng(seed)
    short = rng.random(rows) < short_bills
    bills = np.where(short, rng.uniform(30, 45, rows), rng.uniform(45, 75, rows))
    guess = rng.choice(["Adelie", "Chinstrap"], rows)
    species = np.where(short, guess, np.where(bills < 60, "Chinstrap", "Gentoo"))
    return pd.DataFrame(
        {
            "penguin_id": np.arange(rows) + seed * 10_000,
            "species": species,
            "island": rng.choice(["Biscoe", "Dream", "Torgersen"], rows),
            "bill_length_mm": bills,
            "bill_depth_mm": rng.uniform(13, 21, rows),
            "flipper_length_mm": rng.uniform(170, 230, rows),
            "body_mass_g": rng.uniform(*mass, rows),
            "sex": rng.choice(["female", "male"], rows),
            "year": 2006 + seed,
        }
    )


@pytest.fixture(scope="module")
def graph(server_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Graph]:
    """A champion of many made-up rows, under a policy that asks for damage alone."""
    folder = tmp_path_factory.mktemp("batches")
    use_case = short(load_use_cases()[NAME], folder)
    search = use_case.search.model_copy(update={"metric": "log_loss_nats"})
    policy = Retraining(on=("damage",))
    # No gate: a third of the rows cannot be known.
    # Half as much again is borne: of two draws alike, one has more short bills than the other.
    damage = Damage(tolerance=0.5)
    changed = {"search": search, "retraining": policy, "damage": damage, "gates": ()}
    use_case = use_case.model_copy(update=changed)
    with (
        used_installation(server_home, tmp_path_factory.mktemp("home")),
        opened(NAME, use_case, folder) as found,
    ):
        found.write("2007", made_up(1, 1500, 0.3, USUAL_MASS))
        assert found.materialize(["2007"]).success
        assert found.platform.releases.champion(NAME) is not None
        yield found


def tick(graph: Graph) -> dg.SensorResult:
    after_cooldown = datetime.now(UTC) + timedelta(days=2)
    return retraining_tick(graph.stage, graph.instance, graph.platform, after_cooldown)


def causes(graph: Graph) -> set[tuple[str, str]]:
    champion = graph.platform.releases.champion(NAME)
    assert champion is not None
    found = graph.platform.releases.incidents(NAME, champion.digest, 50)
    return {(each.batch, each.cause) for each in found}


def test_a_harmless_shift_is_no_incident_of_damage_and_a_harmful_one_is_trained_for(
    graph: Graph,
) -> None:
    graph.write("2008", made_up(2, 600, 0.3, HEAVY))
    harmless = graph.materialize(["2008"], BATCH_NODES)
    assert harmless.success
    assert not check_results(harmless)["no_drift"].passed
    assert check_results(harmless)["no_damage"].passed
    assert causes(graph) == {("2008", "drift")}
    assert not tick(graph).run_requests, "it drifted, and the policy asks for damage"

    graph.write("2009", made_up(3, 600, 0.75, USUAL_MASS))
    harmful = graph.materialize(["2009"], BATCH_NODES)
    assert harmful.success
    check = check_results(harmful)["no_damage"]
    assert not check.passed
    assert check.severity is dg.AssetCheckSeverity.ERROR
    assert re.search(r"all of it worse than the [\d.]+ that are tolerated", check.description or "")
    assert causes(graph) == {("2008", "drift"), ("2009", "drift"), ("2009", "damage")}
    facts = graph.platform.ledger.require(NAME, "damage", "2009").facts
    assert facts["columns"][0] == "bill_length_mm"

    request = asked_by(tick(graph))
    assert (request.partition_key, request.tags[CAUSE_TAG]) == ("2009", "damage")

    # Replayed with the recorded champion, the same batch is an incident for the same columns.
    chosen = chosen_models(NAME, graph.stage.use_case, refit=False)
    replayed = walk(NAME, graph.stage.use_case, chosen.batches, chosen.models)
    assert chosen.told == "recorded"
    # A model that is trained in a replay is held against what the node made of the same rows.
    again = chosen_models(NAME, graph.stage.use_case, refit=True)
    recorded, refitted = (each.models.first().reference for each in (chosen, again))
    assert to_bytes(refitted) == to_bytes(recorded)
    found = {(each.batch, each.cause): each.columns for each in replayed.incidents}
    assert found.pop(("2009", "damage")) == tuple(facts["columns"])
    assert {cause for _, cause in found} == {"drift"}
    assert [(each.incident.batch, each.incident.cause) for each in replayed.retrains] == [
        ("2009", "damage")
    ]
