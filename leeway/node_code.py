"""The files that each node's result depends on.

Belongs here: files by node. Does not belong here: which nodes there are and what each reads
(`leeway.graph`), or the digest of the files (`leeway.code_version`).
"""

from __future__ import annotations

from collections.abc import Mapping

# Modules that several nodes rest on; each node lists what its own modules import, too.
_FITTING = (
    "leeway/training/candidates.py",
    "leeway/training/estimators.py",
    "leeway/training/folds.py",
    "leeway/training/preprocessing.py",
    "leeway/training/rounds.py",
    "leeway/training/transformers.py",
)
_CHOOSING = (
    "leeway/training/clusters.py",
    "leeway/training/decisions.py",
    "leeway/training/imputation.py",
    "leeway/training/scoring.py",
    "leeway/metrics/bootstrap.py",
    "leeway/metrics/evaluation.py",
    "leeway/metrics/formulas.py",
    "leeway/metrics/inputs.py",
    "leeway/metrics/perfection.py",
)
_SEARCHING = (
    "assets/choices.py",
    "assets/training.py",
    "assets/training_frame.py",
    "assets/training_set.py",
    "leeway/data/frames.py",
    "leeway/data/training_set.py",
    *_FITTING,
    "leeway/training/readable.py",
    "leeway/training/search.py",
    "leeway/training/selection.py",
    "leeway/training/trials.py",
    "leeway/training/tuning.py",
    "leeway/training/model_file.py",
    *_CHOOSING,
)
_METRICS = (
    "leeway/metrics/evaluation.py",
    "leeway/metrics/formulas.py",
    "leeway/metrics/inputs.py",
    "leeway/metrics/bootstrap.py",
    "leeway/metrics/perfection.py",
    "leeway/metrics/costs.py",
    "leeway/metrics/positive.py",
)
_ANALYSING = (
    "assets/design.py",
    "leeway/experiment/aliases.py",
    "leeway/experiment/coding.py",
    "leeway/experiment/design.py",
    "leeway/experiment/missing_cells.py",
    "leeway/experiment/runs.py",
    "leeway/experiment/yates.py",
    "leeway/experiment/anova.py",
    "leeway/experiment/best_setting.py",
    "leeway/experiment/effects.py",
    "leeway/experiment/error.py",
    "leeway/experiment/summary.py",
)
_PROFILING = (
    "leeway/drift/buffers.py",
    "leeway/drift/cells.py",
    "leeway/drift/levels.py",
    "leeway/drift/numbers.py",
    "leeway/drift/profile.py",
    "leeway/drift/stored.py",
    "leeway/drift/history.py",
)
_MEASURING = (
    *_PROFILING,
    "leeway/drift/distances.py",
    "leeway/drift/tails.py",
    "leeway/drift/effects.py",
    "leeway/drift/measured.py",
    "leeway/drift/number_pair.py",
)
_COMPARING = (
    *_MEASURING,
    "leeway/drift/budget.py",
    "leeway/drift/change.py",
    "leeway/drift/column.py",
    "leeway/drift/policy.py",
    "leeway/drift/rule.py",
    "leeway/drift/verdict.py",
)
# By the name of the node; a pattern may hold `{name}`, the use case.
CODE: Mapping[str, tuple[str, ...]] = {
    "raw": (
        "assets/judging.py",
        "assets/loading.py",
        "assets/raw.py",
        "resources/files.py",
        "resources/opening.py",
        "resources/parser_process.py",
        "resources/quiet.py",
        "resources/sources/*.py",
        "resources/stand_ins.py",
        "resources/text_formats.py",
        "resources/warehouse.py",
        "leeway/data/messages.py",
        "leeway/data/records.py",
        "leeway/data/simulation.py",
        "leeway/data/synthetic.py",
        "leeway/experiment/aliases.py",
        "leeway/experiment/cells.py",
        "leeway/data/notations.py",
        "leeway/data/shared_keys.py",
        "leeway/data/validation.py",
        "leeway/data/values.py",
    ),
    "staged": ("assets/cleaning.py", "dbt_project/models/{name}/staging/*", "dbt_project/macros/*"),
    # staged is a view: its SQL runs when clean is built.
    "clean": ("assets/cleaning.py", "dbt_project/models/{name}/*/*", "dbt_project/macros/*"),
    "profile": (
        "assets/profile.py",
        "leeway/definitions.py",
        "leeway/drift/declared.py",
        *_PROFILING,
    ),
    "training_set": (
        "assets/training_set.py",
        "leeway/data/training_set.py",
        "leeway/data/frames.py",
    ),
    "model_selection": _SEARCHING,
    "tuned_model": _SEARCHING,
    "explainers": (
        "assets/explainers.py",
        "assets/training_frame.py",
        "assets/training_set.py",
        "leeway/data/frames.py",
        "leeway/data/training_set.py",
        "leeway/training/model_file.py",
        "leeway/explainers/explained.py",
        "leeway/explainers/shapley.py",
        "leeway/explainers/neighbourhood.py",
        "leeway/explainers/calibration.py",
        "leeway/explainers/conformal.py",
        "leeway/metrics/bootstrap.py",
        "leeway/metrics/costs.py",
        *_FITTING,
        *_CHOOSING,
    ),
    "reference_profile": (
        "assets/reference_profile.py",
        "assets/training_set.py",
        "leeway/data/training_set.py",
        "leeway/drift/declared.py",
        "leeway/drift/usual.py",
        *_MEASURING,
    ),
    "release": (
        "assets/release.py",
        "assets/training_set.py",
        "leeway/evidence.py",
        "leeway/manifest.py",
        "leeway/performance.py",
        "leeway/release.py",
        "leeway/prediction.py",
        "leeway/data/frames.py",
        "leeway/data/training_set.py",
        "leeway/explainers/conformal.py",
        "leeway/training/model_file.py",
        *_METRICS,
    ),
    "drift": (
        "assets/drift.py",
        "assets/reference.py",
        "leeway/definitions.py",
        "leeway/drift/origin.py",
        *_COMPARING,
    ),
    "predictions": (
        "assets/predictions.py",
        "leeway/prediction.py",
        "leeway/explainers/conformal.py",
        "leeway/data/frames.py",
    ),
    "performance": (
        "assets/performance.py",
        "leeway/performance.py",
        "leeway/data/frames.py",
        "leeway/data/training_set.py",
        *_METRICS,
    ),
    "report": (
        "assets/report.py",
        "leeway/report.py",
        "leeway/data/quality.py",
        "resources/pdf.py",
        *_COMPARING,
    ),
    "experiment": (
        "assets/experiment.py",
        "resources/warehouse.py",
        "leeway/data/notations.py",
        "leeway/data/values.py",
        *_ANALYSING,
    ),
    "effects": ("assets/effects.py", "leeway/experiment/plots.py", *_ANALYSING),
    "savings": (
        "assets/savings.py",
        "resources/warehouse.py",
        "leeway/experiment/lives.py",
        "leeway/experiment/payback.py",
        "leeway/experiment/savings.py",
        *_ANALYSING,
    ),
}
