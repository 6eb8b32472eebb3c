"""The fast path gives the bits of the pipeline, for all that we can fit and whatever a row holds.

Belongs here: equality of the two, and the file. Does not belong here: which of them serves
(tests/unit/test_loading.py).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from scipy.special import expit

from leeway.data.frames import frame_of
from leeway.fast.blocks import Columns, Lookup, Numbers
from leeway.fast.copied import copied
from leeway.fast.copied_models import NotCovered
from leeway.fast.finish import logistic
from leeway.fast.linear import Linear
from leeway.fast.model import Fast, from_bytes, to_bytes
from leeway.fast.proof import Unproven, prove, proven_fast_path
from leeway.fast.trees import NODE, Trees
from leeway.fast.walk import WALKS_AT_ONCE, Walk
from leeway.served.contract import Contract
from leeway.served.golden import features_of, golden_of, golden_rows
from leeway.served.inputs import Input, Instance, inputs_of
from leeway.spec import CANDIDATES, UseCase
from leeway.training.folds import one_thread
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


def use_case(
    task: str, imputation: dict[str, Any], *, by_target: Collection[str] = ("island",)
) -> UseCase:
    """Penguins with every kind of transformer; body mass is the target of the regression."""
    columns = []
    for each in ATTRIBUTES["columns"]:
        column = dict(each)
        if column["name"] == "year":
            column["role"] = "feature"
        if column["name"] in by_target:
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
    task: str,
    name: str,
    imputation: dict[str, Any] | None = None,
    *,
    by_target: Collection[str] = ("island",),
) -> tuple[Any, tuple[Input, ...]]:
    """A pipeline as a release has it, and its inputs."""
    case = use_case(task, imputation or {}, by_target=by_target)
    inputs = inputs_of(ROWS, case)
    parameters = SMALL.get(name, {})
    pipeline = fit_final(frame_of(ROWS, inputs), TARGETS[task], case, name, parameters)
    return load_model(save_model(pipeline)), inputs


def instances_of(inputs: tuple[Input, ...], count: int, every: int = 9) -> list[Instance]:
    """Golden rows, and mixtures of anything with gaps, extremes and what no row had."""
    rng = np.random.default_rng(7)
    known = golden_rows(ROWS, inputs, 1)
    found = list(known[::every])[:count]
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
    with one_thread():  # several wait for each other where the machine is busy
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
    assert_equal(pipeline, inputs, instances_of(inputs, 30), fast)


@pytest.mark.parametrize("task", TASKS)
def test_each_of_several_categories_by_target_has_its_own_features(task: str) -> None:
    """The second's position once stood where nothing was written, and the pipeline had to serve."""
    pipeline, inputs = fitted(task, "decision_tree", by_target=("island", "sex"))
    assert_equal(pipeline, inputs, instances_of(inputs, 30), copied(pipeline, inputs))


@pytest.mark.parametrize(
    ("name", "imputation"),
    [
        ("logistic_regression", {"number": "mean", "category": "constant"}),
        ("decision_tree", {"number": "median"}),
        ("logistic_regression", {"number": "iterative"}),
        (
            "random_forest",
            {"number": "mean", "columns": {"bill_depth_mm": "iterative", "year": "median"}},
        ),
        ("gradient_boosting", {"columns": {"flipper_length_mm": "iterative"}}),
    ],
    ids=str,
)
def test_every_imputation_has_the_bits_of_the_pipeline(
    name: str, imputation: dict[str, Any]
) -> None:
    pipeline, inputs = fitted("classes", name, imputation, by_target=())
    assert_equal(pipeline, inputs, instances_of(inputs, 30), copied(pipeline, inputs))


@pytest.mark.parametrize("name", ["gradient_boosting", "xgboost"])
def test_a_split_between_gaps_and_all_values_has_the_bits_of_the_pipeline(name: str) -> None:
    """scikit-learn's limit is infinite there, and so are gaps in the fast path."""
    case = use_case("number", {}, by_target=())
    inputs = inputs_of(ROWS, case)
    target = np.where(np.isnan(ROWS["flipper_length_mm"].to_pandas()), 5.0, 1.0)
    pipeline = fit_final(frame_of(ROWS, inputs), target, case, name, SMALL[name])
    fast = copied(pipeline, inputs)
    assert isinstance(fast.model, Trees)
    assert (fast.model.nodes["limit"] == np.finfo(np.float64).max).any() == (name != "xgboost")
    assert_equal(pipeline, inputs, instances_of(inputs, 20, every=1), fast)


def test_the_answer_for_a_row_does_not_depend_on_how_many_come_with_it() -> None:
    for task, name in (("classes", "logistic_regression"), ("number", "ridge")):
        pipeline, inputs = fitted(task, name)
        fast = copied(pipeline, inputs)
        rows = rows_of(inputs, instances_of(inputs, WALKS_AT_ONCE + 1, every=1))
        features = fast.features(fast.columns(rows))
        alone = [fast.outputs(features[[row]]) for row in range(len(rows))]
        assert_bits(fast.outputs(features), np.vstack(alone))


def test_what_has_no_copy_is_named() -> None:
    """And so is told in the release, whose pipeline then serves."""
    pipeline, inputs = fitted("classes", "decision_tree", {"number": "knn"})
    with pytest.raises(NotCovered, match="imputation by NeighbourImputer"):
        copied(pipeline, inputs)
    golden = golden_of(pipeline, instances_of(inputs, 3), inputs)
    data, told = proven_fast_path(pipeline, golden, ROWS, inputs)
    assert (data, told["path"]) == (None, "pipeline")
    assert "NeighbourImputer" in told["reason"]


def test_a_fast_path_is_proven_on_the_golden_rows_and_the_whole_test_part() -> None:
    pipeline, inputs = fitted("classes", "logistic_regression")
    golden = golden_of(pipeline, instances_of(inputs, 5), inputs)
    data, told = proven_fast_path(pipeline, golden, ROWS, inputs)
    assert data is not None
    assert (told["path"], told["golden_rows"], told["test_rows"]) == ("fast", 5, ROWS.num_rows)


@pytest.mark.parametrize("name", ["decision_tree", "logistic_regression"])
def test_a_fast_path_with_another_bit_is_not_proven(name: str) -> None:
    """One value of one row of the test part, which no golden row has."""
    pipeline, inputs = fitted("classes", name)
    golden = golden_of(pipeline, instances_of(inputs, 5), inputs)
    other, _ = fitted("classes", name)
    model = other.named_steps["model"]
    if name == "decision_tree":
        rare = np.argsort(np.bincount(model.tree_.apply(features32(pipeline, inputs))))
        leaf = next(e for e in rare if model.tree_.children_left[e] < 0)
        values = model.tree_.value
        values[leaf, 0, 0] = np.nextafter(values[leaf, 0, 0], 2.0)
    else:
        model.coef_[0, 0] = np.nextafter(model.coef_[0, 0], 2.0)
    with pytest.raises(Unproven, match="the prediction"):
        prove(copied(other, inputs), pipeline, golden, ROWS, inputs)


def features32(pipeline: Any, inputs: tuple[Input, ...]) -> Any:
    return features_of(pipeline, frame_of(ROWS, inputs)).astype(np.float32)


def test_booleans_integers_and_single_columns_are_numbers() -> None:
    class Row:
        whole, flag = 3, True

    numbers = Numbers(
        0, np.array([0, 1], np.int32), np.zeros(2), np.ones(2), np.array([9.0, np.nan])
    )
    model = Linear(np.ones(2), np.zeros(1), "number")
    fast = Fast(("whole", "flag"), (), (), (numbers,), model)
    found = from_bytes(to_bytes(fast))
    assert found.features(found.columns([Row(), Row()])).tolist() == [[3.0, 1.0], [3.0, 1.0]]
    only = Numbers(0, np.array([0], np.int32), np.zeros(1), np.ones(1), np.array([9.0]))
    alone = Fast(("none",), (), (), (only,), Linear(np.ones(1), np.zeros(1), "number"))
    missing = type("Row", (), {"none": None})()
    assert alone.features(alone.columns([missing])).tolist() == [[9.0]]


def test_a_category_between_those_that_are_known_has_the_place_between_them() -> None:
    values = np.array([[0.0], [1.0], [2.0], [-0.5], [0.5], [1.5], [2.5]])
    lookup = Lookup(0, 0, "b", ("a", "b", "d"), values, ordered=True)
    texts = ["a", "b", "c", "d", "", "e", None, "a\0"]
    found = lookup.of(Columns(np.empty((len(texts), 0)), [texts]))
    assert found[:, 0].tolist() == [0, 1, 1.5, 2, -0.5, 2.5, 1, 0]


def test_the_chance_of_what_is_beyond_a_float_is_none() -> None:
    sums = np.array([[-1000.0], [-709.8], [0.0], [1000.0]])
    assert_bits(logistic(sums)[:, 1], expit(sums[:, 0]))


@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("rows", "trees", "values", "outputs"),
    [(1, 1, 1, 1), (1, 301, 3, 3), (7, 300, 1, 3), (WALKS_AT_ONCE + 1, 3, 2, 2), (5, 4, 2, 4)],
)
def test_a_walk_is_that_of_each_row_and_leaves_are_added_one_after_the_other(
    rows: int, trees: int, values: int, outputs: int, kind: Any, single: bool
) -> None:
    random = np.random.default_rng(rows + trees)
    # Root, two nodes, and four leaves, of which the last two are as deep as the others are not.
    nodes = np.zeros(7 * trees, NODE)
    for tree in range(trees):
        first = 7 * tree
        nodes["next"][first : first + 7] = first + np.array([1, 1, 5, 3, 4, 5, 6])
        nodes["next"][first + 1] = first + 3
        nodes["feature"][first : first + 3] = random.integers(0, 4, 3)
        nodes["limit"][first : first + 3] = random.normal(size=3)
        nodes["feature"][first + 3 : first + 7] = random.integers(0, 50, 4)
        nodes["limit"][first + 3 : first + 7] = np.inf
    roots = np.arange(0, 7 * trees, 7, dtype=np.int32)
    leaves = random.normal(size=(50, values)).astype(kind)
    features = random.normal(size=(rows, 2))
    features[random.random((rows, 2)) < 0.2] = np.nan
    found = np.ones((rows, outputs), kind)
    Walk(nodes, roots, leaves, 2, single=single).add_leaves(features, found)
    expected = np.ones((rows, outputs), kind)
    for row in range(rows):
        for tree, root in enumerate(roots):
            at = root
            while nodes["next"][at] != at:
                feature, gaps_left = divmod(int(nodes["feature"][at]), 2)
                value = features[row, feature]
                value = np.float64(np.float32(value)) if single else value
                right = not gaps_left if np.isnan(value) else value > nodes["limit"][at]
                at = nodes["next"][at] + int(right)
            first = tree % (outputs // values) * values
            expected[row, first : first + values] += leaves[nodes["feature"][at]]
    assert_bits(found.astype(np.float64), expected.astype(np.float64))


def damaged(change: Callable[[Trees], dict[str, Any]]) -> bytes:
    """A file whose trees have other fields."""
    pipeline, inputs = fitted("classes", "decision_tree")
    fast = copied(pipeline, inputs)
    assert isinstance(fast.model, Trees)
    model = msgspec.structs.replace(fast.model, **change(fast.model))
    return to_bytes(msgspec.structs.replace(fast, model=model))


def nodes_with(trees: Trees, name: str, place: int, value: float) -> dict[str, Any]:
    nodes = trees.nodes.copy()
    nodes[name][place] = value
    return {"nodes": nodes}


@pytest.mark.parametrize(
    "change",
    [
        lambda trees: nodes_with(trees, "next", 0, -1),
        lambda trees: nodes_with(trees, "next", 0, len(trees.nodes) - 1),
        lambda trees: nodes_with(trees, "feature", 0, 10_000),
        lambda trees: nodes_with(trees, "feature", -1, len(trees.leaves)),
        lambda trees: nodes_with(trees, "limit", -1, 0.0),
        lambda trees: {"roots": np.array([len(trees.nodes)], np.int32)},
        lambda trees: {"depth": trees.depth - 1},
        lambda trees: {"depth": trees.depth + 1},
        lambda trees: {"roots": np.zeros(2, np.int32)},
        lambda trees: nodes_with(trees, "next", 0, 2),
        lambda trees: {"leaves": np.asfortranarray(trees.leaves)},
        lambda trees: {"start": np.zeros(4)},
        lambda trees: {"start": np.zeros(1)},
        lambda trees: {"start": trees.start.astype(np.float32)},
    ],
)
def test_trees_that_lead_out_of_their_arrays_are_refused(
    change: Callable[[Trees], dict[str, Any]],
) -> None:
    from_bytes(damaged(lambda _: {}))
    with pytest.raises(ValueError, match="release the model again"):
        from_bytes(damaged(change))


def test_a_file_of_something_else_is_refused() -> None:
    whole = damaged(lambda _: {})
    for data in (b"", whole[:-1], whole + b"x", b"\x80", msgspec.msgpack.encode([1, 2])):
        with pytest.raises(ValueError, match="release the model again"):
            from_bytes(data)


def test_equal_models_have_equal_files() -> None:
    assert damaged(lambda _: {}) == damaged(lambda _: {})


def test_a_file_whose_blocks_leave_a_feature_out_or_make_one_twice_is_refused() -> None:
    fast = from_bytes(damaged(lambda _: {}))
    for blocks in (fast.blocks[:-1], (*fast.blocks, fast.blocks[-1])):
        with pytest.raises(ValueError, match="once each"):
            from_bytes(to_bytes(msgspec.structs.replace(fast, blocks=blocks)))
