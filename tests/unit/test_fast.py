"""The fast path gives the bits of the pipeline, for all that we can fit and whatever a row holds.

Belongs here: equality of the two, and the file. Does not belong here: which of them serves
(tests/unit/test_loading.py).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from leeway.data.frames import frame_of
from leeway.fast.copied import copied
from leeway.fast.model import Fast, from_bytes, to_bytes
from leeway.served.contract import Contract
from leeway.served.golden import golden_of, golden_rows
from leeway.served.inputs import Input, Instance, inputs_of
from leeway.spec import CANDIDATES, UseCase
from leeway.training.model_file import load_model, save_model
from leeway.training.search import fit_final
from tests.unit.measured_penguins import ATTRIBUTES, TABLE

FEATURES = [
    {"kind": "clusters", "name": "shape", "of": ["flipper_length_mm", "bill_depth_mm"], "k": 3},
    {"kind": "ratio", "name": "bill_ratio", "numerator": "bill_length_mm",
     "denominator": "bill_depth_mm"},
    {"kind": "product", "name": "area", "left": "bill_length_mm", "right": "bill_depth_mm"},
    {"kind": "sum", "name": "lengths", "left": "bill_length_mm", "right": "flipper_length_mm"},
]  # fmt: skip
TASKS = ("classes", "two", "number")
CASES = [
    *((task, name) for task in ("classes", "two") for name in CANDIDATES["classification"]),
    *(("number", name) for name in CANDIDATES["regression"]),
]
SMALL = {
    "random_forest": {"n_estimators": 11},
    "gradient_boosting": {"max_iter": 9},
    "xgboost": {"n_estimators": 13},
}
GAPS = {"bill_depth_mm": 3, "flipper_length_mm": 5, "sex": 7}


def use_case(task: str, imputation: dict[str, Any], *, by_target: bool = True) -> UseCase:
    """Penguins with every kind of transformer; body mass is the target of the regression."""
    columns = []
    for each in ATTRIBUTES["columns"]:
        column = dict(each)
        if column["name"] == "year":
            column["role"] = "feature"
        if column["name"] == "island" and by_target:
            column["encoding"] = "target_mean"
        columns.append(column)
    attributes = ATTRIBUTES | {"columns": columns, "features": FEATURES, "imputation": imputation}
    found = UseCase.model_validate(attributes)
    return found.model_copy(update={"task": "regression" if task == "number" else "classification"})


def rows_with_gaps() -> pa.Table:
    """The penguins, with more gaps than they have, and a column that is never there."""
    table = TABLE
    for name, step in GAPS.items():
        values = table[name].to_pylist()
        values[::step] = [None] * len(values[::step])
        place = table.column_names.index(name)
        table = table.set_column(place, name, pa.array(values, table.schema.field(name).type))
    return table


ROWS = rows_with_gaps()
SPECIES = np.array(ROWS["species"].to_pylist(), dtype=object)
TARGETS = {
    "classes": SPECIES,
    "two": np.where(SPECIES == "Gentoo", "Gentoo", "other").astype(object),
    "number": np.nan_to_num(np.array(ROWS["body_mass_g"].to_pylist(), dtype=float)),
}


def fitted(
    task: str, name: str, imputation: dict[str, Any] | None = None, *, by_target: bool = True
) -> tuple[Any, tuple[Input, ...]]:
    """A pipeline as a release has it, and its inputs."""
    case = use_case(task, imputation or {}, by_target=by_target)
    inputs = inputs_of(ROWS, case)
    parameters = SMALL.get(name, {})
    pipeline = fit_final(frame_of(ROWS, inputs), TARGETS[task], case, name, parameters)
    return load_model(save_model(pipeline)), inputs


def instances_of(inputs: tuple[Input, ...], count: int) -> list[Instance]:
    """Golden rows, and mixtures of anything with gaps, extremes and what no row had."""
    rng = np.random.default_rng(7)
    known = golden_rows(ROWS, inputs, 1)
    found = list(known)
    while len(found) < count:
        row: dict[str, Any] = dict(known[rng.integers(len(known))])
        for each in inputs:
            if rng.random() < 0.3:
                row[each.name] = known[rng.integers(len(known))][each.name]
            elif rng.random() < 0.15:
                row[each.name] = None
            elif each.type == "number" and rng.random() < 0.1:
                row[each.name] = float(rng.choice([-1.0, 1.0]) * 10.0 ** rng.uniform(-300, 15))
        found.append(row)
    return found


def rows_of(inputs: tuple[Input, ...], instances: list[Instance]) -> list[Any]:
    contract = Contract(inputs)
    return [contract.instance(**each) for each in instances]


def assert_bits(found: Any, expected: Any) -> None:
    same = (found.view(np.int64) == expected.view(np.int64)) | (
        np.isnan(found) & np.isnan(expected)
    )
    assert found.shape == expected.shape
    assert same.all(), (np.argwhere(~same)[:3], found[~same][:3], expected[~same][:3])


def assert_equal(
    pipeline: Any, inputs: tuple[Input, ...], instances: list[Instance], fast: Fast
) -> None:
    """Each row alone, and all of them at once, have the bits that the pipeline gives them alone."""
    golden = golden_of(pipeline, instances, inputs)
    rows = rows_of(inputs, instances)
    at_once = fast.features(fast.columns(rows))
    assert_bits(at_once, golden.features)
    assert_bits(fast.outputs(at_once), golden.outputs)
    alone = [fast.features(fast.columns([row])) for row in rows]
    assert_bits(np.vstack(alone), golden.features)
    assert_bits(np.vstack([fast.outputs(each) for each in alone]), golden.outputs)


@pytest.mark.parametrize(("task", "name"), CASES)
def test_every_estimator_has_the_bits_of_the_pipeline(task: str, name: str) -> None:
    pipeline, inputs = fitted(task, name)
    fast = from_bytes(to_bytes(copied(pipeline, inputs)))
    assert_equal(pipeline, inputs, instances_of(inputs, 150), fast)


@pytest.mark.parametrize(
    "imputation",
    [
        {"number": "mean", "category": "constant"},
        {"number": "median"},
        {"number": "iterative"},
        {"number": "median", "columns": {"bill_depth_mm": "iterative", "body_mass_g": "mean"}},
        {"columns": {"flipper_length_mm": "iterative"}},
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["logistic_regression", "gradient_boosting"])
def test_every_imputation_has_the_bits_of_the_pipeline(
    imputation: dict[str, Any], name: str
) -> None:
    pipeline, inputs = fitted("classes", name, imputation, by_target=False)
    assert_equal(pipeline, inputs, instances_of(inputs, 150), copied(pipeline, inputs))
