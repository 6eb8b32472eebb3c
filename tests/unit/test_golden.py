"""A service that makes other features of a row than training did is found, and the feature named.

Each skew is one that systems like this had: a unit, a default, a category that is spelt otherwise,
a transformer that was fitted again. It is seeded into the way from a request to the prediction.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from leeway.data.frames import frame_of
from leeway.served.golden import (
    LEAST_ROWS,
    Difference,
    Floats,
    first_difference,
    from_bytes,
    golden_of,
    golden_rows,
    to_bytes,
)
from leeway.served.inputs import Input, Instance, inputs_of, table_of
from leeway.spec import UseCase
from leeway.training.preprocessing import build_preprocessor
from resources.store import LocalStore
from serving.loading import Pointer, load
from tests.faults.harness import LONG, figure, zero
from tests.unit.measured_penguins import ATTRIBUTES, FRAME, TABLE, TARGET
from tests.unit.release_files import NAME, files_of, put, put_manifest

Serve = Callable[[Instance], tuple[Floats, Floats]]
FEATURES = (
    {"kind": "ratio", "name": "bill_ratio", "numerator": "bill_length_mm",
     "denominator": "bill_depth_mm"},
    {"kind": "clusters", "name": "shape", "of": ["flipper_length_mm", "body_mass_g"], "k": 3},
)  # fmt: skip


def use_case() -> UseCase:
    """Penguins with every kind of transformer; the year is a feature, and sex may be missing."""
    columns = [
        {**each, "role": "feature"} if each["name"] == "year" else dict(each)
        for each in ATTRIBUTES["columns"]
    ]
    for each in columns:
        if each["name"] == "island":
            each["encoding"] = "target_mean"
    imputation = {"number": "median", "category": "constant"}
    return UseCase.model_validate(
        ATTRIBUTES | {"columns": columns, "features": FEATURES, "imputation": imputation}
    )


USE_CASE = use_case()
INPUTS = inputs_of(TABLE, USE_CASE)


def fitted(table: pa.Table = TABLE, target: Any = TARGET) -> Pipeline:
    steps = [("preprocess", build_preprocessor(USE_CASE)), ("model", LogisticRegression())]
    return Pipeline(steps).fit(frame_of(table, INPUTS), target)


PIPELINE = fitted()
GOLDEN = golden_of(PIPELINE, golden_rows(TABLE, INPUTS, 1), INPUTS)


def served(pipeline: Any, instance: Instance) -> tuple[Floats, Floats]:
    """As a service does it, by another way to the same: the model reads the features."""
    frame = frame_of(table_of([instance], INPUTS), INPUTS)
    features = np.asarray(pipeline.named_steps["preprocess"].transform(frame), np.float64)
    return features[0], pipeline.named_steps["model"].predict_proba(features)[0]


def clean(instance: Instance) -> tuple[Floats, Floats]:
    return served(PIPELINE, instance)


def instead(name: str, change: Callable[[Any], Any], *, gaps: bool = False) -> Serve:
    """The value of an input is another; of a gap only where `gaps`."""

    def serve(instance: Instance) -> tuple[Floats, Floats]:
        value = instance[name]
        if (value is None) == gaps:
            return clean({**instance, name: change(value)})
        return clean(instance)

    return serve


def pipeline_with(change: Callable[[Any], None]) -> Serve:
    """Another fitted state."""
    other = deepcopy(PIPELINE)
    change(other.named_steps["preprocess"].named_transformers_)
    return lambda instance: served(other, instance)


def features_with(change: Callable[[Floats], Floats]) -> Serve:
    """The features are handed on otherwise; the model is not asked."""

    def serve(instance: Instance) -> tuple[Floats, Floats]:
        features, outputs = clean(instance)
        return change(features), outputs

    return serve


def outputs_with(change: Callable[[Floats], Floats]) -> Serve:
    def serve(instance: Instance) -> tuple[Floats, Floats]:
        features, outputs = clean(instance)
        return features, change(outputs)

    return serve


def swapped(one: str, other: str) -> Serve:
    return lambda row: clean({**row, one: row[other], other: row[one]})


def columns_of(prefix: str) -> list[int]:
    return [place for place, name in enumerate(GOLDEN.names) if name.startswith(prefix)]


def with_columns(order: list[int], places: list[int]) -> Callable[[Floats], Floats]:
    def change(features: Floats) -> Floats:
        found = features.copy()
        found[places] = features[order]
        return found

    return change


def dummies_of_one_row(features: Floats) -> Floats:
    """`get_dummies` of one row has one column, which is 1."""
    found = features.copy()
    places = columns_of("sex=")
    found[places] = [1.0, *[0.0] * (len(places) - 1)]
    return found


def clusters_in_another_order(transformers: Any) -> None:
    derived = transformers["derived_1"].named_steps["derive"]
    derived.centres_ = derived.centres_[::-1].copy()


def clusters_fitted_again(transformers: Any) -> None:
    steps = transformers["derived_1"]
    derived = steps.named_steps["derive"]
    rows = FRAME[["flipper_length_mm", "body_mass_g"]].iloc[:100]
    derived.fit(steps[:-2].transform(rows))


def stale_target_map(transformers: Any) -> None:
    steps = transformers["target_mean"].named_steps["encode"]
    steps.encodings_ = [each + 0.01 for each in steps.encodings_]


def scaled_by_this_batch(transformers: Any) -> None:
    scale = transformers["number"].named_steps["scale"]
    scale.mean_ = scale.mean_ + 0.1


def filled_by_this_batch(transformers: Any) -> None:
    impute = transformers["number"].named_steps["impute"]
    impute.statistics_ = impute.statistics_ + 0.05


def ratio_the_other_way(transformers: Any) -> None:
    derive = transformers["derived_0"].named_steps["derive"]
    derive.operation = "product"


def position_among_other_names(transformers: Any) -> None:
    order = transformers["position"].named_steps["order"]
    order.known_ = [known[1:] for known in order.known_]


def in_another_zone(year: int) -> int:
    """Of a moment three hours after new year in UTC, rendered five hours to the west of it."""
    if not 1 < year <= 9999:
        return year
    moment = datetime(year, 1, 1, 3, tzinfo=UTC)
    return moment.astimezone(timezone(timedelta(hours=-5))).year


SKEWS: dict[str, tuple[Serve, str]] = {
    "cm for mm": (instead("bill_length_mm", lambda v: v / 10), "bill_length_mm"),
    "kg for g": (instead("body_mass_g", lambda v: v / 1000), "body_mass_g"),
    "float32": (instead("bill_depth_mm", lambda v: float(np.float32(v))), "bill_depth_mm"),
    "float16": (
        instead("flipper_length_mm", lambda v: float(np.float32(v).astype(np.float16))),
        "flipper_length_mm",
    ),
    "whole numbers": (instead("bill_length_mm", lambda v: float(int(v))), "bill_length_mm"),
    "rounded": (instead("bill_depth_mm", lambda v: float(round(v))), "bill_depth_mm"),
    "a decimal comma that is read as one of thousands": (
        instead("bill_depth_mm", lambda v: v * 10),
        "bill_depth_mm",
    ),
    "a sign": (instead("body_mass_g", lambda v: -v), "body_mass_g"),
    "cut to what was seen": (instead("body_mass_g", lambda v: min(v, 6300.0)), "body_mass_g"),
    "0 for a gap": (instead("bill_length_mm", lambda _: 0.0, gaps=True), "bill_length_mm"),
    "-1 for a gap": (instead("body_mass_g", lambda _: -1.0, gaps=True), "body_mass_g"),
    "the mean for a gap": (
        instead("flipper_length_mm", lambda _: 200.9, gaps=True),
        "flipper_length_mm",
    ),
    "an empty text for None": (instead("sex", lambda _: "", gaps=True), "sex"),
    "nan as a text for None": (instead("sex", lambda _: "nan", gaps=True), "sex"),
    "a default for None": (instead("sex", lambda _: "female", gaps=True), "sex"),
    "upper case": (instead("sex", str.upper), "sex"),
    "a space": (instead("island", lambda v: f" {v}"), "island"),
    "another time zone": (instead("year", in_another_zone), "year"),
    "columns by their place": (swapped("bill_length_mm", "bill_depth_mm"), "bill_length_mm"),
    "dummy columns of one row": (features_with(dummies_of_one_row), "sex"),
    "one-hot columns in another order": (
        features_with(with_columns(columns_of("sex=")[::-1], columns_of("sex="))),
        "sex",
    ),
    "a column less": (features_with(lambda found: found[:-1]), GOLDEN.names[-1]),
    "a column more": (features_with(lambda found: np.append(found, 0.0)), "one too many"),
    "cluster numbers": (pipeline_with(clusters_in_another_order), "shape#"),
    "clusters that were fitted again": (pipeline_with(clusters_fitted_again), "shape#"),
    "a stale map of targets": (pipeline_with(stale_target_map), "island"),
    "a position among other names": (pipeline_with(position_among_other_names), "island"),
    "a scale of another batch": (pipeline_with(scaled_by_this_batch), "bill_length_mm"),
    "a median of another batch": (pipeline_with(filled_by_this_batch), "bill_length_mm"),
    "a ratio the other way": (pipeline_with(ratio_the_other_way), "bill_ratio"),
    "features as 32-bit floats": (
        features_with(lambda found: found.astype(np.float32).astype(np.float64)),
        "bill_length_mm",
    ),
}


@pytest.mark.parametrize("skew", SKEWS)
def test_a_skew_is_found_and_its_feature_named(skew: str) -> None:
    serve, name = SKEWS[skew]
    found = first_difference(GOLDEN, serve)
    assert found is not None
    assert found.feature is not None
    assert found.feature.startswith(name)
    assert found.feature in str(found)


@pytest.mark.parametrize(
    "change",
    [lambda found: found[::-1].copy(), lambda found: found.astype(np.float32).astype(np.float64)],
    ids=["classes in another order", "32-bit probabilities"],
)
def test_another_prediction_of_the_same_features_is_found(
    change: Callable[[Floats], Floats],
) -> None:
    found = first_difference(GOLDEN, outputs_with(change))
    assert found is not None
    assert found.feature is None
    assert "the prediction of golden row" in str(found)


def test_log1p_for_log_is_found() -> None:
    """Of a model that was trained on the logarithm of the mass."""
    place = TABLE.column_names.index("body_mass_g")
    table = TABLE.set_column(place, "body_mass_g", pc.ln(TABLE["body_mass_g"].cast("float64")))
    pipeline = fitted(table)
    golden = golden_of(pipeline, golden_rows(table, INPUTS, 1), INPUTS)

    def serve(instance: Instance) -> tuple[Floats, Floats]:
        """The logarithm of one plus the mass, from the logarithm of the mass."""
        logarithm = instance["body_mass_g"]
        shown = None if logarithm is None else float(np.logaddexp(0.0, logarithm))
        return served(pipeline, {**instance, "body_mass_g": shown})

    assert first_difference(golden, lambda instance: served(pipeline, instance)) is None
    found = first_difference(golden, serve)
    assert found is not None
    assert found.feature == "body_mass_g"


@pytest.mark.faults
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("way", ["fast", "pipeline"])
def test_a_clean_service_differs_never(way: str, tmp_path: Path) -> None:
    """As a service loads the release and reads requests, by either way to a prediction."""
    store = LocalStore(tmp_path)
    contents, manifest = files_of(PIPELINE, USE_CASE)
    manifest["files"] = put(store, contents)
    stored = put_manifest(store, manifest)
    replays, wanted = 0, 10_000 if LONG or way == "fast" else 300
    while replays < wanted:
        loaded = load(Pointer(NAME, 1, stored.digest, stored.uri), store)
        assert loaded.path.name == "fast"
        path = loaded.path if way == "fast" else loaded.by_pipeline

        def serve(instance: Instance) -> tuple[Floats, Floats]:
            contract = loaded.contract  # noqa: B023  # used at once
            if any(instance[each.name] is None for each in INPUTS if each.required):
                rows = [contract.instance(**instance)]  # no request may have it
            else:
                rows = contract.rows(json.dumps({"instances": [instance]}).encode())
            found = path.predict(rows)  # noqa: B023
            return found.features[0], found.outputs[0]

        for _ in range(min(wanted, 1_000) // len(GOLDEN.instances)):
            assert first_difference(GOLDEN, serve) is None
            replays += len(GOLDEN.instances)
    figure(
        f"golden rows, {way} path: {zero(replays, 'clean replays differ')}, from the body of a "
        "request to the bits of features and prediction"
    )


def test_there_are_enough_rows_with_every_edge() -> None:
    assert len(GOLDEN.instances) >= LEAST_ROWS
    for each in INPUTS:
        values = [row[each.name] for row in GOLDEN.instances]
        assert None in values
        if each.type == "category":
            assert set(each.seen or ()) <= set(values)
            assert bool(set(values) - {None, *(each.seen or ())}) == (each.values is None)
        else:
            numbers = [value for value in values if value is not None]
            low, high = each.low, each.high
            assert min(numbers) == (low if low is not None else min(numbers)) < max(numbers)
            assert max(numbers) == (high if high is not None else max(numbers))
    assert {each.name: None for each in INPUTS} in GOLDEN.instances


@pytest.mark.parametrize("rows", [1, 3, 60])
def test_a_small_table_has_as_many(rows: int) -> None:
    few = TABLE.slice(0, rows)
    inputs = inputs_of(few, USE_CASE)
    assert len(golden_rows(few, inputs, 1)) >= LEAST_ROWS


def test_golden_rows_are_the_same_after_they_were_stored() -> None:
    data = to_bytes(GOLDEN)
    read = from_bytes(data)
    assert first_difference(read, clean) is None
    assert to_bytes(read) == data
    with pytest.raises(ValueError, match="release the model again"):
        from_bytes(b"none")


def test_inputs_say_what_was_seen() -> None:
    by_name = {each.name: each for each in INPUTS}
    assert [Input.from_dict(each.as_dict()) for each in INPUTS] == list(INPUTS)
    mass, sex = by_name["body_mass_g"], by_name["sex"]
    assert (mass.unit, mass.seen_low, mass.seen_high) == ("g", 2700.0, 6300.0)
    assert sex.seen == ("female", "male")
    example = {name: each.example for name, each in by_name.items()}
    assert None not in example.values()
    assert example in TABLE.select(list(by_name)).to_pylist()


def test_a_difference_is_told_in_words() -> None:
    found = Difference(3, "bill_length_mm", 0.5, 0.25)
    assert str(found) == (
        "feature bill_length_mm of golden row 3 is 0.25, and 0.5 where the model was trained"
    )
