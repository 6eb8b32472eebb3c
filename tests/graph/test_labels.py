"""Labels that come apart from their rows, through the whole graph.

Belongs here: what nodes, plans and sensors make of them. Does not belong here: what is known at a
time (tests/contract/test_labels.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from cli.run import Sources, plan_of
from leeway.data.tables import from_parquet
from leeway.spec import UseCase
from orchestration.sensors import sensors_of
from orchestration.use_cases import load_use_cases
from resources.labels import changes
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


def test_labels_that_come_late_mature_and_are_measured_and_train_nothing(lived: Graph) -> None:
    assert facts(lived, "labels", SECOND)["maturity"] == 0
    assert facts(lived, "performance", SECOND)["maturity"] == 0
    assert lived.platform.ledger.require(NAME, "performance", SECOND).rows == 0
    assert (stale(lived), tick(lived)) == (set(), [])

    truth = penguins(first_key=FIRST_KEY, year=[2009])
    write(labels_of(lived), "half", truth[truth["penguin_id"] % 2 == 0])
    (request,) = tick(lived)
    assert request.partition_key == SECOND
    assert tick(lived)[0].run_key == request.run_key
    assert stale(lived) == {
        ("labels", SECOND), ("performance", SECOND), ("report", SECOND)
    }  # fmt: skip
    assert lived.carry_out(request).success
    found = facts(lived, "performance", SECOND)
    known = len(truth[truth["penguin_id"] % 2 == 0].dropna(subset=["sex"]))
    clean = lived.platform.ledger.require(NAME, "clean", SECOND).rows
    assert clean is not None
    assert found["maturity"] == pytest.approx(known / clean)
    assert lived.platform.ledger.require(NAME, "performance", SECOND).rows == known
    assert (stale(lived), tick(lived)) == (set(), [])


def test_what_was_measured_before_can_be_measured_again_from_what_was_known_then(
    lived: Graph,
) -> None:
    """Each result names the labels that it rests on by their digest, and they stay."""
    truth = penguins(first_key=FIRST_KEY, year=[2009])
    write(labels_of(lived), "wrong", truth.assign(sex=truth["sex"].map(
        {"male": "female", "female": "male"})))  # fmt: skip
    before = lived.platform.ledger.require(NAME, "labels", SECOND)
    (request,) = tick(lived)
    assert lived.carry_out(request).success
    after = lived.platform.ledger.require(NAME, "labels", SECOND)
    old, new = (
        from_parquet(lived.platform.store.get(each.uri, each.digest)).to_pandas()
        for each in (before, after)
    )
    both = old.merge(new, on="key")
    assert len(both) == len(old)
    assert (both["label_x"] != both["label_y"]).all()


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
