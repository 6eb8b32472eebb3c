"""Made-up rows follow the truth that the YAML declares, and say nowhere that they were observed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from leeway.data.synthetic import synthetic_table
from leeway.data.validation import validate
from leeway.spec import SimulatorSource, SyntheticRows, UseCase
from resources.sources import Synthetic, open_source

KEY: dict[str, Any] = {"name": "id", "type": "text", "role": "key", "from_position": True}
FACTORS: list[dict[str, Any]] = [
    {"name": "speed", "type": "integer"},
    {"name": "angle", "type": "number"},
    {"name": "tool", "type": "category", "values": ["old", "new"]},
]
LEVELS = [
    {"column": "speed", "low": 100, "high": 200},
    {"column": "angle", "low": 15.0, "high": 25.0},
    {"column": "tool", "low": "old", "high": "new"},
]
TRUTH: dict[str, Any] = {"mean": 40, "effects": {"angle": 11, "speed*tool": -6}, "noise": 2}
RUNS = {"kind": "simulator", "rows": 800, "seed": 7, "truth": TRUTH}


def experiment(source: dict[str, Any], **more: Any) -> UseCase:
    columns = [KEY, *FACTORS, {"name": "hours", "type": "number", "role": "target"}]
    fields: dict[str, Any] = {
        "title": "t",
        "task": "experiment",
        "source": source,
        "columns": [{"description": "d"} | column for column in columns],
        "experiment": {"direction": "maximise", "factors": LEVELS},
    }
    return UseCase.model_validate(fields | more)


def test_the_runs_of_a_simulated_experiment_have_the_declared_effects() -> None:
    """Contrasts of means of 800 runs: each is within five standard errors, 2 * 2 / sqrt(800)."""
    source = open_source(experiment(RUNS))
    assert (source.origin, source.batches()) == ("synthetic", ["synthetic-1"])
    assert "synthetic" in source.description
    runs = source.read("synthetic-1").to_pandas()
    assert sorted(runs.groupby(["speed", "angle", "tool"]).size()) == [100] * 8
    code = {
        "speed": np.where(runs["speed"] == 200, 1, -1),
        "angle": np.where(runs["angle"] == 25, 1, -1),
        "tool": np.where(runs["tool"] == "new", 1, -1),
    }
    code["speed*tool"] = code["speed"] * code["tool"]
    found = {name: 2 * np.mean(codes * runs["hours"]) for name, codes in code.items()}
    truth = {"speed": 0, "angle": 11, "tool": 0, "speed*tool": -6}
    assert all(abs(found[name] - effect) < 5 * 0.1414 for name, effect in truth.items()), found
    assert abs(runs["hours"].mean() - 40) < 5 * 0.0708


def test_another_seed_gives_other_rows_and_the_same_seed_the_same() -> None:
    seven, eight, again = (
        open_source(experiment(RUNS | {"seed": seed})).read("synthetic-1") for seed in (7, 8, 7)
    )
    assert seven.equals(again)
    assert not seven.equals(eight)


LIFE: dict[str, Any] = {"mean": 200, "effects": {"torque": -60}, "noise": 5}
WEAR: dict[str, Any] = {"column": "worn", "per_row": [2, 5], "life": LIFE}
MACHINE: list[dict[str, Any]] = [
    {"name": "worn", "type": "integer", "range": [0, None], "required": True},
    {"name": "torque", "type": "number", "range": [0, 100]},
    {"name": "remaining", "type": "number", "role": "target", "computed": True},
]


def machine() -> UseCase:
    return UseCase.model_validate(
        {
            "title": "t",
            "task": "regression",
            "source": {"kind": "simulator", "rows": 20_000, "wear": WEAR},
            "columns": [{"description": "d"} | column for column in [KEY, *MACHINE]],
        }
    )


def test_tools_wear_until_their_life_ends_and_live_as_their_conditions_let_them() -> None:
    use_case = machine()
    table = open_source(use_case).read("synthetic-1")
    assert "remaining" not in table.column_names, "dbt computes it"
    assert validate(table, use_case, batch="b").rejected_rows == 0
    rows = table.to_pandas()
    tool = (rows["worn"].diff() < 0).cumsum()
    assert rows["worn"].iloc[0] == 0
    steps = rows["worn"].diff()[tool.diff() == 0]
    assert steps.between(1, 6).all(), "2 to 5, and rounded"
    tools = rows.groupby(tool).agg(life=("worn", "max"), torque=("torque", "mean"))[:-1]
    assert len(tools) > 200
    assert 185 < tools["life"].mean() < 215
    assert tools["life"].corr(tools["torque"]) < -0.8


SLOW = {"mean": 9, "noise": 0}
BAD = [
    ({"truth": TRUTH | {"effects": {"feed": 1}}}, "unknown name 'feed'"),
    ({"truth": TRUTH | {"noise": -1}}, "noise"),
    ({"rows": 801}, r"source: 801 rows in 1 batches are no whole replicates of 8 cells"),
    ({"wear": WEAR}, r"unknown name 'worn'"),
    ({"wear": WEAR | {"column": "angle", "life": SLOW}}, "leave it out"),
    ({"wear": WEAR | {"per_row": [0, 1]}}, "must ascend from above 0"),
    ({"wear": WEAR | {"per_row": [1, 200]}}, "a tool lives longer than one row"),
    ({"seed": -1}, "seed"),
]


@pytest.mark.parametrize(("change", "says"), BAD, ids=[says for _, says in BAD])
def test_a_truth_that_no_rows_can_follow_is_refused(change: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        experiment(RUNS | change)


def test_a_computed_target_has_no_truth_of_its_own() -> None:
    content = machine().model_dump()
    content["source"]["truth"] = {"mean": 1, "noise": 1}
    with pytest.raises(ValidationError, match="it is of a target that is a number of the source"):
        UseCase.model_validate(content)


@pytest.mark.parametrize(
    "change",
    [
        {"role": "key", "type": "integer"},
        {"role": "ignored"},
        {"required": True},
        {"source_name": "x"},
    ],
)
def test_a_computed_column_is_one_that_the_source_does_not_have(change: dict[str, Any]) -> None:
    content = machine().model_dump()
    *others, computed = content["columns"]
    content["columns"] = [*others, computed | change]
    with pytest.raises(ValidationError, match="computed is for a column that the source does not"):
        UseCase.model_validate(content)


def test_what_stands_in_follows_a_truth_too() -> None:
    made = SyntheticRows(rows=80, truth=SimulatorSource.model_validate(RUNS).truth)
    use_case = experiment({"kind": "file", "path": "t.csv"}, stand_in={"synthetic": made})
    rows = Synthetic(use_case, made).read("synthetic-1")
    assert rows.equals(synthetic_table(use_case, "synthetic-1", 0, 80, made))
    assert not rows.equals(synthetic_table(use_case, "synthetic-1", 0, 80))
