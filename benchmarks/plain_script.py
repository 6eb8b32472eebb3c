"""The penguins use case as a plain script: the functions that the assets call, in the same order.

Belongs here: the calls, with every value passed from one to the next in memory. Does not belong
here: anything that Dagster or the commit protocol adds, which is what the comparison measures.

It reads, validates, loads PostgreSQL, runs dbt, trains with Optuna's study in PostgreSQL, draws the
same plots, tells MLflow the same, and writes an object for each of Leeway's. It does a little less:
it keeps no table of rejects, looks for no key of an earlier batch, and its objects say less.
"""

from __future__ import annotations

import logging
import os
import subprocess
import uuid
import warnings
from typing import Any

import pyarrow as pa

from leeway.data.frames import feature_frame, target_array
from leeway.data.tables import to_parquet
from leeway.data.training_set import TEST, TRAIN, build_training_set, part_of
from leeway.data.validation import validate
from leeway.data.values import POSTGRES_TYPES
from leeway.digests import canonical_json
from leeway.drift.profile import profile_table
from leeway.spec import UseCase
from orchestration.use_cases import load_use_cases
from resources.dbt import begin_call, executable
from resources.ledger import Ledger
from resources.postgres import dsn, transaction
from resources.settings import get_settings
from resources.sources import open_source
from resources.store import LocalStore
from resources.tracking import TRAINING_KEY, Tracking
from resources.warehouse import ensure_table, read_batch, replace_batch

NAME = "penguins"


def main() -> None:
    """Source to predictions."""
    warnings.simplefilter("ignore")
    use_case = load_use_cases()[NAME]
    settings = get_settings()
    store = LocalStore(settings.store_root)
    batches = load(use_case, store)
    clean = {batch: read_batch(NAME, "clean", batch, [use_case.key.name]) for batch in batches}
    for table in clean.values():
        store.put("clean", NAME, "parquet", to_parquet(table))
    made = build_training_set(clean, use_case)
    store.put("clean", NAME, "parquet", to_parquet(made.table))
    tracking = Tracking(settings, NAME, str(uuid.uuid4()), logging.getLogger(NAME))
    tracking.run_id = tracking.client.create_run(tracking.experiment_id).info.run_id
    pipeline, tuned = train(part_of(made.table, TRAIN), use_case, store, tracking)
    calibration = explain(pipeline, tuned, part_of(made.table, TRAIN), use_case, store)
    release(pipeline, tuned, part_of(made.table, TEST), use_case, store, tracking)
    tracking.end(failed=False)
    score(pipeline, tuned, calibration, clean, made.table, use_case, store)


def load(use_case: UseCase, store: LocalStore) -> list[str]:
    """Source to PostgreSQL, and dbt; returns the batches."""
    source = open_source(use_case)
    batches = list(source.batches())
    columns = {c.name: POSTGRES_TYPES[c.type] for c in use_case.columns if c.role != "ignored"}
    columns |= {"row_number": "bigint", "batch_id": "text"}
    columns |= {"loaded_at": "timestamptz default now()"}
    for batch in batches:
        table = source.read(batch)
        store.put("raw", NAME, "parquet", to_parquet(table))
        rows = validate(table, use_case).accepted
        rows = rows.append_column("batch_id", pa.array([batch] * rows.num_rows, pa.string()))
        with transaction() as cursor:
            ensure_table(cursor, NAME, "raw", columns)
            replace_batch(cursor, NAME, "raw", batch, rows)
    ledger = Ledger()
    tokens = {batch: ledger.begin(NAME, "clean", batch, "script").token for batch in batches}
    subprocess.run(
        [executable(), "build", "--quiet", "--full-refresh", "--select", f"fqn:leeway.{NAME}"],
        env=os.environ | {"DBT_TARGET_PATH": str(begin_call(get_settings(), NAME, tokens))},
        check=True,
    )
    return batches


def train(
    table: pa.Table, use_case: UseCase, store: LocalStore, tracking: Tracking
) -> tuple[Any, dict[str, Any]]:
    """Candidates, tuning and the fitted pipeline."""
    from optuna.storages import RDBStorage

    from leeway.plots import candidate_plot
    from leeway.spec import unit_of
    from leeway.training.model_file import save_model
    from leeway.training.readable import parameters_yaml
    from leeway.training.search import best_candidate, compare_candidates, fit_final, tune

    frame, target = feature_frame(table, use_case), target_array(table, use_case)
    scores = compare_candidates(frame, target, use_case)
    winner = best_candidate(scores, use_case.metric)
    choice = {
        "metric": use_case.metric,
        "winner": winner.name,
        "candidates": [{"name": score.name, "mean": score.mean} for score in scores],
        "imputation": [],
        "clusters": [],
    }
    store.put("models", NAME, "json", canonical_json(choice))
    tracking.log_selection(choice, {})
    candidate_plot(scores, use_case.metric, unit_of(use_case.metric))
    found = tune(
        frame,
        target,
        use_case,
        winner.name,
        storage=RDBStorage(dsn("optuna")),
        study_name=f"script/{uuid.uuid4()}",
        on_trial=lambda trial: None,
    )
    pipeline = fit_final(frame, target, use_case, winner.name, found.parameters)
    model = store.put("models", NAME, "skops", save_model(pipeline))
    tuned = {
        "algorithm": winner.name,
        "parameters": found.parameters,
        "metric": use_case.metric,
        "value": found.value,
        "gain": found.gain,
        "gain_error": found.gain_error,
        "trials": list(found.trials),
        "classes": [str(name) for name in pipeline.classes_],
        "model": {"uri": model.uri, "digest": model.digest},
    }
    store.put("models", NAME, "json", canonical_json(tuned))
    tracking.log_tuning(tuned, frame.shape, parameters_yaml(found, use_case, len(frame), {}))
    return pipeline, tuned


def explain(
    pipeline: Any, tuned: dict[str, Any], table: pa.Table, use_case: UseCase, store: LocalStore
) -> Any:
    """SHAP, neighbours, map and calibration."""
    from leeway.explainers.calibration import calibrate, fresh_predictions
    from leeway.explainers.neighbourhood import PcaMap, nearest
    from leeway.explainers.shapley import shap_values
    from leeway.plots import pca_plot, shap_plot

    frame, target = feature_frame(table, use_case), target_array(table, use_case)
    shap = shap_values(pipeline, frame, frame.iloc[:: max(1, -(-len(frame) // 200))])
    nearest(pipeline, frame, target, None, use_case.explanation.neighbours)
    pca = PcaMap.fit(pipeline, frame)
    predictions = fresh_predictions(
        frame, target, use_case, tuned["algorithm"], tuned["parameters"]
    )
    calibration = calibrate(target, predictions, use_case)
    store.put("models", NAME, "parquet", to_parquet(table))
    store.put("models", NAME, "json", canonical_json(calibration.as_dict()))
    shap_plot(shap.values, shap.feature_names, shap.outputs, shap.scale)
    pca_plot(pca.coordinates, target, pca.explained_variance_ratio)
    return calibration


def release(
    pipeline: Any,
    tuned: dict[str, Any],
    rows: pa.Table,
    use_case: UseCase,
    store: LocalStore,
    tracking: Tracking,
) -> None:
    """Metrics on the held-out rows, the verdict and the registered model."""
    import numpy as np

    from leeway.evidence import Model, gather
    from leeway.plots import confusion_plot

    classes = tuned["classes"]
    found = gather(rows, use_case, Model(pipeline, classes), "first", "request")
    manifest = {
        "metrics": {name: metric.as_dict() for name, metric in found.metrics.items()},
        "decision": found.decision.as_dict(),
    }
    store.put("models", NAME, "json", canonical_json(manifest))
    tracking.log_release(
        "a script",
        {TRAINING_KEY: str(uuid.uuid4())},
        {f"test/{k}": m.value for k, m in found.metrics.items() if m.value is not None},
        tuned["model"]["uri"],
    )
    confusion_plot(np.array(found.confusion), classes)


def score(
    pipeline: Any,
    tuned: dict[str, Any],
    calibration: Any,
    clean: dict[str, pa.Table],
    training: pa.Table,
    use_case: UseCase,
    store: LocalStore,
) -> None:
    """Drift, predictions and performance of each batch."""
    from leeway.drift.verdict import compare_profiles
    from leeway.performance import measure
    from leeway.plots import drift_plot
    from leeway.prediction import prediction_table

    reference = profile_table(part_of(training, TRAIN), use_case.columns)
    store.put("reports", NAME, "json", canonical_json(reference.as_dict()))
    for table in clean.values():
        current = profile_table(table, use_case.columns)
        found = compare_profiles(reference, current, use_case.drift, use_case.columns)
        store.put("reports", NAME, "json", canonical_json(found.as_dict()))
        drift_plot(found.columns)
        predicted = prediction_table(pipeline, table, use_case, tuned["classes"], calibration)
        store.put("predictions", NAME, "parquet", to_parquet(predicted))
        measured = measure(table, predicted, use_case, tuned["classes"])
        store.put("reports", NAME, "json", canonical_json(measured.as_dict()))


if __name__ == "__main__":
    main()
