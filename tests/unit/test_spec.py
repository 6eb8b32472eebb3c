"""What a defs.yaml says is a use case, or its error names field, value and what is allowed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from leeway.spec import as_timedelta
from orchestration.use_cases import InvalidUseCase, load_use_case
from tests.unit.changed_defs import Change, batches, changed, column, put


def gate(**fields: object) -> Change:
    return put([fields], "gates")


def feature(**fields: object) -> Change:
    return put([fields], "features")


def test_the_example_of_these_tests_is_valid_without_a_change(tmp_path: Path) -> None:
    use_case = load_use_case(changed(tmp_path, lambda attributes: None))
    assert [c.name for c in use_case.feature_columns] == ["petal_mm", "stem_mm", "soil"]


def test_a_feature_may_be_called_as_the_ends_of_an_interval(tmp_path: Path) -> None:
    """Predictions hold the key beside columns of their own, and no feature."""
    use_case = load_use_case(
        changed(tmp_path, lambda a: (column(4, name="low")(a), put({}, "monitoring")(a)))
    )
    assert use_case.column("low").role == "feature"


UNKNOWN_KEYS = [
    (put({"components": 2}, "explanation"), "explanation: keys: unknown name", "coverage"),
    (put(1, "tresholds"), "attributes: keys: unknown name 'tresholds'", "title"),
    (
        put({"efect": 0.1}, "drift"),
        "drift: keys: unknown name 'efect'; did you mean 'effect'?",
        "min_rows",
    ),
    (
        column(2, rol="feature"),
        "columns.2: keys: unknown name 'rol'; did you mean 'role'?",
        "missing",
    ),
    (put("x", "source", "url"), "source.file: keys: unknown name 'url'", "path"),
    (
        put("x", "source", "batch_by", "colum"),
        "source.file.batch_by: keys: unknown name 'colum'",
        "batches",
    ),
    (put("x", "features", 0, "num"), "features.0.ratio: keys: unknown name 'num'", "denominator"),
    (
        put(1, "gates", 0, "atleast"),
        "gates.0: keys: unknown name 'atleast'; did you mean",
        "at_most",
    ),
    (
        put({"tests": 0.2}, "split"),
        "split: keys: unknown name 'tests'; did you mean 'test'?",
        "seed",
    ),
    (
        put({"number": "median", "text": 1}, "imputation"),
        "imputation: keys: unknown name 'text'",
        "category",
    ),
    (put({1: 2}, "monitoring"), "monitoring: keys: unknown name 1", "segments"),
]
WRONG_VALUES = [
    (column(2, type="float"), "columns.2.type", "'float'", "'integer'"),
    (column(2, role="label"), "columns.2.role", "'label'", "'target'"),
    (column(2, description=""), "columns.2.description", "''", "at least 1 character"),
    (column(2, required="maybe"), "columns.2.required", "'maybe'", "valid boolean"),
    (column(2, missing=[-999]), "columns.2.missing.0", "-999", "valid string"),
    (column(4, values=[]), "columns.4.values", "", "at least 1 item"),
    (put("clustering", "task"), "task", "'clustering'", "'regression'"),
    (put("", "title"), "title", "''", "at least 1 character"),
    (put("web", "source", "kind"), "source", "'web'", "'package', 'file'"),
    (put(1.5, "max_rejected"), "max_rejected", "1.5", "less than or equal to 1"),
    (put({"test": 0.5}, "split"), "split.test", "0.5", "less than 0.5"),
    (put({"folds": 1}, "search"), "search.folds", "1", "greater than or equal to 2"),
    (put({"candidates": []}, "search"), "search.candidates", "", "at least 1 item"),
    (put({"seed": 2**32}, "search"), "search.seed", "4294967296", "less than or equal to 4294967"),
    (put({"seed": 2**32}, "split"), "split.seed", "4294967296", "less than or equal to 4294967"),
    (put({"folds": 2.5}, "search"), "search.folds", "2.5", "valid integer"),
    (put({"effect": float("nan")}, "drift"), "drift.effect", "nan", "finite number"),
    (put({"smallest_change": {"petal": 1}}, "drift"), "drift.smallest_change", "petal", "known"),
    (put(float("nan"), "gates", 0, "at_least"), "gates.0.at_least", "nan", "finite number"),
    (column(2, range=[0, float("inf")]), "columns.2.range.1", "inf", "finite number"),
    (put({"cooldown": "a day"}, "retraining"), "retraining.cooldown", "'a day'", "s, m, h or d"),
    (put({"cooldown": "36h\n"}, "retraining"), "retraining.cooldown", r"'36h\n'", "such as 36h"),
    (put("9" * 20 + "d", "freshness", "fail_after"), "freshness.fail_after", "9d'", "six digits"),
    (
        batches(**{"2001 a": [2001]}),
        "source.file.batch_by.batches.2001 a",
        "'2001 a'",
        "A-Za-z0-9_-",
    ),
    (put([], "columns"), "columns", "", "at least 1 item"),
]
BROKEN_RULES = [
    (
        column(1, role="feature"),
        "columns",
        "role target",
        "exactly one column needs role target; found none",
    ),
    (column(4, role="key"), "columns", "['id', 'soil']", "exactly one column needs role key"),
    (column(0, type="number"), "columns.0", "number column cannot be the key", "give it type text"),
    (column(0, type="timestamp"), "columns.0", "timestamp column", "compared as text"),
    (column(2, role="target"), "columns", "['kind', 'petal_mm']", "exactly one column"),
    (column(3, role="time"), "columns", "role time", "at most one"),
    (column(5, type="category"), "columns.5", "category column", "date, timestamp, number or inte"),
    (column(4, values=["wet", "dry "]), "columns.4", "'dry '", "write 'dry'"),
    (column(4, values=["wet", ""]), "columns.4", "''", "an empty text is a missing value"),
    (column(4, values=["wet", "n/a"], missing=["n/a"]), "columns.4", "'n/a'", "keep it in one"),
    (column(2, missing=[" -999"]), "columns.2", "' -999'", "write '-999'"),
    (column(0, name="low"), "columns", "'low'", "rename it"),
    (column(0, name="high"), "columns", "'high'", "rename it"),
    (column(6, role="feature"), "columns.6", "text", "use role monitored, time or ignored"),
    (column(1, type="number"), "columns", "target 'kind' has type number", "category or boolean"),
    (column(3, name="petal_mm"), "columns", "'petal_mm'", "names must be unique"),
    (column(3, name="slim"), "columns", "'slim'", "names must be unique"),
    (column(3, name="batch_id"), "columns", "'batch_id'", "rename it"),
    (column(3, name="part"), "columns", "'part'", "rename it"),
    (column(3, name="probability_wet"), "columns", "'probability_wet'", "rename it"),
    (column(2, range=[5, 1]), "columns.2", "[5.0, 1.0] is empty", "lower bound first"),
    (column(4, range=[0, 1]), "columns.4", "soil is category", "number and integer columns"),
    (column(2, values=["1"], range=None), "columns.2", "petal_mm is number", "category columns"),
    (
        put("age", "source", "batch_by", "column"),
        "source.batch_by.column",
        "'age'",
        "known: id, kind",
    ),
    (batches(a=[1, 2], b=["2"]), "source.batch_by.batches", "'2'", "one batch"),
    (batches(a=[1], b=[]), "source.batch_by.batches", "'b'", "at least one"),
    (put(["petal"], "required_any"), "required_any", "'petal'", "did you mean 'petal_mm'?"),
    (put(["note"], "required_any"), "required_any", "'note'", "known: id, kind"),
    (put(["sail"], "monitoring", "segments"), "monitoring.segments", "'sail'", "mean 'soil'?"),
    (put(["note"], "monitoring", "segments"), "monitoring.segments", "'note'", "known: id, kind"),
    (
        feature(kind="ratio", name="r", numerator="petl_mm", denominator="stem_mm"),
        "features[0]",
        "'petl_mm'",
        "did you mean 'petal_mm'? (known: petal_mm, stem_mm)",
    ),
    (
        feature(kind="product", name="r", left="petal_mm", right="soil"),
        "features[0]",
        "'soil'",
        "known: petal_mm, stem_mm",
    ),
    (
        feature(kind="clusters", name="r", of=["kind"], k=2),
        "features[0]",
        "'kind'",
        "known: petal_mm, stem_mm",
    ),
    (
        feature(kind="clusters", name="r", of=["petal_mm", "stem_mm", "petal_mm"], k=2),
        "features[0].of",
        "'petal_mm'",
        "name each column once",
    ),
    (
        put({"candidates": ["xgboost", "xgboost"]}, "search"),
        "search.candidates",
        "'xgboost'",
        "name each once",
    ),
    (put(["petal_mm"], "monitoring", "segments"), "monitoring.segments", "'petal_mm'", "category"),
    (column(2, source_name="stem_mm"), "columns", "'stem_mm'", "a source_name of its own"),
    (column(5, source_name="Year"), "source.batch_by.column", "'year'", "rename it there"),
    (column(0, from_position=True), "columns.0", "id is integer", "a key of type text"),
    (column(4, from_position=True), "columns.4", "its role is feature", "a key of type text"),
    (
        lambda a: (column(0, type="category")(a), put(["id"], "monitoring", "segments")(a)),
        "monitoring.segments",
        "'id'",
        "not the key",
    ),
    (gate(metric="accuracy", at_most=0.9), "gates[0].at_most", "0.9", "use at_least"),
    (gate(metric="log_loss_nats", at_least=0.9), "gates[0].at_least", "0.9", "use at_most"),
    (gate(metric="accuracy", at_least=0), "gates[0]", "got 0", "every accuracy keeps this bound"),
    (gate(metric="brier_score", at_most=2.5), "gates[0]", "got 2.5", "it is from 0 to 2"),
    (put({"metric": "rmse"}, "search"), "search.metric", "'rmse'", "accuracy"),
    (put({"candidates": ["ridge"]}, "search"), "search.candidates", "'ridge'", "random_forest"),
    (gate(metric="macro_f1", at_least=1.2), "gates[0].at_least", "1.2", "macro_f1 never exceeds 1"),
    (gate(metric="log_loss_nats", at_most=-0.1), "gates[0].at_most", "-0.1", "never below 0"),
    (gate(metric="f1", at_least=0.5), "gates[0].metric", "'f1'", "macro_f1"),
    (gate(metric="rmse", at_most=3), "gates[0].metric", "'rmse'", "known: accuracy"),
    (gate(metric="accuracy"), "gates.0", "", "exactly one of at_least and at_most"),
    (gate(metric="accuracy", at_least=0.1, at_most=0.2), "gates.0", "", "exactly one of"),
    (put("1h", "freshness", "fail_after"), "freshness", "1d and 1h", "warn_after < fail_after"),
    (
        lambda a: (column(5, role="feature")(a), put({"by": "time"}, "split")(a)),
        "split.by",
        "time",
        "column with role time",
    ),
    (put({"mode": "ab"}, "trial"), "trial.mode", "'ab'", "'shadow' or 'canary'"),
    (put({"share": 0.6}, "trial"), "trial.share", "0.6", "less than or equal to 0.5"),
    (put({"labelled_rows": 100}, "trial"), "trial.labelled_rows", "100 rows", "set null and hours"),
    (
        lambda a: (put({}, "trial")(a), put("manual", "promotion")(a)),
        "trial",
        "manual",
        "remove one of both",
    ),
]


@pytest.mark.parametrize(("change", "start", "known"), UNKNOWN_KEYS)
def test_an_unknown_key_is_refused_with_its_place_and_the_known_ones(
    tmp_path: Path, change: Change, start: str, known: str
) -> None:
    path = changed(tmp_path, change)
    with pytest.raises(InvalidUseCase) as refused:
        load_use_case(path)
    assert str(refused.value).startswith(f"{path}: {start}")
    assert re.search(rf"\(known: .*\b{known}\b", str(refused.value))


@pytest.mark.parametrize(("change", "field", "value", "allowed"), WRONG_VALUES + BROKEN_RULES)
def test_a_wrong_value_is_refused_with_file_field_value_and_what_is_allowed(
    tmp_path: Path, change: Change, field: str, value: str, allowed: str
) -> None:
    path = changed(tmp_path, change)
    with pytest.raises(InvalidUseCase) as refused:
        load_use_case(path)
    message = str(refused.value)
    assert message.startswith(f"{path}: ")
    assert f": {field}" in message
    assert value in message
    assert allowed in message


def test_every_problem_of_independent_fields_is_listed(tmp_path: Path) -> None:
    def change(attributes: dict[str, Any]) -> None:
        column(2, type="float")(attributes)
        put("clustering", "task")(attributes)

    with pytest.raises(InvalidUseCase) as refused:
        load_use_case(changed(tmp_path, change))
    assert len(str(refused.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("5m", 300), ("36h", 129600), ("400 d", 34560000)]
)
def test_a_duration_is_a_number_and_its_unit(text: str, seconds: int) -> None:
    assert as_timedelta(text).total_seconds() == seconds


@pytest.mark.parametrize("text", ["", "1", "h", "-1h", "1.5h", "1w", "36h\n", "٣d", "9999999d"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        as_timedelta(text)
