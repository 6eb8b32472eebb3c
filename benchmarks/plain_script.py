"""A shipped use case as a plain script: the functions that the assets call, in the same order.

Belongs here: the calls, with every value passed from one to the next in memory, and the seconds of
each part. Does not belong here: anything that Dagster or the commit protocol adds, which is what
the comparison measures.

It reads, validates, loads PostgreSQL, runs dbt, trains with Optuna's study in PostgreSQL, draws the
same plots, tells MLflow the same, and writes an object for each of Leeway's. It does a little less:
it keeps no table of rejects, looks for no key of an earlier batch, and its objects say less.

    .venv/bin/python -m benchmarks.plain_script penguins
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
import uuid
import warnings
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import psutil
import pyarrow as pa

from leeway.data.frames import feature_frame, target_array
from leeway.data.tables import to_parquet
from leeway.data.training_set import TEST, TRAIN, build_training_set, part_of
from leeway.data.validation import validate
from leeway.data.values import POSTGRES_TYPES
from leeway.digests import canonical_json
from leeway.drift.declared import profile_table
from leeway.spec import UseCase
from orchestration.use_cases import load_use_cases
from resources.dbt import begin_call, executable
from resources.ledger import Ledger
from resources.postgres import dsn, transaction
from resources.settings import get_settings
from resources.stand_ins import reading_of
from resources.store import LocalStore, Prefix
from resources.tracking import TRAINING_KEY, Tracking
from resources.warehouse import ensure_table, read_batch, replace_batch, replace_table

if TYPE_CHECKING:
    from leeway.experiment.design import Design
    from leeway.explainers.conformal import Calibration
    from leeway.prediction import Threshold


@dataclass
class Script:
    """One use case, what it writes to, and the seconds of each part."""

    name: str
    use_case: UseCase
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    @cached_property
    def store(self) -> LocalStore:
        """The object store."""
        return LocalStore(get_settings().store_root)

    @cached_property
    def tracking(self) -> Tracking:
        """MLflow with a run of this script."""
        tracking = Tracking(get_settings(), self.name, str(uuid.uuid4()), logging.getLogger())
        tracking.run_id = tracking.client.create_run(tracking.experiment_id).info.run_id
        return tracking

    def put(self, prefix: Prefix, suffix: str, data: bytes) -> dict[str, Any]:
        """Stores an object; its digest and address."""
        stored = self.store.put(prefix, self.name, suffix, data)
        return {"uri": stored.uri, "digest": stored.digest}

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Adds the seconds of what it stands around to a part."""
        started = time.monotonic()
        yield
        self.seconds[name] += time.monotonic() - started


@dataclass
class Model:
    """What training made."""

    pipeline: Any
    tuned: dict[str, Any]


def main(name: str) -> None:
    """Source to predictions, or to savings; the last line printed has the seconds."""
    warnings.simplefilter("ignore")
    begun = psutil.Process().create_time()
    script = Script(name, load_use_cases()[name])
    script.seconds["start"] = time.time() - begun
    clean = load(script)
    if script.use_case.task == "experiment":
        with script.part("analysis"):
            analyse_experiment(script, clean)
    else:
        learn(script, clean)
    script.seconds["all"] = time.time() - begun
    sys.stdout.write("\n" + json.dumps(script.seconds) + "\n")


def load(script: Script) -> dict[str, pa.Table]:
    """Source to PostgreSQL, and dbt; the clean rows by batch."""
    name, use_case = script.name, script.use_case
    with script.part("source"):
        source = reading_of(name, use_case, get_settings()).source
        batches = list(source.batches())
        columns = {c.name: POSTGRES_TYPES[c.type] for c in use_case.given_columns}
        columns |= {"row_number": "bigint", "batch_id": "text"}
        columns |= {"loaded_at": "timestamptz default now()"}
        for batch in batches:
            table = source.read(batch)
            script.put("raw", "parquet", to_parquet(table))
            rows = validate(table, use_case, batch=batch).accepted
            rows = rows.append_column("batch_id", pa.array([batch] * rows.num_rows, pa.string()))
            with transaction() as cursor:
                ensure_table(cursor, name, "raw", columns)
                replace_batch(cursor, name, "raw", batch, rows)
    with script.part("dbt"):
        ledger = Ledger()
        tokens = {batch: ledger.begin(name, "clean", batch, "script").token for batch in batches}
        subprocess.run(
            [executable(), "build", "--quiet", "--full-refresh", "--select", f"fqn:leeway.{name}"],
            env=os.environ | {"DBT_TARGET_PATH": str(begin_call(get_settings(), name, tokens))},
            check=True,
        )
        clean = {batch: read_batch(name, "clean", batch, [use_case.key.name]) for batch in batches}
        for table in clean.values():
            script.put("clean", "parquet", to_parquet(table))
    return clean


def learn(script: Script, clean: dict[str, pa.Table]) -> None:
    """Training set to predictions."""
    with script.part("training set"):
        whole = build_training_set(clean, script.use_case).table
        script.put("clean", "parquet", to_parquet(whole))
        training = part_of(whole, TRAIN)
    with script.part("search"):
        choice, pictures = choose(script, training)
        model, readable = tune_and_fit(script, training, choice)
    with script.part("MLflow"):
        script.tracking.log_selection(choice, pictures)
        shape = (training.num_rows, len(script.use_case.feature_columns))
        script.tracking.log_tuning(model.tuned, shape, readable)
    with script.part("explainers"):
        calibration, threshold = explain_model(script, model, training)
    with script.part("release"):
        described, metrics = judge(script, model, threshold, part_of(whole, TEST))
    with script.part("MLflow"):
        script.tracking.log_release(described, {TRAINING_KEY: str(uuid.uuid4())}, metrics,
                                    model.tuned["model"]["uri"])  # fmt: skip
        script.tracking.end(failed=False)
    with script.part("batches"):
        score(script, model, calibration, threshold, clean, training)


def choose(script: Script, table: pa.Table) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Choices and candidates."""
    from assets.choices import pictures_of
    from leeway.plots import candidate_plot
    from leeway.spec import unit_of
    from leeway.training.selection import select

    use_case = script.use_case
    frame, target = feature_frame(table, use_case), target_array(table, use_case)
    found = select(frame, target, use_case)
    choice = found.as_dict()
    script.put("models", "json", canonical_json(choice))
    candidate_plot(found.scores, use_case.metric, unit_of(use_case.metric, use_case.target.unit))
    return choice, pictures_of(found.decided, use_case)


def tune_and_fit(script: Script, table: pa.Table, choice: dict[str, Any]) -> tuple[Model, str]:
    """Tuning and the fitted pipeline; its parameters to read."""
    from optuna.storages import RDBStorage

    from leeway.training.decisions import settle
    from leeway.training.model_file import save_model
    from leeway.training.readable import parameters_yaml
    from leeway.training.search import fit_final, tune

    use_case, winner = script.use_case, choice["winner"]
    frame, target = feature_frame(table, use_case), target_array(table, use_case)
    settled = settle(use_case, choice["choices"])
    found = tune(
        frame,
        target,
        settled,
        winner,
        storage=RDBStorage(dsn("optuna")),
        study_name=f"script/{uuid.uuid4()}",
        on_trial=lambda trial: None,
    )
    pipeline = fit_final(frame, target, settled, winner, found.parameters)
    classes = getattr(pipeline, "classes_", None)
    tuned = {
        **found.as_dict(),
        "choices": choice["choices"],
        "metric": use_case.metric,
        "classes": None if classes is None else [str(each) for each in classes],
        "model": script.put("models", "skops", save_model(pipeline)),
    }
    script.put("models", "json", canonical_json(tuned))
    readable = parameters_yaml(found, use_case, len(frame), choice["choices"])
    return Model(pipeline, tuned), readable


def explain_model(
    script: Script, model: Model, table: pa.Table
) -> tuple[Calibration, Threshold | None]:
    """SHAP, neighbours, map, calibration and the threshold of the costs."""
    from leeway.choice_plots import cost_plot
    from leeway.explainers.explained import explain
    from leeway.plots import pca_plot, shap_plot
    from leeway.prediction import Threshold

    use_case = script.use_case
    frame, target = feature_frame(table, use_case), target_array(table, use_case)
    found = explain(model.pipeline, frame, target, use_case, model.tuned)
    script.put("models", "parquet", to_parquet(table))
    script.put("models", "json", canonical_json(found.as_dict()))
    shap, pca = found.shap, found.pca
    shap_plot(shap.values, shap.feature_names, shap.outputs, shap.scale)
    pca_plot(pca.coordinates, found.labels, pca.explained_variance_ratio)
    if found.curve is None:
        return found.calibration, None
    cost_plot(found.curve)
    return found.calibration, Threshold.from_dict(found.curve.chosen)


def judge(
    script: Script, model: Model, threshold: Threshold | None, rows: pa.Table
) -> tuple[str, dict[str, float]]:
    """Metrics on the held-out rows and the verdict."""
    import numpy as np

    from leeway.evidence import gather
    from leeway.plots import confusion_plot
    from leeway.prediction import Model as Judged

    classes = model.tuned["classes"]
    judged = Judged(model.pipeline, classes, threshold)
    found = gather(rows, script.use_case, judged, "first", "request")
    manifest = {
        "metrics": {name: metric.as_dict() for name, metric in found.metrics.items()},
        "decision": found.decision.as_dict(),
    }
    script.put("models", "json", canonical_json(manifest))
    if found.confusion is not None:
        confusion_plot(np.array(found.confusion), classes)
    metrics = {f"test/{k}": m.value for k, m in found.metrics.items() if m.value is not None}
    return "a script", metrics


def score(
    script: Script,
    model: Model,
    calibration: Calibration,
    threshold: Threshold | None,
    clean: dict[str, pa.Table],
    training: pa.Table,
) -> None:
    """Drift, predictions, performance and report of each batch."""
    from leeway.data.quality import column_quality
    from leeway.drift.content import content_of
    from leeway.drift.distribution import distributions_of
    from leeway.drift.stored import Stored, to_bytes
    from leeway.drift.verdict import compare_profiles
    from leeway.performance import measure
    from leeway.plots_drift import drift_plot
    from leeway.prediction import prediction_table
    from leeway.report import BatchReport, report_html
    from resources.pdf import NoPdf, pdf_of

    use_case, classes = script.use_case, model.tuned["classes"]
    reference = profile_table(training, use_case.columns)
    script.put("reports", "arrow", to_bytes(Stored({"train": reference})))
    for batch, table in clean.items():
        current = profile_table(table, use_case.columns)
        script.put("reports", "arrow", to_bytes(Stored({"clean": current})))
        found = compare_profiles(reference, current, use_case.drift, use_case.columns)
        shown = distributions_of(reference, current, found.columns)
        content = content_of(found, {}, shown)
        script.put("reports", "json", canonical_json(content))
        plot = drift_plot(found.columns)
        predicted = prediction_table(
            model.pipeline, table, use_case, classes, calibration, threshold
        )
        script.put("predictions", "parquet", to_parquet(predicted))
        fitted = training[use_case.key.name]
        measured = measure(table, predicted, use_case, classes, fitted)
        script.put("reports", "json", canonical_json(measured.as_dict()))
        html = report_html(
            BatchReport(
                title=use_case.title,
                batch=batch,
                version=1,
                algorithm=model.tuned["algorithm"],
                allowed_rejects=use_case.max_rejected,
                raw={"rows": table.num_rows, "rejected": 0, "reasons": {}, "source": ""},
                columns=column_quality(table, use_case),
                drift=content,
                performance=json.loads(canonical_json(measured.as_dict())),
                plot=plot,
            )
        )
        script.put("reports", "html", html.encode())
        with suppress(NoPdf):
            script.put("reports", "pdf", pdf_of(html))


def analyse_experiment(script: Script, clean: dict[str, pa.Table]) -> None:
    """Effects, the best setting and what it saves."""
    from leeway.experiment.best_setting import best_setting
    from leeway.experiment.effects import analyse
    from leeway.experiment.payback import payback
    from leeway.experiment.plots import half_normal_plot, pareto_plot
    from leeway.experiment.runs import block_of, design_of
    from leeway.experiment.summary import whole_summary

    use_case = script.use_case
    block = block_of(use_case)
    stored = [column.name for column in use_case.columns if column.role != "ignored"]
    runs = pa.concat_tables(table.select([*stored, "batch_id"]) for table in clean.values())
    design: Design = design_of(use_case, {name: runs[name].to_pylist() for name in stored})
    script.put("clean", "parquet", to_parquet(runs))
    types = {c.name: POSTGRES_TYPES[c.type] for c in use_case.columns} | {"batch_id": "text"}
    with transaction() as cursor:
        declared = {name: types[name] for name in runs.column_names}
        replace_table(cursor, script.name, "script_results", declared, runs)
    analysis = analyse(design)
    best = best_setting(analysis, block.direction)
    script.put("reports", "json", canonical_json(whole_summary(analysis, best)))
    unit = use_case.target.unit or ""
    half_normal_plot(analysis, unit)
    pareto_plot(analysis, unit)
    if block.savings is not None:
        paid = payback(analysis, best, block.savings)
        script.put("reports", "json", canonical_json({} if paid is None else asdict(paid.savings)))


if __name__ == "__main__":
    main(sys.argv[1])
