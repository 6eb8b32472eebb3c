"""Who moved a column, in a replay: judged with what production keeps of a model and of each batch.

Belongs here: batches with their layers and definitions. Does not belong here: the judgement itself
(test_origin.py).
"""

from __future__ import annotations

import pyarrow as pa

from leeway.backtest.clock import in_time
from leeway.backtest.models import Recipe, Refitted
from leeway.backtest.profiled import unknown_model
from leeway.backtest.walk import walk
from leeway.backtest.walked import Walked
from leeway.drift.declared import profile_table
from leeway.drift.origin import LAYERS
from leeway.drift.stored import Stored
from tests.unit.backtests import batches, use_case

CASE = use_case(split={"test": 0.2, "by": "random"})
FIRST = 7


def stored_of(
    clean: dict[str, pa.Table], before: dict[str, pa.Table] | None, edited: int
) -> dict[str, Stored]:
    """As the node `profile` stores them; from the batch `edited` on another model cleans.

    Args:
        clean: rows by batch.
        before: the same before they were cleaned; None: that is not known.
        edited: number of a batch.
    """
    found = {}
    for number, (name, rows) in enumerate(clean.items()):
        layers = {"clean": rows} if before is None else dict.fromkeys(LAYERS, before[name])
        profiles = {
            layer: profile_table(table, CASE.columns)
            for layer, table in (layers | {"clean": rows}).items()
        }
        definitions = {"raw": ["r"], "staged": ["s"], "clean": ["new" if number >= edited else "c"]}
        found[name] = Stored(profiles, definitions=definitions)
    return found


def replayed(clean: dict[str, pa.Table], stored: dict[str, Stored]) -> Walked:
    models = Refitted(CASE, clean, stored, list(clean)[:FIRST], Recipe("logistic_regression"))
    return walk("planted", CASE, in_time(clean, stored, CASE), models)


def test_what_our_own_pipeline_moved_is_trained_for_in_no_replay() -> None:
    """From w10 on `b` is cleaned to be 1 more; what the source gave did not change."""
    clean = batches(lambda number: (1, number >= 10), count=13)
    before = batches(lambda number: (1, 0), count=13)
    found = replayed(clean, stored_of(clean, before, edited=10))
    assert [(each.batch, each.origin) for each in found.incidents] == [
        ("w10", "pipeline"), ("w11", "pipeline"), ("w12", "pipeline"),
    ]  # fmt: skip
    assert found.retrains == []
    assert "comes from our own pipeline" in found.decisions[-1].decision.reason


def test_what_came_from_the_source_is_of_the_world_though_the_cleaning_was_edited_too() -> None:
    """Both in w10: the layers of what the model was trained on tell them apart."""
    clean = batches(lambda number: (1, number >= 10), count=12)
    found = replayed(clean, stored_of(clean, clean, edited=10))
    assert [(each.batch, each.origin) for each in found.incidents] == [("w10", "world")]
    assert [each.incident.batch for each in found.retrains] == ["w10"]


def test_the_world_is_known_by_earlier_batches_that_the_same_definitions_made() -> None:
    """The edit of w08 moved nothing; what `b` was before cleaning is not known."""
    clean = batches(lambda number: (1, number >= 10), count=12)
    found = replayed(clean, stored_of(clean, None, edited=8))
    assert [(each.batch, each.origin) for each in found.incidents] == [("w10", "world")]
    assert [each.incident.batch for each in found.retrains] == ["w10"]


def test_without_such_batches_it_is_the_edit_that_is_blamed() -> None:
    clean = batches(lambda number: (1, number >= 10), count=12)
    found = replayed(clean, stored_of(clean, None, edited=10))
    assert [each.origin for each in found.incidents] == ["pipeline", "pipeline"]
    assert found.retrains == []


def test_a_model_that_nobody_has_keeps_all_layers_and_definitions_of_its_batches() -> None:
    clean = batches(lambda number: (1, 0), count=4)
    reference = unknown_model(stored_of(clean, clean, edited=3), list(clean)).reference
    assert set(reference.profiles) == {"train", *LAYERS}
    assert {each.rows for each in reference.profiles.values()} == {4 * 300}
    assert reference.definitions["clean"] == ["c", "new"]
    assert len(reference.history) == 4
