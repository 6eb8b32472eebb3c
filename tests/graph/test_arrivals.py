"""New batches, tick by tick: the sensor registers them, and conditions ask for their nodes.

Does not belong here: trainings (test_ticks.py).
"""

from __future__ import annotations

import shutil
from pathlib import Path

import dagster as dg
import pytest

from orchestration.sensors import sensors_of
from resources.files import SourceError
from tests.batches import age, penguins
from tests.graph.conditions import Conditions
from tests.graph.conftest import FIRST, SECOND, Graph
from tests.graph.history import History


def added(sensor: dg.SensorDefinition, instance: dg.DagsterInstance) -> list[str]:
    """What a tick of the sensor registers, which is then done as the daemon does it."""
    found = sensor.evaluate_tick(
        dg.build_sensor_context(instance=instance, sensor_name=sensor.name)
    )
    assert not found.run_requests, "conditions ask for runs, or each batch would run twice"
    batches: list[str] = []
    for request in found.dynamic_partitions_requests or []:
        keys = list(request.partition_keys)
        instance.add_dynamic_partitions(request.partitions_def_name, keys)
        batches += keys
    return batches


def test_a_new_batch_is_registered_exactly_once(history: History, tmp_path: Path) -> None:
    sensor = sensors_of(history.stage)[0]
    assert added(sensor, history.instance) == []

    def write(batch: str, key: int) -> None:
        (tmp_path / f"{batch}.csv").write_text(f"penguin_id\n{key}\n")
        age(tmp_path / f"{batch}.csv")

    write(SECOND, 1)
    write(FIRST, 1)
    assert added(sensor, history.instance) == [FIRST, SECOND], "in the order of the source"
    (tmp_path / "notes.txt").write_text("not a batch")
    write(SECOND, 2)  # written again: no new batch
    assert added(sensor, history.instance) == []
    for late in ("2010", "2006"):
        write(late, 3)
        assert added(sensor, history.instance) == [late], "also one of an earlier time"
    assert added(sensor, history.instance) == []


def test_a_source_that_is_gone_is_an_error_and_not_a_batch(
    history: History, tmp_path: Path
) -> None:
    """Guards: a folder that was not there was read as a file, and its name registered."""
    sensor = sensors_of(history.stage)[0]
    shutil.rmtree(tmp_path)
    with pytest.raises(SourceError, match=f"{tmp_path}: no such file or folder; check source.path"):
        added(sensor, history.instance)
    tmp_path.mkdir()
    assert history.instance.get_dynamic_partitions(f"{history.stage.name}_batches") == []


DATA = ("raw", "staged", "clean", "profile")
JUDGED = ("drift", "damage", "predictions", "performance", "report")


@pytest.mark.timeout(300)
def test_each_node_of_a_new_batch_is_asked_for_once(graph: Graph) -> None:
    conditions = Conditions(graph)
    sensor = sensors_of(graph.stage)[0]
    graph.write(FIRST, penguins(year=[2007, 2008]))
    added(sensor, graph.instance)
    assert conditions.requested() == {}, "what was there when the daemon first looked"
    conditions.materialized(FIRST, *DATA)

    graph.write(SECOND, penguins(first_key=1001, year=[2009]))
    added(sensor, graph.instance)
    asked = conditions.requested()
    assert asked == {node: [SECOND] for node in DATA}, "no release yet: nothing to predict with"
    assert conditions.requested() == {}, "asked for, and perhaps failing: not again"
    conditions.materialized(SECOND, *DATA)
    conditions.materialized(None, "training_set", "release")
    assert conditions.requested() == {node: [SECOND] for node in JUDGED}
    conditions.materialized(SECOND, *JUDGED)
    assert conditions.requested() == {}, "and no training for a batch like the others"

    for batch in ("2010", "2011"):
        graph.write(batch, penguins(first_key=2001, year=[2009]))
    added(sensor, graph.instance)
    both = {node: ["2010", "2011"] for node in (*DATA, *JUDGED)}
    assert conditions.requested() == both, "two at once, each with all of its nodes in one run"
    conditions.materialized(None, "training_set", "release")
    assert conditions.requested() == {}, "a new release is no reason to go through old batches"
