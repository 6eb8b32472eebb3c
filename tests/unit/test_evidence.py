"""A challenger is compared with the champion on held-out rows that neither was fitted on."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from leeway.data.frames import feature_frame, target_array
from leeway.data.training_set import TEST, TRAIN, build_training_set, part_of
from leeway.digests import canonical_json
from leeway.evidence import Champion, gather
from leeway.manifest import LONGEST_DESCRIPTION, describe, fits, manifest_of, tags_of
from leeway.prediction import Model
from leeway.release import Cause
from leeway.spec import UseCase
from leeway.training.search import fit_final
from tests.unit.measured_penguins import ATTRIBUTES, PENGUINS, TABLE

STRONGEST = [
    {"feature": "body_mass_g", "mean_abs_shap": 1.234},
    {"feature": "sex", "mean_abs_shap": 0.5},
]
ROWS = TABLE.append_column("batch_id", pa.array(["all"] * TABLE.num_rows))


def split(use_case: UseCase = PENGUINS, rows: pa.Table = ROWS) -> tuple[pa.Table, pa.Table]:
    """The training part and the test part."""
    whole = build_training_set({"all": rows}, use_case).table
    return part_of(whole, TRAIN), part_of(whole, TEST)


def fitted(rows: pa.Table, use_case: UseCase = PENGUINS) -> Model:
    frame, target = feature_frame(rows, use_case), target_array(rows, use_case)
    pipeline = fit_final(frame, target, use_case, "decision_tree", {"max_depth": 5})
    return Model(pipeline, getattr(pipeline, "classes_", None))


def champion(rows: pa.Table) -> Champion:
    return Champion(fitted(rows), rows["penguin_id"])


def changed(**attributes: object) -> UseCase:
    return UseCase.model_validate(ATTRIBUTES | attributes)


def test_all_held_out_rows_compare_two_models_of_the_same_split() -> None:
    train, test = split()
    found = gather(test, PENGUINS, fitted(train), champion(train), "request")
    assert found.comparison is not None
    assert found.comparison.rows == test.num_rows
    assert found.comparison.difference == 0
    assert found.decision.verdict == "hold"


def test_rows_that_the_champion_was_fitted_on_do_not_compare() -> None:
    """Another seed holds other rows out: most of them have trained the champion."""
    train, _ = split()
    reseeded = changed(split={"test": 0.2, "seed": 7})
    late, test = split(reseeded)
    found = gather(test, reseeded, fitted(late), champion(train), "request")
    seen = pc.sum(pc.is_in(test["penguin_id"], value_set=train["penguin_id"])).as_py()
    assert found.comparison is not None
    assert 0 < found.comparison.rows == test.num_rows - seen
    assert all(metric.rows == test.num_rows for metric in found.metrics.values())


def test_a_champion_that_has_seen_every_row_is_not_beaten_by_default() -> None:
    train, test = split()
    found = gather(test, PENGUINS, fitted(train), champion(ROWS), "drift")
    assert found.comparison is not None
    assert found.comparison.rows == 0
    assert found.decision.verdict == "hold"


def test_a_champion_that_does_not_know_a_class_is_compared_and_loses() -> None:
    """Regression: a class that came later made every release after it fail."""
    train, test = split()
    without = train.filter(pc.not_equal(train["species"], "Gentoo"))
    found = gather(test, PENGUINS, fitted(train), champion(without), "request")
    assert found.comparison is not None
    assert found.comparison.rows == test.num_rows
    assert found.decision.verdict == "promote"


def nearly_alike(use_case: UseCase) -> tuple[Model, Champion, pa.Table]:
    """Two models of which neither is proven better, and the rows that say so."""
    train, test = split(use_case)
    even, odd = (train.take(list(range(first, train.num_rows, 2))) for first in (0, 1))
    return fitted(even, use_case), Champion(fitted(odd, use_case), train["penguin_id"]), test


@pytest.mark.parametrize(("cause", "verdict"), [("drift", "promote"), ("freshness", "hold")])
def test_only_after_drift_a_model_that_may_be_a_little_worse_is_promoted(
    cause: Cause, verdict: str
) -> None:
    model, seen, test = nearly_alike(PENGUINS)
    lenient = changed(retraining={"non_inferiority": 9})
    found = gather(test, lenient, model, seen, cause)
    assert (
        "includes zero" in found.decision.reason or "below 9 is accepted" in found.decision.reason
    )
    assert found.decision.verdict == verdict


def test_where_a_person_promotes_even_a_first_release_is_held() -> None:
    train, test = split()
    manual = changed(promotion="manual")
    assert gather(test, PENGUINS, fitted(train), "first", "request").decision.verdict == "promote"
    decision = gather(test, manual, fitted(train), "first", "request").decision
    assert (decision.verdict, decision.awaits_person) == ("hold", True)


def regression(**attributes: object) -> UseCase:
    columns = [dict(column) for column in ATTRIBUTES["columns"]]
    for column in columns:
        if column["name"] == "species":
            column["role"] = "monitored"
        if column["name"] == "body_mass_g":
            column["role"] = "target"
    search = {"metric": "mae"}
    return changed(task="regression", columns=columns, gates=[], search=search, **attributes)


@pytest.mark.parametrize(("share", "verdict"), [(0.001, "hold"), (1, "promote")])
def test_the_margin_of_a_regression_is_a_share_of_the_champions_error(
    share: float, verdict: str
) -> None:
    use_case = regression(retraining={"non_inferiority": share})
    model, seen, test = nearly_alike(use_case)
    found = gather(test, use_case, model, seen, "drift")
    predicted = seen.model.pipeline.predict(feature_frame(test, use_case))
    grams = np.abs(predicted - target_array(test, use_case)).mean()
    assert f"an increase {'of' if verdict == 'hold' else 'below'} {share * grams:.4g}" in (
        found.decision.reason
    )
    assert found.decision.verdict == verdict


def test_the_champion_is_judged_anew_on_the_same_rows_as_the_challenger() -> None:
    """Guards: what a release recorded of itself came from other rows."""
    use_case = regression()
    model, seen, test = nearly_alike(use_case)
    found = gather(test, use_case, model, seen, "request").comparison
    truth, frame = target_array(test, use_case), feature_frame(test, use_case)
    of_challenger, of_champion = (
        np.abs(each.pipeline.predict(frame) - truth) for each in (model, seen.model)
    )
    assert found is not None
    assert found.champion == pytest.approx(of_champion.mean())
    assert found.difference == pytest.approx((of_challenger - of_champion).mean())
    assert (found.low or 0) < (found.difference or 0) < (found.high or 0)


@pytest.mark.parametrize(
    ("field", "value", "usable"),
    [
        ("range", [0, 9999], True),
        ("description", "another", True),
        ("unit", "kg", True),
        ("type", "integer", False),
        ("role", "monitored", False),
    ],
)
def test_a_champion_can_be_used_while_its_features_have_their_names_and_types(
    field: str, value: object, usable: bool
) -> None:
    """Regression: a wider range of one column replaced the champion without a comparison."""
    train, test = split()
    tuned: dict[str, object] = {
        "algorithm": "x",
        "parameters": {},
        "training_key": "k",
        "classes": None,
    }
    evidence = gather(test, PENGUINS, fitted(train), "first", "request")
    made = manifest_of("penguins", PENGUINS, tuned, evidence, version=1, batches=[], files={},
                       threshold=None, importance=[], fast={}, libraries={})  # fmt: skip
    columns = [dict(column) for column in ATTRIBUTES["columns"]]
    mass = next(column for column in columns if column["name"] == "body_mass_g")
    mass[field] = value
    assert fits(made, PENGUINS)
    assert fits(made, changed(columns=columns)) is usable


def test_the_errors_of_a_segment_are_those_of_its_held_out_rows() -> None:
    by_island = changed(monitoring={"segments": ["island"]})
    train, test = split(by_island)
    model = fitted(train)
    found = gather(test, by_island, model, "first", "request")
    assert list(found.segments) == ["island=Biscoe", "island=Dream", "island=Torgersen"]
    for name, metrics in found.segments.items():
        rows = test.filter(pc.equal(test["island"], name.removeprefix("island=")))
        alone = gather(rows, by_island, model, "first", "request").metrics
        assert metrics == alone
        assert metrics["accuracy"].rows == rows.num_rows
    lacks = found.segments["island=Torgersen"]["macro_f1"]
    assert (lacks.value, "no row of class 'Chinstrap'" in str(lacks.reason)) == (None, True)


def test_a_description_has_a_line_for_each_segment_that_there_is_room_for() -> None:
    """MLflow's column holds 5000 characters: many columns or segments made a release fail."""
    by_island = changed(monitoring={"segments": ["island"]})
    train, test = split(by_island)
    evidence = gather(test, by_island, fitted(train), "first", "request")
    tuned: dict[str, object] = {
        "algorithm": "x",
        "parameters": {},
        "training_key": "k",
        "classes": None,
    }
    files = {"training_set": {"digest": "sha256:0a1b", "uri": "file:///0a1b.parquet"}}
    made = manifest_of("penguins", by_island, tuned, evidence, version=1, batches=[], files=files,
                       threshold=None, importance=[], fast={}, libraries={})  # fmt: skip
    unknown = dict.fromkeys(("training_seconds", "git_commit", "user"))
    text = describe(made, unknown)
    table = text[text.index("| segment |") :].splitlines()
    assert table[0] == "| segment | rows | accuracy | log_loss_nats |"
    accuracy = evidence.segments["island=Dream"]["accuracy"]
    assert table[3].startswith(f"| island=Dream | {accuracy.rows} | {accuracy.value:.4g} (")
    assert len(table) == 2 + 3
    assert json.loads(canonical_json(made))["segments"]["island=Dream"]["accuracy"]["low"]
    dream = made["segments"]["island=Dream"]
    made["segments"] = {f"island=a|b\n{i}": dream for i in range(900)}
    feature = next(column for column in made["columns"] if column["role"] == "feature")
    made["columns"] += [feature | {"name": f"{'wide' * 15}_{i}"} for i in range(900)]
    for more in range(0, 80, 16):  # so that the last line just fits, or does not
        text = describe(made | {"title": "t" * more}, unknown)
        assert len(text) <= LONGEST_DESCRIPTION
    shown = text.count("| island=a/b ")
    assert 20 < shown < 100
    assert text.endswith(f"The manifest has {900 - shown} further segments.")


def test_a_registry_is_told_what_a_release_is_made_of_and_how_good_it_is() -> None:
    train, test = split()
    evidence = gather(test, PENGUINS, fitted(train), "first", "request")
    tuned = {"algorithm": "decision_tree", "parameters": {"max_depth": 5}, "training_key": "k",
             "classes": None}  # fmt: skip
    files = {"training_set": {"digest": "sha256:0a1b", "uri": "file:///store/clean/0a1b.parquet"}}
    made = manifest_of("penguins", PENGUINS, tuned, evidence, version=3, batches=[], files=files,
                       threshold=None, importance=STRONGEST, fast={}, libraries={})  # fmt: skip
    accuracy = evidence.metrics["accuracy"].value
    assert accuracy is not None
    training = {"training_seconds": 12.3, "git_commit": None, "user": "anna"}
    tags = tags_of(made, training)
    assert set(tags) - set(evidence.metrics) == {
        "leeway.version", "leeway.verdict", "algorithm", "framework", "target", "features",
        "optuna_study", *training,
    }  # fmt: skip
    assert [tags[name] for name in training] == ["12.3", "unknown", "anna"]
    assert (tags["target"], tags["features"], tags["leeway.version"]) == ("species", "6", "3")
    assert (tags["framework"], tags["optuna_study"]) == ("scikit-learn", "penguins/k")
    assert float(tags["accuracy"]) == pytest.approx(accuracy, rel=1e-5)
    text = describe(made, training)
    assert "Trained in 12.3 seconds by anna at commit `unknown`." in text
    for part in ("decision_tree", "'max_depth': 5", "sha256:0a1b", "/store/clean/0a1b.parquet"):
        assert part in text
    assert all(f"`{column.name}`" in text for column in PENGUINS.feature_columns)
    assert f"| accuracy | {accuracy:.4g} |" in text
    assert "SHAP value: `body_mass_g` 1.23, `sex` 0.5" in text
