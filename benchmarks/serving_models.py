"""The models of `benchmarks.serving`: fitted once, released to Leeway, and saved for MLflow.

Belongs here: the table, the fits, the release and its ledger, MLflow's folder. Does not belong
here: asking the servers anything.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from leeway.spec import UseCase

# As in the systems that Leeway replaces; tuned ones are smaller.
MODELS: Mapping[str, Mapping[str, Any]] = {
    "random_forest": {"n_estimators": 200, "max_depth": 20, "max_features": 1.0},
    "xgboost": {"n_estimators": 300, "max_depth": 6, "max_leaves": 0},
}
CLUSTERS = 10
SYNTHETIC_ROWS = 20_640
HOUSING = "california_housing/housing.csv.gz"  # below LEEWAY_DATA_DIR


@dataclass(frozen=True)
class Fitted:
    """A fitted pipeline, and rows that it has not seen: as instances, and as its frame."""

    pipeline: Any
    instances: list[dict[str, Any]]
    frame: pd.DataFrame


def housing() -> tuple[pa.Table, UseCase, str]:
    """The table of housing, its use case with nothing left open, and where the rows are from."""
    import pandas as pd
    import pyarrow as pa

    from leeway.data.synthetic import synthetic_table
    from leeway.training.decisions import settle
    from orchestration.use_cases import find_use_case

    use_case = settle(find_use_case("housing"), {"clusters": {"place": CLUSTERS}})
    path = Path(os.environ.get("LEEWAY_DATA_DIR", "")) / HOUSING
    if path.is_file():
        rows, told = pd.read_csv(path), "housing"
    else:
        rows = synthetic_table(use_case, "b", 0, SYNTHETIC_ROWS).to_pandas()
        told = "made-up rows of housing"
    rows["batch_id"] = "b"
    rows["block_id"] = [str(number) for number in range(len(rows))]
    return pa.Table.from_pandas(rows, preserve_index=False), use_case, told


def fit(table: pa.Table, use_case: UseCase, algorithm: str) -> Fitted:
    """Fits on the training part; the test part is what the servers are asked for."""
    from leeway.data.frames import feature_frame, target_array
    from leeway.data.training_set import TEST, TRAIN, build_training_set, part_of
    from leeway.training.model_file import load_model, save_model
    from leeway.training.search import fit_final

    made = build_training_set({"b": table}, use_case).table
    train, test = part_of(made, TRAIN), part_of(made, TEST)
    frame, target = feature_frame(train, use_case), target_array(train, use_case)
    pipeline = fit_final(frame, target, use_case, algorithm, MODELS[algorithm])
    names = [column.name for column in use_case.feature_columns]
    instances = test.select(names).to_pylist()
    loaded = load_model(save_model(pipeline))
    return Fitted(loaded, instances, feature_frame(test, use_case))


def save_for_mlflow(pipeline: Any, folder: Path) -> None:
    """MLflow's model, in its default format."""
    import mlflow.sklearn

    from leeway.training.model_file import TRUSTED_TYPES

    mlflow.sklearn.save_model(
        pipeline, str(folder), skops_trusted_types=[*TRUSTED_TYPES], pip_requirements=[]
    )


def release(
    table: pa.Table, use_case: UseCase, algorithm: str, fitted: Fitted
) -> Mapping[str, Any]:
    """Releases the model as champion of the use case `algorithm`; what its fast path was told."""
    from leeway.data.training_set import TEST, TRAIN, build_training_set, part_of
    from leeway.evidence import gather
    from leeway.fast.proof import proven_fast_path
    from leeway.manifest import manifest_of
    from leeway.prediction import Model
    from leeway.served.golden import golden_of, golden_rows, to_bytes
    from leeway.served.inputs import inputs_of
    from leeway.training.model_file import save_model
    from resources.platform import Platform

    made = build_training_set({"b": table}, use_case).table
    train, test = part_of(made, TRAIN), part_of(made, TEST)
    platform = Platform()
    inputs = inputs_of(train, use_case)
    golden = golden_of(fitted.pipeline, golden_rows(train, inputs, 0), inputs)
    fast, told = proven_fast_path(fitted.pipeline, golden, test, inputs)
    contents = {
        "model": ("skops", save_model(fitted.pipeline)),
        "inputs": ("json", json.dumps([each.as_dict() for each in inputs]).encode()),
        "golden": ("parquet", to_bytes(golden)),
        "explainers": ("json", json.dumps({"calibration": _calibration(fitted, test)}).encode()),
    } | ({} if fast is None else {"fast": ("msgpack", fast)})
    files = {}
    for name, (suffix, data) in contents.items():
        stored = platform.store.put("models", algorithm, suffix, data)
        files[name] = {"digest": stored.digest, "uri": stored.uri}
    tuned: dict[str, Any] = {
        "algorithm": algorithm,
        "parameters": {},
        "training_key": algorithm,
        "classes": None,
    }
    evidence = gather(test, use_case, Model(fitted.pipeline, None), "first", "request")
    manifest = manifest_of(
        algorithm, use_case, tuned, evidence, version=1, batches=["b"], threshold=None,
        importance=[], files=files, fast=told, libraries={},
    )  # fmt: skip
    _record(platform, algorithm, json.dumps(manifest).encode())
    return told


def _calibration(fitted: Fitted, test: pa.Table) -> dict[str, Any]:
    from leeway.explainers.conformal import calibrate_residuals

    target = test["median_house_value"].to_numpy()
    return calibrate_residuals(target, fitted.pipeline.predict(fitted.frame), 0.9).as_dict()


def _record(platform: Any, name: str, manifest: bytes) -> None:
    from resources.postgres import transaction
    from resources.releases import Release, promote_in

    stored = platform.store.put("models", name, "json", manifest)
    made = Release(
        use_case=name, version=1, digest=stored.digest, training_key=name, algorithm=name,
        verdict="promote", reason="made up",
        facts={"batches": ["b"], "awaits_person": False, "uri": stored.uri},
        incident=None, run_id="", released_at=datetime.now(UTC),
    )  # fmt: skip
    with transaction(platform.settings) as cursor:
        platform.releases.record(cursor, made)
        promote_in(cursor, name, 1, None, "made up")
