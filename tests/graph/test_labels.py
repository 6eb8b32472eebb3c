"""Labels that come apart from their rows, through the whole graph.

Belongs here: what nodes, plans and sensors make of them. Does not belong here: what is known at a
time (tests/contract/test_labels.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from assets.released import champion_of
from cli.run import Sources, plan_of
from leeway.data.labelled import with_labels
from leeway.data.tables import from_parquet
from leeway.data.training_set import TRAIN, part_of
from leeway.digests import canonical_json
from leeway.performance import measure
from leeway.plan import label
from leeway.spec import UseCase
from orchestration.sensors import sensors_of
from orchestration.use_cases import load_use_cases
from resources.labels import changes
from resources.ledger import Commit
from resources.postgres import transaction
from tests.batches import age, penguins
from tests.conftest import used_installation
from tests.graph.conftest import FIRST, NAME, SECOND, Graph, opened, short

pytestmark = pytest.mark.timeout(300)
FIRST_KEY = 1001  # of the second batch


def by_sex(folder: Path, labels: Path) -> UseCase:
    """The sex of a penguin, which is found out later."""
    content = short(load_use_cases()[NAME], folder).model_dump()
    roles = {"species": "feature", "sex": "target"}
    for column in content["columns"]:
        column["role"] = roles.get(column["name"], column["role"])
    source = {"kind": "file", "path": str(labels)}
    content["labels"] = {"source": source, "key": "ring", "label": "blood_sample"}
    content["gates"], content["monitoring"] = [], {"segments": []}
    return UseCase.model_validate(content)


@pytest.fixture(scope="module")
def lived(server_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Graph]:
    """A first batch with its own labels and some that came apart, and a second one without any."""
    folder, labels = tmp_path_factory.mktemp("batches"), tmp_path_factory.mktemp("labels")
    with (
        used_installation(server_home, tmp_path_factory.mktemp("home")),
        opened(NAME, by_sex(folder, labels), folder) as graph,
    ):
        first = penguins(year=[2007, 2008])
        came_apart = first["penguin_id"] <= 20
        write(labels, "old", first[came_apart])
        graph.write(FIRST, first.assign(sex=first["sex"].mask(came_apart)))
        graph.write(SECOND, penguins(first_key=FIRST_KEY, year=[2009]).assign(sex=np.nan))
        result = graph.materialize([FIRST, SECOND])
        assert result.success
        yield graph


def write(folder: Path, batch: str, rows: pd.DataFrame) -> None:
    """A batch of labels, those of rows without one left out."""
    known = rows.dropna(subset=["sex"])
    path = folder / f"{batch}.csv"
    table = known[["penguin_id", "sex"]].set_axis(["ring", "blood_sample"], axis=1)
    table.to_csv(path, index=False)
    age(path)


def labels_of(graph: Graph) -> Path:
    labels = graph.stage.use_case.labels
    assert labels is not None
    assert labels.source.kind == "file"
    return Path(labels.source.path)


def facts(graph: Graph, node: str, batch: str = "") -> dict[str, Any]:
    return dict(graph.platform.ledger.require(NAME, node, batch).facts)


def stale(graph: Graph) -> set[tuple[str, str]]:
    """What `leeway run` would make again."""
    ledger, use_case = graph.platform.ledger, graph.stage.use_case
    sources: Sources = {"labels": changes(graph.platform.settings, NAME, use_case.key.name)}
    steps = plan_of(NAME, use_case, ledger, sources)
    return {(step.node, step.batch) for step in steps if step.runs}


def tick(graph: Graph) -> list[dg.RunRequest]:
    sensor = next(each for each in sensors_of(graph.stage) if each.name.endswith("_new_labels"))
    with dg.build_sensor_context(
        instance=graph.instance, resources={"platform": graph.platform}
    ) as context:
        found = sensor(context)
    return list(found.run_requests or []) if isinstance(found, dg.SensorResult) else []


def test_a_model_is_trained_on_labels_that_came_apart(lived: Graph) -> None:
    commit = lived.platform.ledger.require(NAME, "training_set")
    table = from_parquet(lived.platform.store.get(commit.uri, commit.digest)).to_pandas()
    truth = penguins(year=[2007, 2008]).set_index("penguin_id")["sex"].dropna()
    assert table.set_index("penguin_id")["sex"].to_dict() == truth.to_dict()


@dataclass(frozen=True)
class Came:
    """How many labels came for the second batch, and what was found before and after."""

    known: int
    before: Commit
    waiting: set[tuple[str, str]]
    asked: list[dg.RunRequest]
    after: Commit


@pytest.fixture(scope="module")
def half(lived: Graph) -> Came:
    """Labels came for every other row of the second batch, and were taken in."""
    ledger = lived.platform.ledger
    before = ledger.require(NAME, "performance", SECOND)
    truth = penguins(first_key=FIRST_KEY, year=[2009])
    rows = truth[truth["penguin_id"] % 2 == 0]
    write(labels_of(lived), "half", rows)
    asked = [*tick(lived), *tick(lived)]
    waiting = stale(lived)
    assert lived.carry_out(asked[0]).success
    after = ledger.require(NAME, "performance", SECOND)
    return Came(len(rows.dropna(subset=["sex"])), before, waiting, asked, after)


def test_before_a_label_comes_nothing_is_measured_and_nothing_waits(lived: Graph) -> None:
    assert facts(lived, "labels", SECOND)["maturity"] == 0
    assert facts(lived, "performance", SECOND)["maturity"] == 0
    assert lived.platform.ledger.require(NAME, "performance", SECOND).rows == 0
    assert (stale(lived), tick(lived)) == (set(), [])


def test_labels_that_come_late_mature_and_are_measured_and_train_nothing(
    lived: Graph, half: Came
) -> None:
    assert half.before.rows == 0
    one, again = half.asked
    assert (one.partition_key, one.run_key) == (SECOND, again.run_key)
    assert half.waiting == {
        ("labels", SECOND), ("performance", SECOND), ("report", SECOND)
    }  # fmt: skip
    clean = lived.platform.ledger.require(NAME, "clean", SECOND).rows
    assert clean is not None
    assert half.after.facts["maturity"] == pytest.approx(half.known / clean)
    assert half.after.rows == half.known
    assert (stale(lived), tick(lived)) == (set(), [])


def labels_behind(graph: Graph, result: Commit) -> str:
    """Digest of the labels that a result names."""
    with transaction(graph.platform.settings) as cursor:
        cursor.execute(
            "select inputs from leeway.commits where node = %s and batch = %s and digest = %s",
            (result.node, result.batch, result.digest),
        )
        ((inputs,),) = cursor.fetchall()
    return str(inputs[label("labels", result.batch)])


def measured_from(graph: Graph, labels: Commit) -> bytes:
    """What `performance` of the second batch is where these labels are all that is known."""

    def table(commit: Commit) -> pa.Table:
        return from_parquet(graph.platform.store.get(commit.uri, commit.digest))

    ledger, use_case = graph.platform.ledger, graph.stage.use_case
    champion = champion_of(graph.platform, NAME)
    assert champion is not None
    rows = with_labels(table(ledger.require(NAME, "clean", SECOND)), table(labels), use_case)
    predictions = table(ledger.require(NAME, "predictions", SECOND))
    trained = part_of(table(ledger.require(NAME, "training_set")), TRAIN)[use_case.key.name]
    found = measure(rows, predictions, use_case, champion.manifest["classes"], trained)
    return canonical_json(found.as_dict())


def test_what_was_measured_before_can_be_measured_again_from_what_was_known_then(
    lived: Graph, half: Came
) -> None:
    """Each result names the labels that it rests on by their digest, and they stay."""
    ledger, store = lived.platform.ledger, lived.platform.store
    truth = penguins(first_key=FIRST_KEY, year=[2009])
    write(labels_of(lived), "wrong", truth.assign(sex=truth["sex"].map(
        {"male": "female", "female": "male"})))  # fmt: skip
    known_then = ledger.require(NAME, "labels", SECOND)
    (request,) = tick(lived)
    assert lived.carry_out(request).success
    known_now = ledger.require(NAME, "labels", SECOND)
    now = ledger.require(NAME, "performance", SECOND)
    for result, labels in ((half.after, known_then), (now, known_now)):
        assert labels_behind(lived, result) == labels.digest
        assert measured_from(lived, labels) == store.get(result.uri, result.digest)
    assert half.after.digest != now.digest


def test_a_label_that_is_none_is_told_and_the_others_count(lived: Graph) -> None:
    path = labels_of(lived) / "odd.csv"
    path.write_text(f"ring,blood_sample\n{FIRST_KEY},unclear\nnobody,male\n{FIRST_KEY + 1},male\n")
    age(path)
    (request,) = tick(lived)
    result = lived.carry_out(request)
    assert result.success
    commit = lived.platform.ledger.require(NAME, "labels", SECOND)
    table = from_parquet(lived.platform.store.get(commit.uri, commit.digest)).to_pandas()
    assert table.set_index("key").loc[FIRST_KEY + 1, "label"] == "male"
