"""A model file is the same bytes for the same model, and brings no code."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import SGDClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from leeway.spec import CANDIDATES, UseCase
from leeway.training.model_file import UntrustedModel, load_model, save_model
from leeway.training.search import fit_final
from tests.unit.measured_penguins import ATTRIBUTES, FRAME, TARGET

MASS = FRAME["body_mass_g"].to_numpy()
EVERY = [
    *(("classification", name) for name in CANDIDATES["classification"]),
    *(("regression", name) for name in CANDIDATES["regression"]),
]


def fitted(task: str, name: str, number: str = "median") -> Any:
    attributes = ATTRIBUTES | {
        "imputation": {"number": number},
        "features": [
            {"kind": "product", "name": "area", "left": "bill_length_mm", "right": "bill_depth_mm"},
            {"kind": "clusters", "name": "shape", "of": ["bill_length_mm"], "k": 2},
        ],
    }
    parameters = {"n_estimators": 9} if name == "random_forest" else {}
    use_case = UseCase.model_validate(attributes).model_copy(update={"task": task})
    return fit_final(
        FRAME, TARGET if task == "classification" else MASS, use_case, name, parameters
    )


@pytest.mark.parametrize(("task", "name"), EVERY)
def test_a_loaded_model_predicts_the_same_bits_and_two_trainings_the_same_file(
    task: str, name: str
) -> None:
    pipeline = fitted(task, name)
    data = save_model(pipeline)
    loaded = load_model(data)
    assert np.array_equal(loaded.predict(FRAME), pipeline.predict(FRAME))
    if task == "classification":
        assert np.array_equal(loaded.predict_proba(FRAME), pipeline.predict_proba(FRAME))
        assert loaded.classes_.tolist() == pipeline.classes_.tolist()
    assert save_model(fitted(task, name)) == data
    assert save_model(loaded) == data


@pytest.mark.parametrize("number", ["mean", "knn", "iterative"])
def test_every_imputation_survives(number: str) -> None:
    frame = FRAME.copy()
    frame.loc[::3, "bill_length_mm"] = np.nan
    pipeline = fitted("classification", "logistic_regression", number)
    loaded = load_model(save_model(pipeline))
    assert np.array_equal(loaded.predict_proba(frame), pipeline.predict_proba(frame))
    assert save_model(loaded) == save_model(pipeline)


def test_a_model_of_xgboost_loads_where_xgboost_was_not_imported(tmp_path: Path) -> None:
    """Guards against a file that only loads in the process that wrote it, in any hash order."""
    path = tmp_path / "model"
    pipeline = fitted("classification", "xgboost", "iterative")
    path.write_bytes(save_model(pipeline))
    program = (
        "import sys, hashlib, pathlib\n"
        "from leeway.training.model_file import load_model, save_model\n"
        "model = load_model(pathlib.Path(sys.argv[1]).read_bytes())\n"
        "print(model.classes_.tolist(), hashlib.sha256(save_model(model)).hexdigest())"
    )
    said = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        env={**os.environ, "PYTHONHASHSEED": "1"},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert said.strip() == f"['Adelie', 'Chinstrap', 'Gentoo'] {digest}"


def test_the_file_holds_no_time_and_no_address() -> None:
    archive = zipfile.ZipFile(io.BytesIO(save_model(fitted("regression", "decision_tree"))))
    assert {entry.date_time[0] for entry in archive.infolist()} == {1980}
    assert archive.namelist() == sorted(archive.namelist())
    assert b"__id__" not in archive.read("schema.json")


def test_another_model_has_other_bytes() -> None:
    bytes_of = {save_model(fitted("regression", name)) for name in ("ridge", "lasso")}
    assert len(bytes_of) == 2


def test_a_type_that_is_not_listed_is_refused_by_name_on_both_sides() -> None:
    import skops.io  # not above: it takes three seconds, of each process that collects tests

    pipeline = Pipeline([("evil", FunctionTransformer(os.system)), ("model", SGDClassifier())])
    with pytest.raises(UntrustedModel, match=r"posix\.system"):
        save_model(pipeline)
    with pytest.raises(UntrustedModel, match=r"posix\.system"):
        load_model(skops.io.dumps(pipeline))


def test_a_file_that_was_changed_to_name_another_type_is_refused() -> None:
    data = save_model(fitted("regression", "ridge"))
    archive = zipfile.ZipFile(io.BytesIO(data))
    files = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(files["schema.json"])
    schema["__module__"], schema["__class__"] = "subprocess", "Popen"
    files["schema.json"] = json.dumps(schema).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as changed:
        for name, content in files.items():
            changed.writestr(name, content)
    with pytest.raises(UntrustedModel, match=r"subprocess\.Popen"):
        load_model(buffer.getvalue())


def test_bytes_that_are_no_model_are_refused() -> None:
    with pytest.raises(zipfile.BadZipFile):
        load_model(b"not a model")
