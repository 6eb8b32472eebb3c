"""The block `experiment` fits the columns and the task, or the error names both."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from pydantic import ValidationError

from leeway.data.synthetic import synthetic_table
from leeway.experiment.effects import analyse
from leeway.experiment.runs import design_of
from leeway.graph import graph_of
from leeway.spec import UseCase
from tests.unit.changed_defs import Change, put

COSTS: dict[str, Any] = {
    "currency": "EUR",
    "machine_hour_rate": 60,
    "tool_price": 25,
    "change_minutes": 5,
    "cutting_minutes": 2,
    "units_per_year": 1000,
    "investment": 100,
    "before": {"speed": 40, "tool": "old"},
}
ATTRIBUTES: dict[str, Any] = {
    "title": "Tools",
    "task": "experiment",
    "source": {"kind": "file", "path": "runs.csv"},
    "columns": [
        {"name": "run", "type": "integer", "role": "key", "description": "number"},
        {"name": "speed", "type": "number", "unit": "m/min", "description": "speed"},
        {"name": "tool", "type": "category", "description": "tool"},
        {"name": "life", "type": "number", "role": "target", "unit": "h", "description": "life"},
    ],
    "experiment": {
        "direction": "maximise",
        "factors": [
            {"column": "speed", "low": 40, "high": 60.5},
            {"column": "tool", "low": "old", "high": "new"},
        ],
        "savings": COSTS,
    },
}


def use_case(*changes: Change) -> UseCase:
    attributes = copy.deepcopy(ATTRIBUTES)
    for change in changes:
        change(attributes)
    return UseCase.model_validate(attributes)


def test_an_experiment_has_its_nodes_and_no_release() -> None:
    names = [node.name for node in graph_of(use_case())]
    assert names == ["raw", "staged", "clean", "experiment", "effects", "savings"]


def test_without_costs_there_is_no_node_that_could_not_tell_any() -> None:
    names = [node.name for node in graph_of(use_case(put(None, "experiment", "savings")))]
    assert names[-1] == "effects"


SAVINGS = ("experiment", "savings")
FACTORS = ("experiment", "factors")
FIRST = (*FACTORS, 0)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (put(None, "experiment"), "task experiment needs it"),
        (put("regression", "task"), "experiment: task is regression"),
        (put({"trials": 3}, "search"), "search: an experiment trains no model"),
        (put([{"metric": "r2", "at_least": 0.3}], "gates"), "gates"),
        (put("manual", "promotion"), "promotion: an experiment trains no model"),
        (put("category", "columns", 3, "type"), "target 'life' has type category"),
        (put("monitored", "columns", 3, "role"), "one column needs role target"),
        (put("sped", *FIRST, "column"), "did you mean 'speed'"),
        (put("monitored", "columns", 1, "role"), "unknown name 'speed'"),
        (put("tool", *FIRST, "column"), "'speed' has role feature and is 0 times a factor"),
        (put("boolean", "columns", 1, "type"), "factor 'speed' has type boolean"),
        (put("slow", *FIRST, "low"), "level 'slow' does not fit the column's type; give a number"),
        (put(1, "experiment", "factors", 1, "low"), "give a text, in quotes"),
        (put(60.5, *FIRST, "low"), "low and high are both 60.5"),
        (put(["C=AB"], "experiment", "generators"), "names C; the 2 factors are AB"),
        (put("treatment", "columns", 0, "name"), "'treatment' is one that Leeway adds"),
        (put("min", "columns", 3, "unit"), "the unit of 'life' is 'min', and it must be 'h'"),
        (put("minimise", "experiment", "direction"), "a short tool life saves nothing"),
        (put({"speed": 40}, *SAVINGS, "before"), "factor 'tool' has no level"),
        (put({"speed": 40, "tool": "x"}, *SAVINGS, "before"), "tool is 'x'"),
        (put({"speed": 61, "tool": "old"}, *SAVINGS, "before"), "speed is 61"),
        (put(0, *SAVINGS, "cutting_minutes"), "wears no tool"),
        (put("euro", *SAVINGS, "currency"), "currency"),
        (
            put({"factor": "angle", "low": 2, "high": 1}, *SAVINGS, "cutting_minutes"),
            "unknown name 'angle'",
        ),
    ],
)
def test_a_block_that_does_not_fit_is_refused(change: Change, says: str) -> None:
    with pytest.raises(ValidationError) as refused:
        use_case(change)
    assert says in str(refused.value)


def test_minutes_by_a_factor_need_production_at_one_of_its_levels() -> None:
    minutes = put({"factor": "speed", "low": 2, "high": 1.5}, *SAVINGS, "cutting_minutes")
    assert use_case(minutes).experiment is not None
    between = put(50, *SAVINGS, "before", "speed")
    assert use_case(between).experiment is not None
    with pytest.raises(ValidationError, match="known at the levels of 'speed' only"):
        use_case(minutes, between)


@pytest.mark.parametrize("path", ["/etc/passwd", "../a.csv", "a/../../b.csv"])
def test_a_file_below_the_data_folder_does_not_leave_it(path: str) -> None:
    below = put({"kind": "file", "below": "data_dir", "path": path}, "source")
    with pytest.raises(ValidationError, match="leads out of LEEWAY_DATA_DIR"):
        use_case(below)


def test_rows_that_stand_in_are_whole_replicates() -> None:
    assert use_case(put({"synthetic": {"rows": 24, "batches": 2}}, "stand_in")).stand_in
    with pytest.raises(ValidationError, match="no whole replicates of 4 cells; give 8 rows"):
        use_case(put({"synthetic": {"rows": 22, "batches": 2}}, "stand_in"))


def test_synthetic_runs_are_the_declared_fraction_and_have_an_effect() -> None:
    fraction = put(["C=-AB"], "experiment", "generators")
    third = [
        put(
            [*ATTRIBUTES["columns"], {"name": "fed", "type": "integer", "description": "d"}],
            "columns",
        ),
        put(
            [*ATTRIBUTES["experiment"]["factors"], {"column": "fed", "low": 1, "high": 3}], *FACTORS
        ),
        put(40, *SAVINGS, "before", "speed"),
        put(1, *SAVINGS, "before", "fed"),
    ]
    case = use_case(*third, fraction)
    table = synthetic_table(case, "synthetic-1", 0, 12).to_pydict()
    design = design_of(case, table)
    assert design.description == "2^(3-1) fraction of resolution III by C=-AB, 3 replicates"
    assert [effect.name for effect in analyse(design).significant] == ["A", "B", "C"]
    assert table != synthetic_table(case, "synthetic-2", 1, 12).to_pydict()
